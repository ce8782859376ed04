"""Bins, errors and losses against their definitions."""

import math

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_ner_ext.scorers.reliability import log_loss, reliability

found = st.lists(
    st.tuples(st.floats(0, 1), st.booleans(), st.sampled_from(["A", "B"])),
    min_size=1,
    max_size=30,
)


def by_definition(rows, n_bins):
    """The sum over the bins (low, high] of share times distance."""
    error = 0.0
    for index in range(n_bins):
        low, high = numpy.linspace(0, 1, n_bins + 1)[index : index + 2]
        inside = [
            row for row in rows if low < row[0] <= high or row[0] == index == low == 0
        ]
        if inside:
            confidence = sum(score for score, *_ in inside) / len(inside)
            accuracy = sum(right for _, right, _ in inside) / len(inside)
            error += len(inside) / len(rows) * abs(confidence - accuracy)
    return error


@given(found, st.integers(1, 20))
def test_errors_are_as_defined(rows, n_bins):
    result = reliability(*zip(*rows), n_bins=n_bins)
    assert result["count"] == len(rows)
    assert sum(each["count"] for each in result["bins"]) == len(rows)
    assert result["ece"] == pytest.approx(by_definition(rows, n_bins))
    brier = sum((score - right) ** 2 for score, right, _ in rows) / len(rows)
    assert result["brier"] == pytest.approx(brier)
    for label, part in result["labels"].items():
        own = [row for row in rows if row[2] == label]
        assert part["count"] == len(own)
        assert part["ece"] == pytest.approx(by_definition(own, n_bins))


def test_bins_include_their_upper_boundary_and_the_first_includes_zero():
    result = reliability([0.0, 0.25, 0.5, 0.6, 1.0], [0, 0, 1, 1, 1], ["A"] * 5, 4)
    assert [each["count"] for each in result["bins"]] == [2, 1, 1, 1]
    assert result["bins"][0]["confidence"] == pytest.approx(0.125)
    empty = reliability([0.9], [True], ["A"], 2)["bins"][0]
    assert (empty["confidence"], empty["accuracy"]) == (None, None)


def test_log_loss_of_outcomes():
    loss = log_loss(numpy.array([0.8, 0.3]), numpy.array([True, False]))
    assert loss == pytest.approx(-(math.log(0.8) + math.log(0.7)) / 2)
    certain = log_loss(numpy.array([1.0]), numpy.array([False]))
    assert 10 < certain < 20, "a certain mistake costs much, but not all"


def test_without_entities_there_is_no_result():
    assert reliability([], [], []) is None


def test_scores_that_are_not_probabilities_are_errors():
    with pytest.raises(ValueError, match=r"A score is 1\.5"):
        reliability([1.5], [True], ["A"])
    with pytest.raises(ValueError, match=r"A score is nan"):
        reliability([float("nan")], [True], ["A"])
    with pytest.raises(ValueError, match="There are 2 scores, but 1 entities"):
        reliability([0.5, 0.5], [True], ["A", "A"])
