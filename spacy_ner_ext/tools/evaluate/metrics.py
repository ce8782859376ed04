"""Metrics of entities: of labels, over all labels, and of groups of entities."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...pipes.overlap import LabelledSpan
from ...scorers.counts import COUNTERS, count_exact
from .bootstrap import CountRows
from .entity_records import Entity, EvaluatedEntity, ScoredDoc
from .groups import (
    LENGTH,
    SEEN,
    SENTENCE,
    SeenForms,
    length_group,
    order_of,
    sentence_group,
)
from .scores import Key, Scores

Sides = tuple[list[LabelledSpan], list[LabelledSpan]]


class Metrics:
    """Collects the counts of each document.

    seen: The entities of the training corpus.
    resamples: How many resamples intervals are made of; 0 for no intervals.
    confidence: The share of resamples inside an interval.
    seed: The seed of the resamples.
    counters: The metrics.
    """

    def __init__(
        self,
        seen: SeenForms | None = None,
        *,
        resamples: int = 1000,
        confidence: float = 0.95,
        seed: int = 0,
        counters: Sequence[str] = tuple(COUNTERS),
    ) -> None:
        self._counters = {metric: COUNTERS[metric] for metric in counters}
        self._settings: dict[str, Any] = {
            "resamples": resamples,
            "confidence": confidence,
            "seed": seed,
        }
        self._rows: CountRows[Key] = CountRows()
        self._groups: dict[str, Callable[[Entity], str]] = {
            LENGTH: length_group,
            SENTENCE: sentence_group,
        }
        if seen is not None:
            self._groups[SEEN] = seen.group

    def add(self, judged: ScoredDoc) -> None:
        """Count a document."""
        record = judged.record
        gold = [entity.key for entity in record.gold]
        predicted = [entity.key for entity in record.predicted]
        counts = {
            (metric, label): values
            for metric, count in self._counters.items()
            for label, values in count(gold, predicted).items()
        }
        for kind, group_of in self._groups.items():
            for name, sides in _split(record, group_of).items():
                by_label = count_exact(*sides).values()
                counts[kind, name] = [sum(each) for each in zip(*by_label)]
        self._rows.add(counts)

    def result(self) -> dict[str, Any]:
        """ "metrics" and "groups"."""
        scores = Scores(self._rows, tuple(self._counters), **self._settings)
        metrics = {
            metric: {
                **scores.averages(metric),
                "labels": {
                    label: scores.score((metric, label))
                    for label in scores.names(metric)
                },
            }
            for metric in self._counters
        }
        kinds = (LENGTH, SEEN, SENTENCE)
        groups = {kind: self._group_scores(scores, kind) for kind in kinds}
        return {"metrics": metrics, "groups": groups}

    def _group_scores(self, scores: Scores, kind: str) -> list[dict[str, Any]] | None:
        if kind not in self._groups:
            return None
        return [
            {"name": name, **scores.score((kind, name))}
            for name in order_of(kind)
            if (kind, name) in scores
        ]


def _split(
    record: EvaluatedEntity, group_of: Callable[[Entity], str]
) -> dict[str, Sides]:
    """Gold and predictions of each group."""
    groups: dict[str, Sides] = {}
    for side, entities in enumerate((record.gold, record.predicted)):
        for entity in entities:
            sides = groups.setdefault(group_of(entity), ([], []))
            sides[side].append(entity.key)
    return groups
