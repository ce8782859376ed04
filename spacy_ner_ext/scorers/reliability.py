"""Do probabilities say how often entities are right?

Reliability diagrams and the expected calibration error (ECE) as of Naeini et al. 2015
and Guo et al. 2017, the Brier score and the log loss, over arrays: the probability of
each entity that was found, and whether it was right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy

# As many as Guo et al. take.
N_BINS = 15


@dataclass(frozen=True)
class Bin:
    """Entities whose probabilities are above `low` and at most `high`.

    low: The lower border; 0 itself belongs to the first bin.
    high: The upper border.
    count: How many there are.
    confidence: Their mean probability; None if there are none.
    accuracy: The share of them that is right; None if there are none.
    """

    low: float
    high: float
    count: int
    confidence: float | None
    accuracy: float | None


def reliability(
    scores: Sequence[float] | numpy.ndarray,
    correct: Sequence[bool] | numpy.ndarray,
    labels: Sequence[str] | numpy.ndarray,
    n_bins: int = N_BINS,
) -> dict[str, Any] | None:
    """Compare probabilities with how often the entities are right.

    scores: The probability of each entity that was found.
    correct: Whether it is right, bools.
    n_bins: Into how many bins of equal width probabilities are put.
    RETURNS: "bins", "ece", "brier", "log_loss", "count", and in "labels" for each label
        "ece", "brier" and "count"; None if nothing was found.
    """
    scores, correct = as_arrays(scores, correct)
    if not len(scores):
        return None
    names = numpy.asarray(labels)
    parts = {str(name): names == name for name in sorted(set(names.tolist()))}
    return {
        "bins": [asdict(each) for each in reliability_bins(scores, correct, n_bins)],
        **_summary(scores, correct, n_bins),
        "log_loss": log_loss(scores, correct),
        "labels": {
            name: _summary(scores[part], correct[part], n_bins)
            for name, part in parts.items()
        },
    }


def _summary(
    scores: numpy.ndarray, correct: numpy.ndarray, n_bins: int
) -> dict[str, Any]:
    return {
        "ece": expected_calibration_error(scores, correct, n_bins),
        "brier": brier_score(scores, correct),
        "count": len(scores),
    }


def as_arrays(scores: Any, correct: Any) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Check probabilities and what they are compared with.

    correct: Whether each entity is right.
    RETURNS: Both as arrays, float64 and bool.
    RAISES (ValueError): If they differ in length, or a score is no probability.
    """
    scores, correct = numpy.asarray(scores, "float64"), numpy.asarray(correct, bool)
    if scores.shape != correct.shape:
        raise ValueError(
            f"There are {scores.size} scores, but {correct.size} entities that are "
            "right or wrong: give one score for each."
        )
    # Sums of probabilities in float32 may end a little above 1.
    outside = ~((scores >= 0) & (scores <= 1 + 1e-4))
    if outside.any():
        raise ValueError(
            f"A score is {scores[outside][0]}, but probabilities are from 0 to 1."
        )
    return scores.clip(0, 1), correct


def reliability_bins(
    scores: numpy.ndarray, correct: numpy.ndarray, n_bins: int = N_BINS
) -> list[Bin]:
    """Put entities into bins of equal width by their probabilities.

    correct: Whether each entity is right, bools.
    RETURNS: All bins, from 0 to 1, the empty ones as well.
    """
    boundaries = numpy.linspace(0, 1, n_bins + 1)
    place = numpy.searchsorted(boundaries[1:-1], scores, side="left")
    counts = numpy.bincount(place, minlength=n_bins)
    sums = numpy.bincount(place, weights=scores, minlength=n_bins)
    right = numpy.bincount(place, weights=correct, minlength=n_bins)
    return [
        Bin(
            float(boundaries[index]),
            float(boundaries[index + 1]),
            int(count),
            float(sums[index] / count) if count else None,
            float(right[index] / count) if count else None,
        )
        for index, count in enumerate(counts)
    ]


def expected_calibration_error(
    scores: numpy.ndarray, correct: numpy.ndarray, n_bins: int = N_BINS
) -> float:
    """The mean distance between confidence and accuracy of the bins, weighted by their
    entities.

    correct: Whether each entity is right, bools.
    RETURNS: The error, 0 (good) to 1.
    """
    gaps = [
        each.count * abs(each.confidence - each.accuracy)
        for each in reliability_bins(scores, correct, n_bins)
        if each.confidence is not None and each.accuracy is not None
    ]
    return float(sum(gaps) / max(1, len(scores)))


def brier_score(scores: numpy.ndarray, correct: numpy.ndarray) -> float:
    """The mean squared distance of probabilities from 1 for what is right and 0 for
    what is wrong (Brier 1950).

    correct: Whether each entity is right, bools.
    RETURNS: The score, 0 (good) to 1.
    """
    return float(numpy.mean((scores - correct) ** 2)) if len(scores) else 0.0


def log_loss(scores: numpy.ndarray, correct: numpy.ndarray) -> float:
    """The mean negative log-probability of what is the case.

    A score of 1 of a wrong entity counts as the closest number below 1 in float32, of
    which scores are made.

    correct: Whether each entity is right, bools.
    """
    if not len(scores):
        return 0.0
    smallest = float(numpy.finfo("float32").epsneg)
    of_the_case = numpy.where(correct, scores, 1 - scores)
    return float(-numpy.log(of_the_case.clip(smallest, 1)).mean())
