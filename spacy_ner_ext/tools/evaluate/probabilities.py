"""Calibration and thresholds of the probabilities of predictions."""

from array import array
from collections import Counter
from typing import Any

import numpy

from ...scorers.reliability import reliability
from ...scorers.thresholds import threshold_curves


class Probabilities:
    """Collects the probability of each prediction, and whether it is correct.

    `gold` counts the gold labels, `without` the predictions without a probability, such
    as those of an entity ruler, which are left out.
    """

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self._scores, self._labels = array("d"), array("q")
        self._correct = array("b")
        self.gold: Counter[str] = Counter()
        self.without = 0

    def add(self, label: str, score: float | None, correct: bool) -> None:
        """Add a prediction."""
        if score is None:
            self.without += 1
            return
        self._scores.append(score)
        self._labels.append(self._ids.setdefault(label, len(self._ids)))
        self._correct.append(correct)

    def result(self) -> dict[str, Any]:
        """The parts "thresholds" and "calibration", None without probabilities."""
        scores, correct = numpy.array(self._scores), numpy.array(self._correct, "bool")
        names = numpy.array(list(self._ids), dtype=object)
        labels = names[numpy.array(self._labels, "int64")]
        return {
            "thresholds": threshold_curves(scores, correct, labels, self.gold),
            "calibration": reliability(scores, correct, labels),
        }
