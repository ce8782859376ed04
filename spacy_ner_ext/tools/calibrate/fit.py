"""Fit a temperature and thresholds to predicted entities.

Temperature scaling (Guo et al. 2017) divides all scores of a model by one number. It
minimizes the log loss of "this entity is right" over the predicted entities.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from ...scorers.reliability import brier_score, expected_calibration_error, log_loss
from ...scorers.thresholds import Point, curve, lowest_for_precision, split_by_label
from .evidence import Evidence

# The range of the temperature.
LOWEST, HIGHEST = 0.1, 10.0
# Steps of the grid search, and the tolerance of the logarithm of the temperature.
N_STEPS, TOLERANCE = 16, 2e-3
GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class Quality:
    """How well probabilities match the share of entities that are right."""

    ece: float  # expected calibration error
    brier: float
    log_loss: float


@dataclass(frozen=True)
class LabelThreshold:
    """The threshold of a label, and the scores there."""

    threshold: float  # 0 if none reaches the precision
    reached: bool
    kept: Point
    best: Point  # with the highest precision
    without: Point  # without a threshold


def measure(evidence: Evidence, temperature: float) -> Quality:
    scores, correct = evidence.scores(temperature).clip(0, 1), evidence.correct
    measures = expected_calibration_error, brier_score, log_loss
    return Quality(*(each(scores, correct) for each in measures))


def fit_temperature(evidence: Evidence) -> float:
    """Find the temperature from LOWEST to HIGHEST with the lowest log loss."""
    correct = evidence.correct

    def loss(logarithm: float) -> float:
        return log_loss(evidence.scores(math.exp(logarithm)), correct)

    return math.exp(minimize(loss, math.log(LOWEST), math.log(HIGHEST)))


def minimize(function: Callable[[float], float], low: float, high: float) -> float:
    """Find the minimum of a function by a grid search, followed by a golden-section
    search (Kiefer 1953) around its best point."""
    width = (high - low) / N_STEPS
    grid = [low + width * step for step in range(N_STEPS + 1)]
    best = min(grid, key=function)
    left, right = max(low, best - width), min(high, best + width)
    while right - left > TOLERANCE:
        inner = right - GOLDEN * (right - left), left + GOLDEN * (right - left)
        if function(inner[0]) <= function(inner[1]):
            right = inner[1]
        else:
            left = inner[0]
    return (left + right) / 2


def fit_thresholds(
    evidence: Evidence, temperature: float, precision: float
) -> dict[str, LabelThreshold]:
    """Find the lowest threshold that reaches a precision, for each predicted label."""
    found = evidence.scores(temperature), evidence.correct, evidence.labels
    thresholds = {}
    for label, part in split_by_label(*found, evidence.gold).items():
        points = curve(*part)
        best = max(points, key=lambda point: point.p)
        point = lowest_for_precision(points, precision)
        kept, reached = point or points[0], point is not None
        thresholds[label] = LabelThreshold(
            kept.threshold, reached, kept, best, points[0]
        )
    return thresholds
