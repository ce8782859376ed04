"""Find the components of a pipeline that predict entities, and their span keys.

- `find_component(nlp, EntityPipe, name, what)` where exactly one component is needed
  and anything else is an error that the user can fix.
- `entity_components(nlp)` for every component that predicts entities, spaCy's own
  included, and where each reads gold and writes predictions.
- `describe_component(name, factory, settings, labels)` for the same from the config
  of a pipeline that is not loaded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from spacy.language import Language
from spacy.pipeline import SpanCategorizer

from ..util.errors import UserError
from .entities import EntityPipe
from .spans import ENTS, as_keys
from .thresholds import has_threshold

OWN_FACTORIES = ("crf_ner", "span_marker_ner")
ENTS_FACTORIES = ("ner", "beam_ner", "entity_ruler")
SPANCAT_FACTORIES = ("spancat", "spancat_singlelabel")

Component = TypeVar("Component")


@dataclass(frozen=True)
class EntityComponent:
    """A component that predicts entities.

    name: Its name in the pipeline.
    factory: Its factory.
    target: Span keys of the gold entities.
    annotate: Span keys of its predictions; "*" stands for one group per label.
    labels: Its labels.
    has_threshold: Whether its threshold drops predictions.
    """

    name: str
    factory: str
    target: tuple[str, ...]
    annotate: tuple[str, ...]
    labels: tuple[str, ...]
    has_threshold: bool = False


def entity_components(nlp: Language) -> dict[str, EntityComponent]:
    """Describe all components that predict entities, in the order of the pipeline."""
    found = (_describe_pipe(nlp, name) for name in nlp.pipe_names)
    return {each.name: each for each in found if each is not None}


def _describe_pipe(nlp: Language, name: str) -> EntityComponent | None:
    pipe: Any = nlp.get_pipe(name)
    factory = nlp.get_pipe_meta(name).factory
    if isinstance(pipe, EntityPipe):
        return _describe_own(name, factory, pipe.cfg, pipe.labels)
    if isinstance(pipe, SpanCategorizer):
        return EntityComponent(name, factory, (pipe.key,), (pipe.key,), pipe.labels)
    return describe_component(name, factory, {}, getattr(pipe, "labels", ()))


def describe_component(
    name: str, factory: str, settings: Mapping[str, Any], labels: Sequence[str]
) -> EntityComponent | None:
    """Describe a component by its factory and its settings in a config.

    RETURNS: The description; None if the factory does not predict entities.
    """
    if factory in OWN_FACTORIES:
        return _describe_own(name, factory, settings, labels)
    keys: tuple[str, ...] = (ENTS,)
    if factory in SPANCAT_FACTORIES:
        keys = (settings.get("spans_key", "sc"),)
    elif factory not in ENTS_FACTORIES:
        return None
    return EntityComponent(name, factory, keys, keys, tuple(labels))


def _describe_own(
    name: str, factory: str, settings: Mapping[str, Any], labels: Sequence[str]
) -> EntityComponent:
    target = as_keys(settings.get("target", ENTS), "target")
    annotate = as_keys(settings.get("annotate") or target, "annotate")
    limited = has_threshold(settings.get("threshold", 0.0))
    return EntityComponent(
        name, factory, tuple(target), tuple(annotate), tuple(labels), limited
    )


def find_component(
    nlp: Language, kind: type[Component], name: str | None, what: str
) -> Component:
    """Find the one component of a type.

    kind: The class of the component, such as EntityPipe.
    name: The name of the component; None if the pipeline has only one of the type.
    what: What such a component does, for error messages: the rest of "a component
        that ...".
    RAISES (UserError): If the pipeline has no such component, or more than one.
    """
    candidates = {key: pipe for key, pipe in nlp.pipeline if isinstance(pipe, kind)}
    found = [pipe for key, pipe in candidates.items() if name in (None, key)]
    if len(found) == 1:
        return found[0]
    if len(found) > 1:
        raise UserError(
            f"the pipeline has more than one component that {what} "
            f"({', '.join(candidates)}): name one of them"
        )
    named = "" if name is None else f" '{name}'"
    advice = "use another pipeline"
    if candidates:
        advice = f"name one of {', '.join(candidates)}"
    raise UserError(
        f"the pipeline has no component{named} that {what}: {advice} (its components "
        f"are {', '.join(nlp.pipe_names) or 'none'})"
    )
