"""Find the temperature at which probabilities tell how often entities are right.

Temperature scaling (Guo et al. 2017): one number divides all scores of a model. What is
minimized is the log loss of "this entity is right", over the entities that are found,
since that is how their probabilities are read.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from ...scorers.reliability import log_loss
from .evidence import Evidence

# Where a temperature is looked for.
LOWEST, HIGHEST = 0.1, 10.0
# The steps of the first, coarse look, and how exact the logarithm becomes.
N_STEPS, TOLERANCE = 16, 2e-3
GOLDEN = (math.sqrt(5) - 1) / 2


def fit_temperature(evidence: Evidence) -> float:
    """Find the temperature of the lowest log loss.

    evidence: What was found, and whether it is right.
    RETURNS: The temperature, from LOWEST to HIGHEST.
    """
    correct = evidence.correct

    def loss(logarithm: float) -> float:
        return log_loss(evidence.scores(math.exp(logarithm)), correct)

    return math.exp(minimize(loss, math.log(LOWEST), math.log(HIGHEST)))


def minimize(function: Callable[[float], float], low: float, high: float) -> float:
    """Find the minimum of a function: by a grid, and around its best point by a
    golden-section search (Kiefer 1953).
    """
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
