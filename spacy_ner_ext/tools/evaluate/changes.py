"""Documents for which two pipelines predict different entities."""

from __future__ import annotations

from typing import Any

from .entities import DocEntities, Entity, ScoredDoc
from .snippets import cut_snippet, group_nearby
from .top_examples import MOST, TopExamples

BETTER, WORSE, OTHER = "better", "worse", "other"
# The weight of a changed entity, relative to that of one error more or less.
CHANGED = 0.1


class Changes:
    """Counts documents whose predictions differ from a baseline's, and keeps those with
    the largest differences in the number of errors.

    Errors are gold entities that are not found exactly, and predictions that do not
    equal a gold entity. A document is better if it has fewer.
    """

    def __init__(self, most: int = MOST) -> None:
        self.counts = dict.fromkeys((BETTER, WORSE, OTHER), 0)
        self._examples = TopExamples(most)

    def add(self, ours: ScoredDoc, baseline: ScoredDoc) -> None:
        """Compare the predictions of both pipelines for one document."""
        changed = _differing(ours.entities, baseline.entities)
        if not changed:
            return
        gain = _count_errors(baseline.entities) - _count_errors(ours.entities)
        kind = BETTER if gain > 0 else WORSE if gain < 0 else OTHER
        self.counts[kind] += 1
        weight = abs(gain) + CHANGED * len(changed)
        index = ours.entities.index
        self._examples.add(
            (kind,),
            weight,
            (index, 0),
            lambda: {
                "document": index,
                **_cut(ours, baseline.entities, changed),
                "kinds": {kind: 1},
                "weight": round(weight, 4),
                "reason": _reason(gain),
            },
        )

    def result(self) -> dict[str, Any]:
        """The part "changed" of the result."""
        return {**self.counts, "examples": self._examples.result()}


def _differing(ours: DocEntities, baseline: DocEntities) -> list[Entity]:
    """Entities that only one of both predicts."""
    ours_by_key = {entity.key: entity for entity in ours.predicted}
    others_by_key = {entity.key: entity for entity in baseline.predicted}
    keys = sorted(ours_by_key.keys() ^ others_by_key.keys())
    return [{**others_by_key, **ours_by_key}[key] for key in keys]


def _count_errors(entities: DocEntities) -> int:
    gold = {entity.key for entity in entities.gold}
    return len(gold ^ {entity.key for entity in entities.predicted})


def _cut(
    ours: ScoredDoc, baseline: DocEntities, changed: list[Entity]
) -> dict[str, Any]:
    """Cut the first of the snippets with most changes."""
    placed = [(entity.start, entity.end, entity) for entity in changed]
    start, end, _ = max(group_nearby(placed), key=lambda group: len(group[2]))
    return cut_snippet(
        *(ours.example.reference, start, end),
        gold=ours.entities.gold,
        predicted=ours.entities.predicted,
        baseline=baseline.predicted,
    )


def _reason(gain: int) -> str:
    if not gain:
        return "Other predictions than the baseline's, as many errors."
    errors = "1 error" if abs(gain) == 1 else f"{abs(gain)} errors"
    return f"{errors} {'fewer' if gain > 0 else 'more'} than the baseline."
