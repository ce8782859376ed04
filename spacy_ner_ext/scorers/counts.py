"""Counts of right and wrong spans, and the scores that are made of them.

Spans count as found by three definitions, those of EDS-NLP's metrics (Wajsburt et al.):
`exact` asks for the same tokens and label, `overlap` for a Dice coefficient of at least
one half, and `token` compares tokens one by one. Spans may overlap each other.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy

from ..pipes.overlap import LabelledSpan

# What is counted of each label.
GOLD, PREDICTED, FOUND, RIGHT = range(4)
N_COUNTS = 4
DICE = 0.5
# How many gold spans there are, how many predictions, how many gold spans are found,
# and how many predictions are right.
Counts = dict[str, list[int]]
AVERAGES = ("micro", "macro", "weighted")


def count_exact(
    gold: Iterable[LabelledSpan], predicted: Iterable[LabelledSpan]
) -> Counts:
    """Count spans of one document with the same boundaries and label.

    Of several predictions of the same span one is right, as in spaCy's scorer.

    gold: First token, end (exclusive) and label.
    RETURNS: By label: gold, predicted, found, right.
    """
    left = set(gold)
    counts = _count(left, GOLD)
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
    """Count spans of one document that overlap one of the other side enough.

    A prediction is right if a gold span of its label has a Dice coefficient of at least
    the threshold with it. A gold span is found if this holds of the prediction that
    overlaps it most, of whatever label; if several do, of one of them.

    gold: First token, end (exclusive) and label.
    RETURNS: By label: gold, predicted, found, right.
    """
    all_gold, all_predicted = Neighbours(gold), Neighbours(predicted)
    counts = _count(all_gold.spans, GOLD)
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
    """Count tokens of one document that are in a span of a label on both sides.

    gold: First token, end (exclusive) and label.
    RETURNS: By label: gold, predicted, found, right.
    """
    return count_exact(_tokens(gold), _tokens(predicted))


EXACT = "exact"
COUNTERS: dict[str, Callable[..., Counts]] = {
    EXACT: count_exact,
    "overlap": count_overlap,
    "token": count_tokens,
}


def _tokens(spans: Iterable[LabelledSpan]) -> set[LabelledSpan]:
    return {(i, i + 1, label) for start, end, label in spans for i in range(start, end)}


def _count(spans: Iterable[LabelledSpan], field: int) -> Counts:
    counts: Counts = defaultdict(lambda: [0] * N_COUNTS)
    for *_, label in spans:
        counts[label][field] += 1
    return counts


class Neighbours:
    """Spans that are looked up by where they are.

    spans: The spans, each of which is kept once.
    """

    def __init__(self, spans: Iterable[LabelledSpan]) -> None:
        self.spans = sorted(set(spans))
        self._starts = [start for start, *_ in self.spans]
        self._longest = max((end - start for start, end, _ in self.spans), default=0)

    def of(self, span: LabelledSpan) -> Iterator[tuple[float, LabelledSpan]]:
        """Find the spans that share a token with one.

        YIELDS: The Dice coefficient with it, and the other span.
        """
        start, end, _ = span
        first = bisect_right(self._starts, start - self._longest)
        last = bisect_left(self._starts, end)
        for other in self.spans[first:last]:
            shared = min(end, other[1]) - max(start, other[0])
            if shared > 0:
                yield 2 * shared / (end - start + other[1] - other[0]), other


# --- Scores ------------------------------------------------------------------


class Totals:
    """Counts of many documents, by label."""

    def __init__(self) -> None:
        self.counts: Counts = defaultdict(lambda: [0] * N_COUNTS)

    def add(self, counts: Counts) -> None:
        """Add the counts of a document.

        counts: By label: gold, predicted, found, right.
        """
        for label, values in counts.items():
            total = self.counts[label]
            for field, value in enumerate(values):
                total[field] += value

    @property
    def labels(self) -> list[str]:
        """The labels, in the order in which they came."""
        return list(self.counts)

    def array(self, labels: Sequence[str] | None = None) -> numpy.ndarray:
        """A row for each label, of shape (n_labels, 4)."""
        rows = [self.counts[label] for label in (labels or self.counts)]
        return numpy.array(rows, dtype="float64").reshape(-1, N_COUNTS)


def rates(counts: numpy.ndarray) -> numpy.ndarray:
    """Precision, recall and F-score; 0 where nothing is predicted, or nothing gold.

    counts: Gold, predicted, found, right, of shape (..., 4).
    RETURNS: Precision, recall and F-score, of shape (..., 3).
    """
    precision = _divide(counts[..., RIGHT], counts[..., PREDICTED])
    recall = _divide(counts[..., FOUND], counts[..., GOLD])
    f_score = 2 * _divide(precision * recall, precision + recall)
    return numpy.stack([precision, recall, f_score], axis=-1)


def averages(counts: numpy.ndarray) -> dict[str, numpy.ndarray]:
    """Scores over all labels: micro of the sum of counts, macro and weighted of the
    scores of labels, as in scikit-learn and seqeval.

    counts: The counts of each label, of shape (..., n_labels, 4). Labels without gold
        and without a prediction do not count.
    RETURNS: "micro", "macro" and "weighted", each with precision, recall and F-score,
        of shape (..., 3).
    """
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
