"""Fitting thresholds to predicted entities."""

import math

import numpy

from spacy_ner_ext.tools.calibrate.fit import fit_thresholds
from tests.helpers.logits import Logits


def test_thresholds_by_label_reach_the_precision_where_they_can():
    logits = numpy.array([3.0, 2.0, 1.0, 0.0, -1.0, 2.0, 1.0])
    correct = [True, True, False, True, False, False, True]
    evidence = Logits(logits, correct, ["A"] * 5 + ["B"] * 2)
    result = fit_thresholds(evidence, 1.0, 0.75)
    assert (result["A"].reached, result["A"].kept.kept, result["A"].kept.p) == (
        *(True, 4),
        0.75,
    )
    assert 1 / (1 + math.exp(1)) < result["A"].threshold <= 0.5
    assert (result["B"].reached, result["B"].threshold) == (False, 0.0)
    assert (result["B"].best.p, result["B"].kept.kept) == (0.5, 2)
