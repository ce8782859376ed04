"""Scores with confidence intervals, made of the counts of documents."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy

from ...scorers.counts import GOLD, PREDICTED, RIGHT, averages, rates
from .bootstrap import CountRows, draw_weights, interval

NAMES = ("p", "r", "f")
# What is scored: a metric or a kind of groups, and a label or a group in it.
Key = tuple[str, str]


class Scores:
    """Scores of all keys, and averages over keys of the same kind.

    rows: The counts of each document.
    kinds: The kinds of keys that have averages.
    resamples: How many resamples intervals are made of; 0 for no intervals.
    confidence: The share of resamples inside an interval.
    seed: The seed of the resamples.
    """

    def __init__(
        self,
        rows: CountRows[Key],
        kinds: tuple[str, ...],
        *,
        resamples: int,
        confidence: float,
        seed: int,
    ) -> None:
        self._columns = {key: column for column, key in enumerate(rows.keys)}
        self._of_kind = {kind: self._columns_of(kind) for kind in kinds}
        self._total = rows.total()
        values = [
            self._values(rows.sums(weights))
            for weights in draw_weights(rows.repeats, resamples, seed)
        ]
        samples = numpy.concatenate(values) if values else None
        self._boundaries = None if samples is None else interval(samples, confidence)

    def __contains__(self, key: Key) -> bool:
        return key in self._columns

    def names(self, kind: str) -> list[str]:
        """The labels or groups of a kind, sorted."""
        return sorted(name for other, name in self._columns if other == kind)

    def score(self, key: Key) -> dict[str, Any]:
        """Precision, recall and F-score with intervals, and
        counts, of one key.
        """
        column = self._columns[key]
        counts = self._total[column]
        return self._describe(rates(counts), column, counts)

    def averages(self, kind: str) -> dict[str, dict[str, Any]]:
        """The same over all keys of a kind, by the
        name of the average.
        """
        counts = self._total[self._of_kind[kind]]
        first = len(self._columns) + 3 * list(self._of_kind).index(kind)
        return {
            name: self._describe(values, column, counts.sum(axis=0))
            for column, (name, values) in enumerate(averages(counts).items(), first)
        }

    def _columns_of(self, kind: str) -> list[int]:
        return [column for (other, _), column in self._columns.items() if other == kind]

    def _values(self, sums: numpy.ndarray) -> numpy.ndarray:
        """Scores of resamples: of all keys, then the averages of each kind; NaN where a
        resample has neither gold nor prediction."""
        keys = _where_counted(rates(sums), sums)
        means = [
            _where_counted(values, sums[:, columns].sum(axis=1))
            for columns in self._of_kind.values()
            for values in averages(sums[:, columns]).values()
        ]
        return numpy.concatenate([keys, numpy.stack(means, axis=1)], axis=1)

    def _describe(
        self, values: numpy.ndarray, column: int, counts: numpy.ndarray
    ) -> dict[str, Any]:
        score: dict[str, Any] = dict(zip(NAMES, values.tolist(), strict=True))
        for name, boundaries in zip(NAMES, self._intervals(column), strict=True):
            score[f"{name}_interval"] = boundaries
        score["support"] = int(counts[GOLD])
        score["predicted"] = int(counts[PREDICTED])
        score["correct"] = int(counts[RIGHT])
        return score

    def _intervals(self, column: int) -> Iterator[list[float] | None]:
        for place in range(len(NAMES)):
            if self._boundaries is None:
                yield None
                continue
            boundaries = self._boundaries[:, column, place]
            yield None if numpy.isnan(boundaries).any() else boundaries.tolist()


def _where_counted(scores: numpy.ndarray, counts: numpy.ndarray) -> numpy.ndarray:
    counted = counts[..., GOLD] + counts[..., PREDICTED] > 0
    return numpy.where(counted[..., None], scores, numpy.nan)
