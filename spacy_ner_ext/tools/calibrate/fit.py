"""Fit thresholds to predicted entities, and measure their probabilities."""

from dataclasses import dataclass

from ...scorers.reliability import brier_score, expected_calibration_error, log_loss
from ...scorers.thresholds import Point, curve, lowest_for_precision, split_by_label
from .evidence import Evidence


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
