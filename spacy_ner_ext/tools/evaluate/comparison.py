"""Comparison of two pipelines on the same documents.

Differences have intervals and p-values from a paired bootstrap (Koehn 2004): each
resample of documents scores both pipelines. The two-sided p-value is the share of
resamples whose difference is as far from the observed one as that is from zero
(Berg-Kirkpatrick et al. 2012), where the observed one counts as one more resample, so
that the p-value is never 0.
"""

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
from ..snippets import cut_snippet, group_nearby
from .bootstrap import CountRows, draw_weights, interval
from .entities import DocEntities, ScoredDoc, ScoredEntity
from .examples import MOST, TopExamples
from .metrics import NAMES

SIDES = (0, 1)
# Differences that are this close are equal.
NOISE = 1e-9
BETTER, WORSE, OTHER = "better", "worse", "other"
# The weight of a changed entity, relative to that of one error more or less.
CHANGED = 0.1
# The number of the pipeline, the metric and the label.
Key = tuple[int, str, str]


class Comparison:
    """Collects the counts and the changed predictions of each document."""

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
        """Add the predictions of both pipelines for one document."""
        self._rows.add(_count(ours.entities, baseline.entities))
        self._changes.add(ours, baseline)

    def result(self) -> dict[str, Any]:
        """The parts "differences" and "changed" of the result."""
        labels = {metric: self._labels(metric) for metric in COUNTERS}
        columns = {metric: self._columns(metric, labels[metric]) for metric in COUNTERS}
        resampled: dict[str, list[numpy.ndarray]] = {metric: [] for metric in COUNTERS}
        for weights in draw_weights(self._rows.repeats, self.resamples, self.seed):
            sums = self._rows.sums(weights)
            for metric, samples in resampled.items():
                samples.append(_differences(_scores(sums[:, columns[metric]])))
        total = self._rows.total()
        differences = {
            metric: self._describe(labels[metric], total[columns[metric]], samples)
            for metric, samples in resampled.items()
        }
        return {"differences": differences, "changed": self._changes.result()}

    def _labels(self, metric: str) -> list[str]:
        return sorted({label for _, other, label in self._rows.keys if other == metric})

    def _columns(self, metric: str, labels: list[str]) -> numpy.ndarray:
        """The columns of a metric's counts, of shape (2, n_labels)."""
        column = {key: number for number, key in enumerate(self._rows.keys)}
        rows = [[column[side, metric, label] for label in labels] for side in SIDES]
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


def _count(ours: DocEntities, baseline: DocEntities) -> dict[Key, list[int]]:
    counts: dict[Key, list[int]] = {}
    for metric, count in COUNTERS.items():
        found = [
            count(*([e.key for e in side] for side in (each.gold, each.predicted)))
            for each in (ours, baseline)
        ]
        for label in {label for each in found for label in each}:
            for side in SIDES:
                counts[side, metric, label] = found[side].get(label, [0] * N_COUNTS)
    return counts


def _scores(counts: numpy.ndarray) -> numpy.ndarray:
    """Scores of the averages, then of the labels, of shape (..., 2, n_averages +
    n_labels, 3); NaN for a label without gold and predictions."""
    means = numpy.stack([*averages(counts).values()], axis=-2)
    of_labels = rates(counts)
    counted = (counts[..., GOLD] + counts[..., PREDICTED]).any(axis=-2, keepdims=True)
    of_labels = numpy.where(counted[..., None], of_labels, numpy.nan)
    return numpy.concatenate([means, of_labels], axis=-2)


def _differences(scores: numpy.ndarray) -> numpy.ndarray:
    return scores[..., 0, :, :] - scores[..., 1, :, :]


def _tests(
    observed: numpy.ndarray, samples: list[numpy.ndarray], confidence: float
) -> Iterator[dict[str, Any]]:
    """Difference, interval and p-value of each score, row by row."""
    unknown = [numpy.full((1, *observed.shape), numpy.nan)]
    resampled = numpy.concatenate(samples or unknown)
    intervals = numpy.moveaxis(interval(resampled, confidence), 0, -1).reshape(-1, 2)
    p_values = two_sided(observed, resampled).ravel()
    rows = zip(observed.ravel(), intervals, p_values, strict=True)
    for difference, ends, p_value in rows:
        is_known = not numpy.isnan(ends).any()
        yield {
            "difference": float(difference),
            "interval": ends.tolist() if is_known else None,
            "p_value": float(p_value) if is_known else None,
        }


def two_sided(observed: numpy.ndarray, resampled: numpy.ndarray) -> numpy.ndarray:
    """Compute two-sided p-values of observed differences.

    resampled: The differences of resamples along the first axis, NaN where undefined.
    """
    is_known = ~numpy.isnan(resampled)
    moved = numpy.abs(numpy.where(is_known, resampled, observed) - observed)
    is_far = is_known & (moved >= numpy.abs(observed) - NOISE)
    return (1 + is_far.sum(axis=0)) / (1 + is_known.sum(axis=0))


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


def _differing(ours: DocEntities, baseline: DocEntities) -> list[ScoredEntity]:
    """Entities that only one of both predicts."""
    ours_by_key = {entity.key: entity for entity in ours.predicted}
    others_by_key = {entity.key: entity for entity in baseline.predicted}
    keys = sorted(ours_by_key.keys() ^ others_by_key.keys())
    return [{**others_by_key, **ours_by_key}[key] for key in keys]


def _count_errors(entities: DocEntities) -> int:
    gold = {entity.key for entity in entities.gold}
    return len(gold ^ {entity.key for entity in entities.predicted})


def _cut(
    ours: ScoredDoc, baseline: DocEntities, changed: list[ScoredEntity]
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
