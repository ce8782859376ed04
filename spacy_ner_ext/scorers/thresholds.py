"""Precision and recall over the threshold on probabilities.

All functions take the probability of each predicted entity, whether it is right, and
the number of gold entities. As in the components, an entity is kept if its probability
is at least the threshold.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy

from .reliability import as_arrays

# Cannot be a label.
ALL = "(all)"
MAX_POINTS = 200
# Thresholds are rounded to so many digits where this keeps the same entities.
DIGITS = 4


@dataclass(frozen=True)
class Point:
    """The scores of the entities whose probability is at least a threshold."""

    threshold: float
    p: float  # precision
    r: float  # recall, 0 without gold
    f: float  # F-score
    kept: int


def threshold_curves(
    scores: Sequence[float] | numpy.ndarray,
    correct: Sequence[bool] | numpy.ndarray,
    labels: Sequence[str] | numpy.ndarray,
    gold: Mapping[str, int],
    max_points: int = MAX_POINTS,
) -> dict[str, Any] | None:
    """Compute "curves" of precision and recall over the threshold, and the "best"
    thresholds by F-score, each for "(all)" and each predicted label; None without
    entities."""
    parts = split_by_label(scores, correct, labels, gold)
    if not parts:
        return None
    parts[ALL] = (*as_arrays(scores, correct), sum(gold.values()))
    curves, best = {}, {}
    for name, points in {key: curve(*part) for key, part in parts.items()}.items():
        best[name] = asdict(best_point(points))
        curves[name] = [asdict(point) for point in thin(points, max_points)]
    return {"curves": curves, "best": best}


def split_by_label(
    scores: Any, correct: Any, labels: Any, gold: Mapping[str, int]
) -> dict[str, tuple[numpy.ndarray, numpy.ndarray, int]]:
    """Split entities by label into scores, correctness and number of gold entities."""
    scores, correct = as_arrays(scores, correct)
    names = numpy.asarray(labels)
    found = {str(name): names == name for name in sorted(set(names.tolist()))}
    return {
        name: (scores[part], correct[part], gold.get(name, 0))
        for name, part in found.items()
    }


def curve(scores: numpy.ndarray, correct: numpy.ndarray, n_gold: int) -> list[Point]:
    """Compute precision and recall at every threshold that makes a difference, in
    increasing order; the first is 0 and keeps all entities."""
    values = numpy.unique(scores)
    ordered = numpy.argsort(-scores, kind="stable")
    kept = numpy.searchsorted(-scores[ordered], -values, side="right")
    right = numpy.cumsum(correct[ordered])[kept - 1]
    precision = right / kept
    recall = right / max(1, n_gold)
    fscore = 2 * right / (kept + n_gold)
    columns = _between(values), precision, recall, fscore, kept
    return [Point(*row) for row in zip(*(each.tolist() for each in columns))]


def _between(values: numpy.ndarray) -> numpy.ndarray:
    """Thresholds halfway between neighboring values, so that they do not depend on
    noise in the last digit."""
    low, high = values[:-1], values[1:]
    middle = low + (high - low) / 2
    middle = numpy.where(middle > low, middle, high)
    short = middle.round(DIGITS)
    middle = numpy.where((short > low) & (short <= high), short, middle)
    return numpy.concatenate([[0.0], middle])


def best_point(points: Sequence[Point]) -> Point:
    """The point with the best F-score; with the lowest threshold if several have it."""
    return max(points, key=lambda point: (point.f, -point.threshold))


def lowest_for_precision(points: Sequence[Point], precision: float) -> Point | None:
    """The point of the lowest threshold that reaches a precision; None if none does."""
    return next((point for point in points if point.p >= precision), None)


def thin(points: Sequence[Point], max_points: int = MAX_POINTS) -> list[Point]:
    """Reduce a curve evenly to 3 or more points, with its ends and its best point."""
    if len(points) <= max_points:
        return list(points)
    places = numpy.linspace(0, len(points) - 1, max_points - 1).round().astype(int)
    best = points.index(best_point(points))
    return [points[place] for place in sorted({*places.tolist(), best})]
