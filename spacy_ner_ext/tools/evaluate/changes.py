"""The documents of which two pipelines say different things."""

from __future__ import annotations

from typing import Any

from .entity_records import Entity, EvaluatedEntity, ScoredDoc
from .snippets import cut, passages
from .top_examples import MOST, Shortlist

BETTER, WORSE, OTHER = "better", "worse", "other"
# What a changed entity weighs beside an error more or less.
CHANGED = 0.1


class Changes:
    """Counts documents with other predictions than those of a baseline, and keeps the
    ones with most errors more or less.

    A document is better if it has fewer errors, which are gold entities that are not
    found exactly, and predictions that are no gold entity.

    most: How many examples are kept.
    """

    def __init__(self, most: int = MOST) -> None:
        self.counts = dict.fromkeys((BETTER, WORSE, OTHER), 0)
        self._shortlist = Shortlist(most)

    def add(self, ours: ScoredDoc, baseline: ScoredDoc) -> None:
        """Compare the predictions of a document.

        ours: The document with the predictions of the pipeline.
        baseline: The same with those of the other.
        """
        changed = _differing(ours.record, baseline.record)
        if not changed:
            return
        gain = _count_errors(baseline.record) - _count_errors(ours.record)
        kind = BETTER if gain > 0 else WORSE if gain < 0 else OTHER
        self.counts[kind] += 1
        weight = abs(gain) + CHANGED * len(changed)
        index = ours.record.index
        self._shortlist.add(
            (kind,),
            weight,
            (index, 0),
            lambda: {
                "document": index,
                **_cut(ours, baseline.record, changed),
                "kinds": {kind: 1},
                "weight": round(weight, 4),
                "reason": _reason(gain),
            },
        )

    def result(self) -> dict[str, Any]:
        """ "changed" of the result."""
        return {**self.counts, "examples": self._shortlist.result()}


def _differing(ours: EvaluatedEntity, baseline: EvaluatedEntity) -> list[Entity]:
    """Entities that one of both predicts."""
    ours_by_key = {entity.key: entity for entity in ours.predicted}
    others_by_key = {entity.key: entity for entity in baseline.predicted}
    keys = sorted(ours_by_key.keys() ^ others_by_key.keys())
    return [{**others_by_key, **ours_by_key}[key] for key in keys]


def _count_errors(record: EvaluatedEntity) -> int:
    gold = {entity.key for entity in record.gold}
    return len(gold ^ {entity.key for entity in record.predicted})


def _cut(
    ours: ScoredDoc, baseline: EvaluatedEntity, changed: list[Entity]
) -> dict[str, Any]:
    """The passage with most changes; of several the first."""
    placed = [(entity.start, entity.end, entity) for entity in changed]
    passage = max(passages(placed), key=lambda passage: len(passage.members))
    return cut(
        *(ours.example.reference, passage.start, passage.end),
        gold=ours.record.gold,
        predicted=ours.record.predicted,
        baseline=baseline.predicted,
    )


def _reason(gain: int) -> str:
    if not gain:
        return "Other predictions than the baseline's, as many errors."
    errors = "1 error" if abs(gain) == 1 else f"{abs(gain)} errors"
    return f"{errors} {'fewer' if gain > 0 else 'more'} than the baseline."
