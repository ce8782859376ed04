"""Odds of changes, learned from errors put into gold."""

import random

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_ner_ext.tools.audit.agreement import Agreement
from spacy_ner_ext.tools.audit.changes import Change
from spacy_ner_ext.tools.audit.judge import JudgedDoc, wrong_copies
from spacy_ner_ext.tools.audit.ranking import Evidence, Ranking, fit, put_errors

ROME, ROME_AS_PER, OLD_ROME = (4, 5, "LOC"), (4, 5, "PER"), (3, 5, "LOC")


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_the_regression_is_at_the_minimum_of_its_loss(seed):
    rng = numpy.random.default_rng(seed)
    x, prior = rng.normal(size=(40, 3)) * 3, rng.normal(size=3)
    y, weights = rng.random(40) < 0.4, rng.random(40)

    def loss(b):
        logits = x @ b
        likelihood = numpy.logaddexp(0, logits) - y * logits
        return weights @ likelihood + ((b - prior) ** 2).sum() / 2

    found = fit(x, y, weights, prior)
    best = loss(found)
    for step in (0.01, 0.1, 1):
        assert all(loss(found + step * rng.normal(size=3)) > best for _ in range(20))


def test_without_examples_the_regression_is_the_prior():
    prior = numpy.array([1.0, 2.0])
    nothing = numpy.zeros((0, 2))
    assert fit(nothing, numpy.zeros(0, bool), numpy.zeros(0), prior) == pytest.approx(
        prior
    )


def evidence(kind, new, old, as_gold=0, as_suggested=0):
    change = Change(kind, (), (0, 1, "A"), old, new)
    return Evidence(change, Agreement(as_gold, as_suggested, 0, 0))


def test_without_examples_the_odds_are_those_of_the_probabilities():
    ranking = Ranking([], [], 1.0)
    low, high = evidence("missing", 0.2, 0.5), evidence("missing", 0.4, 0.5)
    assert ranking.odds(high) == pytest.approx(2 * ranking.odds(low))


def test_the_odds_follow_the_examples():
    """Agreement counts where it distinguishes errors from what gold is like."""
    rng = random.Random(0)
    uniform = [rng.random() for _ in range(400)]
    put = [evidence("wrong label", p, 1 - p, 0, 5) for p in uniform]
    real = [evidence("wrong label", p, 1 - p, 5, 0) for p in uniform]
    ranking = Ranking(real, put, 1.0)
    as_put, as_real = put[0], evidence("wrong label", uniform[0], 1 - uniform[0], 5, 0)
    assert ranking.odds(as_put) > 20 * ranking.odds(as_real)


def test_twice_as_many_examples_of_a_sample_mean_the_same_odds():
    put = [evidence("missing", p / 100, 0.3) for p in range(100)]
    real = [evidence("missing", p / 200, 0.7) for p in range(100)]
    whole = Ranking(real, put, 1.0).odds(put[50])
    assert Ranking(real, put[::2], 0.5).odds(put[50]) == pytest.approx(whole, rel=0.05)


def test_errors_put_into_gold_are_corrected_by_their_changes():
    probabilities = {ROME: 0.7, OLD_ROME: 0.1, ROME_AS_PER: 0.05, (9, 10, "PER"): 0.9}
    copies = [(ROME, ROME_AS_PER), (ROME, (4, 6, "LOC"))]
    probabilities[4, 6, "LOC"] = 1e-9
    doc = JudgedDoc(0, [ROME], copies, probabilities)
    assert (4, 6, "LOC") not in doc.likely
    found = {change.kind: change for change in put_errors(doc)}
    assert found.keys() == {"missing", "wrong label", "wrong boundary"}
    assert all(change.suggested == ROME for change in found.values())
    assert found["wrong label"].gold == (ROME_AS_PER,)
    assert found["wrong boundary"].gold_probability == 1e-9


SPANS = st.lists(st.tuples(st.integers(0, 8), st.integers(1, 3)), max_size=4)


@given(SPANS, st.integers(0, 99))
def test_wrong_copies_are_wrong_in_one_way_and_overlap_no_other(drawn, seed):
    gold, end = [], 0
    for gap, size in drawn:
        gold.append((end + gap, end + gap + size, "A"))
        end += gap + size
    for span, copy in wrong_copies(gold, end, ["A", "B"], random.Random(seed)):
        assert (copy[:2] == span[:2]) != (copy[2] == span[2])
        moved = abs(copy[0] - span[0]) + abs(copy[1] - span[1])
        assert moved == (copy[2] == span[2]) and 0 <= copy[0] < copy[1] <= end
        others = [other for other in gold if other != span]
        assert all(copy[1] <= other[0] or other[1] <= copy[0] for other in others)
