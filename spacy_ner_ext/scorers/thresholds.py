"""What a threshold on probabilities does to precision and recall.

Over arrays: the probability of each entity that was found, and whether it was right;
and the number of gold entities. An entity is kept if its probability is at least the
threshold, as in the components.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy

from .reliability import as_arrays

# No label is called so.
ALL = "(all)"
MAX_POINTS = 200
# Digits that a threshold is rounded to where this keeps the same entities.
DIGITS = 4


@dataclass(frozen=True)
class Point:
    """What one threshold gives.

    threshold: Entities of a lower probability are dropped.
    p: Precision of what is kept.
    r: Recall; 0 if there is no gold.
    f: F-score.
    kept: How many entities are kept.
    """

    threshold: float
    p: float
    r: float
    f: float
    kept: int

    def to_dict(self) -> dict[str, Any]:
        """The point, for JSON."""
        return asdict(self)


def threshold_curves(
    scores: Sequence[float] | numpy.ndarray,
    correct: Sequence[bool] | numpy.ndarray,
    labels: Sequence[str] | numpy.ndarray,
    gold: Mapping[str, int],
    max_points: int = MAX_POINTS,
) -> dict[str, Any] | None:
    """Precision and recall over the threshold, and the best thresholds by F-score.

    scores: The probability of each entity that was found.
    correct: Whether it is right, bools.
    gold: The number of gold entities of each label.
    max_points: How many points a curve has at most.
    RETURNS: "curves" and "best", each for "(all)" and for each label that was found;
        None if nothing was found.
    """
    parts = split_by_label(scores, correct, labels, gold)
    if not parts:
        return None
    # A label of this name gives way.
    parts[ALL] = (*as_arrays(scores, correct), sum(gold.values()))
    curves, best = {}, {}
    for name, points in {key: curve(*part) for key, part in parts.items()}.items():
        best[name] = best_point(points).to_dict()
        curves[name] = [point.to_dict() for point in thin(points, max_points)]
    return {"curves": curves, "best": best}


def split_by_label(
    scores: Any, correct: Any, labels: Any, gold: Mapping[str, int]
) -> dict[str, tuple[numpy.ndarray, numpy.ndarray, int]]:
    """Take entities of different labels apart.

    RETURNS: For each label that was found the scores, whether they are right, and the
        number of gold entities.
    """
    scores, correct = as_arrays(scores, correct)
    names = numpy.asarray(labels)
    found = {str(name): names == name for name in sorted(set(names.tolist()))}
    return {
        name: (scores[part], correct[part], gold.get(name, 0))
        for name, part in found.items()
    }


def curve(scores: numpy.ndarray, correct: numpy.ndarray, n_gold: int) -> list[Point]:
    """Precision and recall at every threshold that keeps other entities.

    scores: The probabilities, at least one.
    correct: Whether each entity is right, bools.
    n_gold: The number of gold entities.
    RETURNS: By rising threshold; the first is 0 and keeps all.
    """
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
    """For each value a threshold that it reaches and the one before does not: between
    both, so that noise of the last digit decides nothing."""
    low, high = values[:-1], values[1:]
    middle = low + (high - low) / 2
    middle = numpy.where(middle > low, middle, high)
    short = middle.round(DIGITS)
    middle = numpy.where((short > low) & (short <= high), short, middle)
    return numpy.concatenate([[0.0], middle])


def best_point(points: Sequence[Point]) -> Point:
    """The point of the best F-score; of equal ones the lowest threshold."""
    return max(points, key=lambda point: (point.f, -point.threshold))


def lowest_for_precision(points: Sequence[Point], precision: float) -> Point | None:
    """The point of the lowest threshold that reaches a precision, which has the best
    recall of those that do.

    precision: The precision, 0 to 1.
    RETURNS: The point; None if no threshold reaches it.
    """
    return next((point for point in points if point.p >= precision), None)


def thin(points: Sequence[Point], max_points: int = MAX_POINTS) -> list[Point]:
    """Leave out points of a curve, evenly; its ends and its best point stay.

    max_points: How many are left at most, 3 or more.
    RETURNS: The points, in the same order.
    """
    if len(points) <= max_points:
        return list(points)
    places = numpy.linspace(0, len(points) - 1, max_points - 1).round().astype(int)
    best = points.index(best_point(points))
    return [points[place] for place in sorted({*places.tolist(), best})]
