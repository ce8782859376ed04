"""Find the components of a pipeline that predict entities, and their span keys."""

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
    """A component that predicts entities."""

    name: str
    factory: str
    target: tuple[str, ...]  # span keys of the gold entities
    annotate: tuple[str, ...]  # "*" for one group per label
    labels: tuple[str, ...]
    has_threshold: bool = False  # whether it drops predictions


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
    """Describe a component by its factory and its settings in a config; None if it does
    not predict entities."""
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
    """Find the one component of a type, such as EntityPipe, with a name if it is given.
    `what` completes "a component that ..." in the UserError if there is none, or more
    than one."""
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
