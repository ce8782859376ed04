"""Counts of gold and predicted spans, and precision, recall and F-score.

A span counts as found by one of three criteria, those of EDS-NLP's metrics (Wajsburt et
al.): `exact` requires the same boundaries and label, `overlap` a Dice coefficient of at
least one half, and `token` compares single tokens. Spans may overlap each other.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy

from ..pipes.overlap import LabelledSpan

# The counts of a label: gold spans, predictions, gold spans that are found, and
# predictions that are right.
GOLD, PREDICTED, FOUND, RIGHT = range(4)
N_COUNTS = 4
DICE = 0.5
Counts = dict[str, list[int]]
AVERAGES = ("micro", "macro", "weighted")


def count_exact(
    gold: Iterable[LabelledSpan], predicted: Iterable[LabelledSpan]
) -> Counts:
    """Count spans of one document with the same boundaries and label.

    Of several predictions of the same span one is right, as in spaCy's scorer.
    """
    left = set(gold)
    counts = _count_gold(left)
    for span in predicted:
        of_label = counts[span[2]]
        of_label[PREDICTED] += 1
        if span in left:
            left.discard(span)
            of_label[FOUND] += 1
            of_label[RIGHT] += 1
    return counts


def count_overlap(
    gold: Iterable[LabelledSpan],
    predicted: Iterable[LabelledSpan],
    threshold: float = DICE,
) -> Counts:
    """Count spans of one document that overlap by a Dice coefficient of `threshold`.

    A prediction is right if a gold span of its label overlaps it enough. A gold span is
    found if the prediction of any label that overlaps it most, or one of several,
    overlaps it enough and has its label.
    """
    all_gold, all_predicted = Neighbours(gold), Neighbours(predicted)
    counts = _count_gold(all_gold.spans)
    for span in all_predicted.spans:
        counts[span[2]][PREDICTED] += 1
        near = (dice for dice, other in all_gold.of(span) if other[2] == span[2])
        counts[span[2]][RIGHT] += max(near, default=0.0) >= threshold
    for span in all_gold.spans:
        best = ((dice, other[2] == span[2]) for dice, other in all_predicted.of(span))
        dice, same_label = max(best, default=(0.0, False))
        if dice >= threshold and same_label:
            counts[span[2]][FOUND] += 1
    return counts


def count_tokens(
    gold: Iterable[LabelledSpan], predicted: Iterable[LabelledSpan]
) -> Counts:
    """Count tokens of one document that are covered by spans of each label."""
    return count_exact(_tokens(gold), _tokens(predicted))


EXACT = "exact"
COUNTERS: dict[str, Callable[..., Counts]] = {
    EXACT: count_exact,
    "overlap": count_overlap,
    "token": count_tokens,
}


def _tokens(spans: Iterable[LabelledSpan]) -> set[LabelledSpan]:
    return {(i, i + 1, label) for start, end, label in spans for i in range(start, end)}


def _count_gold(spans: Iterable[LabelledSpan]) -> Counts:
    counts: Counts = defaultdict(lambda: [0] * N_COUNTS)
    for *_, label in spans:
        counts[label][GOLD] += 1
    return counts


class Neighbours:
    """Spans without duplicates, indexed by position."""

    def __init__(self, spans: Iterable[LabelledSpan]) -> None:
        self.spans = sorted(set(spans))
        self._starts = [start for start, *_ in self.spans]
        self._longest = max((end - start for start, end, _ in self.spans), default=0)

    def of(self, span: LabelledSpan) -> Iterator[tuple[float, LabelledSpan]]:
        """The spans that share a token with a span, with their Dice coefficients."""
        start, end, _ = span
        first = bisect_right(self._starts, start - self._longest)
        last = bisect_left(self._starts, end)
        for other in self.spans[first:last]:
            shared = min(end, other[1]) - max(start, other[0])
            if shared > 0:
                yield 2 * shared / (end - start + other[1] - other[0]), other


class Totals:
    """Sums of the counts of many documents, by label."""

    def __init__(self) -> None:
        self.counts: Counts = defaultdict(lambda: [0] * N_COUNTS)

    def add(self, counts: Counts) -> None:
        for label, values in counts.items():
            total = self.counts[label]
            for field, value in enumerate(values):
                total[field] += value

    @property
    def labels(self) -> list[str]:
        return list(self.counts)

    def array(self, labels: Sequence[str] | None = None) -> numpy.ndarray:
        """The counts of some labels, by default all, shape (n_labels, 4)."""
        rows = [self.counts[label] for label in (labels or self.counts)]
        return numpy.array(rows, dtype="float64").reshape(-1, N_COUNTS)


def rates(counts: numpy.ndarray) -> numpy.ndarray:
    """Precision, recall and F-score, shape (..., 3), of counts, shape (..., 4); 0 where
    undefined."""
    precision = _divide(counts[..., RIGHT], counts[..., PREDICTED])
    recall = _divide(counts[..., FOUND], counts[..., GOLD])
    f_score = 2 * _divide(precision * recall, precision + recall)
    return numpy.stack([precision, recall, f_score], axis=-1)


def averages(counts: numpy.ndarray) -> dict[str, numpy.ndarray]:
    """Micro, macro and weighted averages over labels, as in scikit-learn and seqeval:
    of counts, shape (..., n_labels, 4), precision, recall and F-score, shape (..., 3).
    Labels that are neither gold nor predicted are skipped."""
    scores = rates(counts)
    present = (counts[..., GOLD] + counts[..., PREDICTED] > 0).astype(counts.dtype)
    return {
        "micro": rates(counts.sum(axis=-2)),
        "macro": _mean(scores, present),
        "weighted": _mean(scores, counts[..., GOLD]),
    }


def _mean(scores: numpy.ndarray, weights: numpy.ndarray) -> numpy.ndarray:
    total = (scores * weights[..., None]).sum(axis=-2)
    return _divide(total, weights.sum(axis=-1)[..., None])


def _divide(dividend: numpy.ndarray, divisor: numpy.ndarray) -> numpy.ndarray:
    result = numpy.zeros(numpy.broadcast_shapes(dividend.shape, divisor.shape))
    return numpy.divide(dividend, divisor, out=result, where=divisor > 0)
