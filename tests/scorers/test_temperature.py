"""Fitting a temperature to predicted entities."""

import math

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_ner_ext.scorers.reliability import log_loss
from spacy_ner_ext.scorers.temperature import fit_temperature, minimize
from tests.helpers.logits import Logits


@settings(max_examples=30, deadline=None)
@given(st.floats(-1.2, 1.2), st.integers(0, 100))
def test_the_temperature_undoes_a_factor_on_the_scores(log_factor, seed):
    rng = numpy.random.default_rng(seed)
    logits = rng.normal(0.5, 1.5, 4000)
    correct = rng.random(4000) < 1 / (1 + numpy.exp(-logits))
    factor = math.exp(log_factor)
    evidence = Logits(logits * factor, correct)
    fitted_ = fit_temperature(evidence.scores, correct)
    assert fitted_ == pytest.approx(factor, rel=0.15)
    best = log_loss(evidence.scores(fitted_), correct)
    for other in (0.5, 0.9, 1.1, 2.0):
        assert best <= log_loss(evidence.scores(fitted_ * other), correct)


@given(st.floats(-3, 3), st.floats(0.01, 10))
def test_the_minimum_is_found(place, width):
    at = minimize(lambda x: (x - place) ** 2 / width, -2.3, 2.3)
    assert at == pytest.approx(min(2.3, max(-2.3, place)), abs=2e-3)
