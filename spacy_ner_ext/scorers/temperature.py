"""Temperature scaling (Guo et al. 2017): one number that divides all scores of a model,
chosen for the lowest log loss of "this entity is right"."""

import math
from collections.abc import Callable

import numpy

from .reliability import log_loss

# The range of the temperature.
LOWEST, HIGHEST = 0.1, 10.0
# Steps of the grid search, and the tolerance of the logarithm of the temperature.
N_STEPS, TOLERANCE = 16, 2e-3
GOLDEN = (math.sqrt(5) - 1) / 2


def fit_temperature(
    scores: Callable[[float], numpy.ndarray], correct: numpy.ndarray
) -> float:
    """Find the temperature from LOWEST to HIGHEST with the lowest log loss.

    scores: Computes the probability of each entity at a temperature.
    correct: Whether each entity is right.
    """

    def loss(logarithm: float) -> float:
        return log_loss(scores(math.exp(logarithm)), correct)

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
