"""Two pipelines on the same documents.

Differences have intervals and p-values of a paired bootstrap (Koehn 2004): each
resample of documents scores both. The two-sided p-value is the share of resamples whose
difference is as far from the observed one as that is from none, as of Berg-Kirkpatrick
et al. (2012); with one resample more that is, so that it is never 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy

from ...scorers.counts import (
    AVERAGES,
    COUNTERS,
    GOLD,
    N_COUNTS,
    PREDICTED,
    averages,
    rates,
)
from .bootstrap import CountRows, draw_weights, interval
from .changes import Changes
from .entity_records import EvaluatedEntity, ScoredDoc
from .scores import NAMES
from .top_examples import MOST

SIDES = (0, 1)
# Differences that are this near are equal.
NOISE = 1e-9
# Which pipeline is counted, by which metric, and what label.
Key = tuple[int, str, str]


class Comparison:
    """Collects the counts of each document, and what predictions changed.

    resamples: How many resamples of the documents are made; 0 for no intervals.
    confidence: The share of resamples inside an interval.
    seed: The seed of the resamples.
    most: How many examples are kept.
    """

    def __init__(
        self,
        *,
        resamples: int = 1000,
        confidence: float = 0.95,
        seed: int = 0,
        most: int = MOST,
    ) -> None:
        self.resamples, self.confidence, self.seed = resamples, confidence, seed
        self._rows: CountRows[Key] = CountRows()
        self._changes = Changes(most)

    def add(self, ours: ScoredDoc, baseline: ScoredDoc) -> None:
        """Count a document.

        ours: The document with the predictions of the pipeline.
        baseline: The same with those of the other.
        """
        self._rows.add(_count(ours.record, baseline.record))
        self._changes.add(ours, baseline)

    def result(self) -> dict[str, Any]:
        """ "differences" and "changed" of the result."""
        labels = {metric: self._labels(metric) for metric in COUNTERS}
        places = {metric: self._places(metric, labels[metric]) for metric in COUNTERS}
        resampled: dict[str, list[numpy.ndarray]] = {metric: [] for metric in COUNTERS}
        for weights in draw_weights(self._rows.repeats, self.resamples, self.seed):
            sums = self._rows.sums(weights)
            for metric, samples in resampled.items():
                samples.append(_differences(_scores(sums[:, places[metric]])))
        total = self._rows.total()
        differences = {
            metric: self._describe(labels[metric], total[places[metric]], samples)
            for metric, samples in resampled.items()
        }
        return {"differences": differences, "changed": self._changes.result()}

    def _labels(self, metric: str) -> list[str]:
        return sorted({label for _, other, label in self._rows.keys if other == metric})

    def _places(self, metric: str, labels: list[str]) -> numpy.ndarray:
        """Where the counts of a metric are, of shape (2, n_labels)."""
        place = {key: number for number, key in enumerate(self._rows.keys)}
        rows = [[place[side, metric, label] for label in labels] for side in SIDES]
        return numpy.array(rows, dtype=int)

    def _describe(
        self, labels: list[str], counts: numpy.ndarray, samples: list[numpy.ndarray]
    ) -> dict[str, Any]:
        scores = _scores(counts)
        cells = _tests(_differences(scores), samples, self.confidence)
        described = [
            {
                name: {
                    "ours": float(scores[0, row, column]),
                    "baseline": float(scores[1, row, column]),
                    **next(cells),
                }
                for column, name in enumerate(NAMES)
            }
            for row in range(len(AVERAGES) + len(labels))
        ]
        supports = counts[0, :, GOLD].astype(int).tolist()
        of_labels = zip(labels, supports, described[len(AVERAGES) :], strict=True)
        return {
            **dict(zip(AVERAGES, described, strict=False)),
            "labels": {label: {"support": n, **each} for label, n, each in of_labels},
        }


def _count(ours: EvaluatedEntity, baseline: EvaluatedEntity) -> dict[Key, list[int]]:
    counts: dict[Key, list[int]] = {}
    for metric, count in COUNTERS.items():
        found = [
            count(*([e.key for e in side] for side in (record.gold, record.predicted)))
            for record in (ours, baseline)
        ]
        for label in {label for each in found for label in each}:
            for side in SIDES:
                none = [0] * N_COUNTS
                counts[side, metric, label] = found[side].get(label, none)
    return counts


def _scores(counts: numpy.ndarray) -> numpy.ndarray:
    """Scores of the averages, then those of the labels, of shape (..., 2, n_averages +
    n_labels, 3); NaN for a label that is not there."""
    means = numpy.stack([*averages(counts).values()], axis=-2)
    of_labels = rates(counts)
    is_there = (counts[..., GOLD] + counts[..., PREDICTED]).any(axis=-2, keepdims=True)
    of_labels = numpy.where(is_there[..., None], of_labels, numpy.nan)
    return numpy.concatenate([means, of_labels], axis=-2)


def _differences(scores: numpy.ndarray) -> numpy.ndarray:
    return scores[..., 0, :, :] - scores[..., 1, :, :]


def _tests(
    observed: numpy.ndarray, samples: list[numpy.ndarray], confidence: float
) -> Iterator[dict[str, Any]]:
    """The difference, its interval and its p-value, score by score."""
    unknown = [numpy.full((1, *observed.shape), numpy.nan)]
    resampled = numpy.concatenate(samples or unknown)
    boundaries = numpy.moveaxis(interval(resampled, confidence), 0, -1)
    p_values = two_sided(observed, resampled)
    rows = zip(
        observed.ravel(), boundaries.reshape(-1, 2), p_values.ravel(), strict=True
    )
    for difference, ends, p_value in rows:
        is_known = not numpy.isnan(ends).any()
        yield {
            "difference": float(difference),
            "interval": ends.tolist() if is_known else None,
            "p_value": float(p_value) if is_known else None,
        }


def two_sided(observed: numpy.ndarray, resampled: numpy.ndarray) -> numpy.ndarray:
    """How likely differences this large are if there is none.

    resampled: Those of resamples, resamples first; NaN where there is none.
    """
    is_known = ~numpy.isnan(resampled)
    moved = numpy.abs(numpy.where(is_known, resampled, observed) - observed)
    is_far = is_known & (moved >= numpy.abs(observed) - NOISE)
    return (1 + is_far.sum(axis=0)) / (1 + is_known.sum(axis=0))
