"""Checks of the layers that listen to the vectors of another component."""

from spacy.language import Language
from spacy.pipeline.tok2vec import Tok2Vec


def check_widths(nlp: Language | None) -> None:
    """Check that all listeners of a pipeline expect vectors of the width they get.
    Components that are not initialized yet are skipped.

    RAISES (ValueError): If a listener expects vectors of another width.
    """
    for _, component in [] if nlp is None else nlp.pipeline:
        if isinstance(component, Tok2Vec) and component.model.has_dim("nO"):
            check_widths_of(component)


def check_widths_of(upstream: Tok2Vec) -> None:
    """Check the listeners of one component; see `check_widths`."""
    width = upstream.model.get_dim("nO")
    for name, listeners in upstream.listener_map.items():
        for listener in listeners:
            if listener.get_dim("nO") != width:
                raise ValueError(
                    f"'{name}' expects vectors of width {listener.get_dim('nO')} "
                    f"from '{upstream.name}', which outputs {width}: set width = "
                    f"{width} in the listener of '{name}'."
                )
