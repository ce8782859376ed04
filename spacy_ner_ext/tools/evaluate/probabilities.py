"""Are probabilities right, and what would a threshold on them do?"""

from __future__ import annotations

from array import array
from collections import Counter
from typing import Any

import numpy

from ...scorers.reliability import reliability
from ...scorers.thresholds import threshold_curves
from .entity_records import ScoredDoc


class Probabilities:
    """Collects the probability of each prediction, and whether it is right.

    Predictions without a probability, such as those of an entity ruler, are left out
    and counted in `without`.
    """

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self._scores, self._labels = array("d"), array("q")
        self._correct = array("b")
        self._gold: Counter[str] = Counter()
        self.without = 0

    def add(self, judged: ScoredDoc) -> None:
        """Take the predictions of a document."""
        left = {entity.key for entity in judged.record.gold}
        self._gold.update(label for *_, label in left)
        for entity in judged.record.predicted:
            self.without += entity.score is None
            if entity.score is not None:
                self._scores.append(entity.score)
                self._labels.append(self._ids.setdefault(entity.label, len(self._ids)))
                self._correct.append(entity.key in left)
            left.discard(entity.key)

    def result(self) -> dict[str, Any]:
        """ "thresholds" and "calibration"; None if no
        prediction has a probability.
        """
        scores, correct = numpy.array(self._scores), numpy.array(self._correct, "bool")
        names = numpy.array(list(self._ids), dtype=object)
        labels = names[numpy.array(self._labels, "int64")]
        return {
            "thresholds": threshold_curves(scores, correct, labels, self._gold),
            "calibration": reliability(scores, correct, labels),
        }
