"""Token vectors: the default layer, and checks of listeners to other components."""

from typing import Any

from spacy.language import Language
from spacy.pipeline.tok2vec import Tok2Vec

DEFAULT_TOK2VEC: dict[str, Any] = {
    "@architectures": "spacy.HashEmbedCNN.v2",
    "pretrained_vectors": None,
    "width": 96,
    "depth": 4,
    "embed_size": 2000,
    "window_size": 1,
    "maxout_pieces": 3,
    "subword_features": True,
}


def check_widths(nlp: Language | None) -> None:
    """Raise a ValueError if a listener expects vectors of another width than it gets;
    components that are not initialized yet are skipped."""
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
