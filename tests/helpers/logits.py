"""Predicted entities with given logits, to fit a temperature to."""

import numpy

from spacy_ner_ext.pipes.predictions import Predictions
from spacy_ner_ext.tools.calibrate.evidence import Evidence


class Logits(Evidence):
    """Entities whose probabilities follow from one number each."""

    def __init__(self, logits, correct, labels=None):
        labels = ["A"] * len(logits) if labels is None else labels
        spans = [(0, i, i + 1, label) for i, label in enumerate(labels)]
        found = Predictions(spans, lambda t: 1 / (1 + numpy.exp(-logits / t)))
        everything = numpy.arange(len(logits))
        super().__init__(
            _found=[found],
            _counted=[everything],
            _correct=list(correct),
            _labels=list(labels),
        )
        self.gold.update(labels)
