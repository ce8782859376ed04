"""Precision, recall and F-score of entities with confidence intervals."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy

from ...crf.tags import LabelledSpan
from ...scorers.counts import (
    COUNTERS,
    GOLD,
    PREDICTED,
    RIGHT,
    averages,
    count_exact,
    rates,
)
from .bootstrap import CountRows, draw_weights, interval
from .entities import DocEntities, ScoredDoc, ScoredEntity
from .groups import (
    LENGTH,
    SEEN,
    SENTENCE,
    SeenForms,
    length_group,
    order_of,
    sentence_group,
)

NAMES = ("p", "r", "f")
# A metric with a label, or a kind of groups with a group.
Key = tuple[str, str]
Sides = tuple[list[LabelledSpan], list[LabelledSpan]]


class Metrics:
    """Counts of each document by metric and label, and by group of entities.

    seen: The entities of the training corpus.
    counters: Names of COUNTERS.
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
        self._settings = {"resamples": resamples, "seed": seed}
        self._confidence = confidence
        self._rows: CountRows[Key] = CountRows()
        self._groups: dict[str, Callable[[ScoredEntity], str]] = {
            LENGTH: length_group,
            SENTENCE: sentence_group,
        }
        if seen is not None:
            self._groups[SEEN] = seen.group

    def add(self, doc: ScoredDoc) -> None:
        """Count the entities of a document."""
        gold = [entity.key for entity in doc.entities.gold]
        predicted = [entity.key for entity in doc.entities.predicted]
        counts = {
            (metric, label): values
            for metric, count in self._counters.items()
            for label, values in count(gold, predicted).items()
        }
        for kind, group_of in self._groups.items():
            for name, sides in _split(doc.entities, group_of).items():
                by_label = count_exact(*sides).values()
                counts[kind, name] = [sum(each) for each in zip(*by_label)]
        self._rows.add(counts)

    def result(self) -> dict[str, Any]:
        """The parts "metrics" and "groups" of the result."""
        scores = _Scores(self._rows, tuple(self._counters))
        scores.resample(self._confidence, **self._settings)
        return {
            "metrics": {
                metric: {**scores.averages(metric), "labels": scores.labels(metric)}
                for metric in self._counters
            },
            "groups": {
                kind: scores.groups(kind) if kind in self._groups else None
                for kind in (LENGTH, SEEN, SENTENCE)
            },
        }


def _split(
    entities: DocEntities, group_of: Callable[[ScoredEntity], str]
) -> dict[str, Sides]:
    """Gold and predictions of each group."""
    groups: dict[str, Sides] = {}
    for side, members in enumerate((entities.gold, entities.predicted)):
        for entity in members:
            sides = groups.setdefault(group_of(entity), ([], []))
            sides[side].append(entity.key)
    return groups


class _Scores:
    """Scores of all keys, and averages over the keys of each metric."""

    def __init__(self, rows: CountRows[Key], metrics: tuple[str, ...]) -> None:
        self._rows, self._total = rows, rows.total()
        self._columns = {key: column for column, key in enumerate(rows.keys)}
        self._of_metric = {
            metric: [n for (other, _), n in self._columns.items() if other == metric]
            for metric in metrics
        }
        self._ends: numpy.ndarray | None = None

    def resample(self, confidence: float, resamples: int, seed: int) -> None:
        """Compute the intervals."""
        values = [
            self._values(self._rows.sums(weights))
            for weights in draw_weights(self._rows.repeats, resamples, seed)
        ]
        if values:
            self._ends = interval(numpy.concatenate(values), confidence)

    def _values(self, sums: numpy.ndarray) -> numpy.ndarray:
        """Scores of resamples: of all keys, then the averages of each metric; NaN where
        a resample has neither gold nor predictions."""
        keys = _where_counted(rates(sums), sums)
        means = [
            _where_counted(values, sums[:, columns].sum(axis=1))
            for columns in self._of_metric.values()
            for values in averages(sums[:, columns]).values()
        ]
        return numpy.concatenate([keys, numpy.stack(means, axis=1)], axis=1)

    def averages(self, metric: str) -> dict[str, dict[str, Any]]:
        """Scores over all labels, by the name of the average."""
        counts = self._total[self._of_metric[metric]]
        first = len(self._columns) + 3 * list(self._of_metric).index(metric)
        return {
            name: self._describe(values, column, counts.sum(axis=0))
            for column, (name, values) in enumerate(averages(counts).items(), first)
        }

    def labels(self, metric: str) -> dict[str, dict[str, Any]]:
        """Scores of each label."""
        keys = sorted(key for key in self._columns if key[0] == metric)
        return {label: self._score((metric, label)) for metric, label in keys}

    def groups(self, kind: str) -> list[dict[str, Any]]:
        """Scores of the groups with entities, in the order of the report."""
        return [
            {"name": name, **self._score((kind, name))}
            for name in order_of(kind)
            if (kind, name) in self._columns
        ]

    def _score(self, key: Key) -> dict[str, Any]:
        column = self._columns[key]
        counts = self._total[column]
        return self._describe(rates(counts), column, counts)

    def _describe(
        self, values: numpy.ndarray, column: int, counts: numpy.ndarray
    ) -> dict[str, Any]:
        score: dict[str, Any] = dict(zip(NAMES, values.tolist(), strict=True))
        for place, name in enumerate(NAMES):
            score[f"{name}_interval"] = self._interval(column, place)
        score["support"] = int(counts[GOLD])
        score["predicted"] = int(counts[PREDICTED])
        score["correct"] = int(counts[RIGHT])
        return score

    def _interval(self, column: int, place: int) -> list[float] | None:
        if self._ends is None or numpy.isnan(self._ends[:, column, place]).any():
            return None
        return self._ends[:, column, place].tolist()


def _where_counted(scores: numpy.ndarray, counts: numpy.ndarray) -> numpy.ndarray:
    counted = counts[..., GOLD] + counts[..., PREDICTED] > 0
    return numpy.where(counted[..., None], scores, numpy.nan)
