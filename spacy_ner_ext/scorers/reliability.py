"""How well probabilities match the share of entities that are right.

Reliability diagrams and the expected calibration error (ECE) after Naeini et al. 2015
and Guo et al. 2017, Brier score and log loss. All take the probability of each
predicted entity and whether it is right.
"""

from collections.abc import Sequence
from typing import Any

import numpy

# As in Guo et al.
N_BINS = 15


def reliability(
    scores: Sequence[float] | numpy.ndarray,
    correct: Sequence[bool] | numpy.ndarray,
    labels: Sequence[str] | numpy.ndarray,
    n_bins: int = N_BINS,
) -> dict[str, Any] | None:
    """Compare probabilities with the share of entities that are right: "bins", "ece",
    "brier", "log_loss", "count", and "labels" with "ece", "brier" and "count" of each;
    None without entities."""
    scores, correct = as_arrays(scores, correct)
    if not len(scores):
        return None
    names = numpy.asarray(labels)
    parts = {str(name): names == name for name in sorted(set(names.tolist()))}
    return {
        "bins": reliability_bins(scores, correct, n_bins),
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
    """Convert to arrays of the same length, float64 probabilities and bool."""
    scores, correct = numpy.asarray(scores, "float64"), numpy.asarray(correct, bool)
    if scores.shape != correct.shape:
        raise ValueError(
            f"There are {scores.size} scores, but {correct.size} entities that are "
            "right or wrong: pass one score for each."
        )
    # Sums of probabilities in float32 may exceed 1 slightly.
    outside = ~((scores >= 0) & (scores <= 1 + 1e-4))
    if outside.any():
        raise ValueError(
            f"A score is {scores[outside][0]}: pass probabilities from 0 to 1."
        )
    return scores.clip(0, 1), correct


def reliability_bins(
    scores: numpy.ndarray, correct: numpy.ndarray, n_bins: int = N_BINS
) -> list[dict[str, Any]]:
    """Group entities into bins of equal width by their probabilities: "low" (exclusive,
    but 0 is in the first bin), "high", "count", and, None in empty bins, "confidence"
    (mean probability) and "accuracy" (share of entities that are right)."""
    boundaries = numpy.linspace(0, 1, n_bins + 1)
    place = numpy.searchsorted(boundaries[1:-1], scores, side="left")
    counts = numpy.bincount(place, minlength=n_bins)
    sums = numpy.bincount(place, weights=scores, minlength=n_bins)
    right = numpy.bincount(place, weights=correct, minlength=n_bins)
    return [
        {
            "low": float(boundaries[i]),
            "high": float(boundaries[i + 1]),
            "count": int(count),
            "confidence": float(sums[i] / count) if count else None,
            "accuracy": float(right[i] / count) if count else None,
        }
        for i, count in enumerate(counts)
    ]


def expected_calibration_error(
    scores: numpy.ndarray, correct: numpy.ndarray, n_bins: int = N_BINS
) -> float:
    """The mean difference between confidence and accuracy of the bins, weighted by
    their counts, 0 (good) to 1."""
    gaps = [
        each["count"] * abs(each["confidence"] - each["accuracy"])
        for each in reliability_bins(scores, correct, n_bins)
        if each["count"]
    ]
    return float(sum(gaps) / max(1, len(scores)))


def brier_score(scores: numpy.ndarray, correct: numpy.ndarray) -> float:
    """The mean squared error of probabilities (Brier 1950), 0 (good) to 1."""
    return float(numpy.mean((scores - correct) ** 2)) if len(scores) else 0.0


def log_loss(scores: numpy.ndarray, correct: numpy.ndarray) -> float:
    """The mean negative log-probability of the outcomes."""
    if not len(scores):
        return 0.0
    # A wrong entity with score 1 counts as the largest float32 below 1.
    smallest = float(numpy.finfo("float32").epsneg)
    outcomes = numpy.where(correct, scores, 1 - scores)
    return float(-numpy.log(outcomes.clip(smallest, 1)).mean())
