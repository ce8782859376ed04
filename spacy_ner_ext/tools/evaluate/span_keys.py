"""Where gold and predictions of a pipeline are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spacy.language import Language
from spacy.pipeline import Pipe, SpanCategorizer

from ...pipes.entities import EntityPipe
from ...pipes.spans import ENTS, PER_LABEL
from ...util.errors import UserError

# Components of spaCy that write doc.ents.
WRITE_ENTS = ("ner", "beam_ner", "entity_ruler")


@dataclass(frozen=True)
class Places:
    """Where entities are.

    component: The component that finds them; None if only the places are known.
    target: Where gold is: "ents" and span groups.
    annotate: Where predictions are; several only for "*", a group for each label.
    labels: The labels of the component.
    leaves_out: Whether a threshold leaves out predictions.
    others: More components that find entities.
    """

    component: str | None
    target: tuple[str, ...]
    annotate: tuple[str, ...]
    labels: tuple[str, ...] = ()
    leaves_out: bool = False
    others: tuple[str, ...] = ()


def find_places(
    nlp: Language,
    component: str | None = None,
    target: Sequence[str] = (),
    annotate: Sequence[str] = (),
) -> Places | None:
    """Find out where the entities of a pipeline are.

    component: The component that finds them; if None, the last one of the pipeline that
        finds entities.
    target: Where gold is; by default where the component learns from.
    annotate: Where predictions are; by default where the component writes them:
        doc.ents if it is among them, else the first group.
    RETURNS: The places; None if nothing finds entities.
    RAISES (UserError): If the component is not there, or finds no entities.
    """
    found = {name: _places_of(nlp, name) for name in nlp.pipe_names}
    known = {name: places for name, places in found.items() if places is not None}
    if component is not None and component not in known:
        there = ", ".join(known) or "none"
        raise UserError(
            f"the pipeline has no component '{component}' that finds entities: name "
            f"one of those that do ({there}), or give --target and --annotate"
        )
    name = component or next(reversed(known), None)
    if name is None:
        places = Places(None, tuple(target), tuple(annotate or target))
        return places if target or annotate else None
    own = known[name]
    return Places(
        name,
        tuple(target) or own.target,
        tuple(annotate) or own.annotate,
        own.labels,
        own.leaves_out,
        tuple(other for other in known if other != name),
    )


def _places_of(nlp: Language, name: str) -> Places | None:
    pipe = nlp.get_pipe(name)
    if isinstance(pipe, EntityPipe):
        annotate = _one_place(pipe.annotate, pipe.labels)
        threshold = pipe.cfg["threshold"]
        limits = threshold.values() if isinstance(threshold, dict) else [threshold]
        return Places(name, tuple(pipe.target), annotate, pipe.labels, any(limits))
    if isinstance(pipe, SpanCategorizer):
        return Places(name, (pipe.key,), (pipe.key,), tuple(pipe.labels))
    if isinstance(pipe, Pipe) and nlp.get_pipe_meta(name).factory in WRITE_ENTS:
        return Places(name, (ENTS,), (ENTS,), tuple(getattr(pipe, "labels", ())))
    return None


def _one_place(keys: Sequence[str], labels: Sequence[str]) -> tuple[str, ...]:
    """Entities that are written to several places are judged once."""
    if ENTS in keys:
        return (ENTS,)
    return tuple(labels) if keys[0] == PER_LABEL else (keys[0],)
