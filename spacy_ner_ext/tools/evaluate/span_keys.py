"""Span keys of the gold and predicted entities of a pipeline."""

from collections.abc import Sequence
from dataclasses import dataclass

from spacy.language import Language

from ...pipes.find import EntityComponent, entity_components
from ...pipes.spans import ENTS, PER_LABEL
from ...util.errors import UserError


@dataclass(frozen=True)
class SpanKeys:
    """Where gold and predicted entities are.

    target: Where gold is, "ents" or span groups.
    annotate: Where predictions are; several keys only for one group per label.
    component: The component that predicts them, None if only the keys are known.
    others: More components that predict entities.
    """

    target: tuple[str, ...] = ()
    annotate: tuple[str, ...] = ()
    component: EntityComponent | None = None
    others: tuple[str, ...] = ()


def find_span_keys(
    nlp: Language,
    component: str | None = None,
    target: Sequence[str] = (),
    annotate: Sequence[str] = (),
) -> SpanKeys | None:
    """Find the entities of a component, by default of the last that predicts any.

    target: Overrides where the component reads gold.
    annotate: Overrides where it writes predictions: doc.ents if it is among its keys,
        else its first group.
    RETURNS: The keys, None if they are unknown.
    RAISES (UserError): If the component does not exist or does not predict entities.
    """
    known = entity_components(nlp)
    if component is not None and component not in known:
        raise UserError(
            f"the pipeline has no component '{component}' that finds entities: name "
            f"one of those that do ({', '.join(known) or 'none'}), or give --target "
            "and --annotate"
        )
    name = component or next(reversed(known), None)
    if name is None:
        keys = SpanKeys(tuple(target), tuple(annotate or target))
        return keys if target or annotate else None
    found = known[name]
    return SpanKeys(
        tuple(target) or found.target,
        tuple(annotate) or _one_place(found),
        found,
        tuple(other for other in known if other != name),
    )


def _one_place(component: EntityComponent) -> tuple[str, ...]:
    """Entities that are written to several places count once."""
    if ENTS in component.annotate:
        return (ENTS,)
    first = component.annotate[0]
    return component.labels if first == PER_LABEL else (first,)
