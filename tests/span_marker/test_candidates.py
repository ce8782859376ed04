"""Spans without overlap, against brute force."""

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_ner_ext.span_marker.candidates import Spans, without_overlap

# Few different scores, so that many are equal.
SCORES = st.sampled_from([0.0, 0.01, 0.25, 0.5, 0.75, 1.0])


def make_spans(first, last):
    first, last = numpy.array(first, "int64"), numpy.array(last, "int64")
    zeros = numpy.zeros(len(first), "int64")
    return Spans(zeros, first, last, zeros, zeros, zeros)


@st.composite
def overlapping(draw):
    n_words = draw(st.integers(1, 12))
    word = st.integers(0, n_words - 1)
    boundaries = draw(st.lists(st.tuples(word, word).map(sorted), max_size=15))
    scores = [draw(SCORES) for _ in boundaries]
    return n_words, boundaries, scores


@settings(deadline=None, max_examples=60)
@given(overlapping())
def test_spans_without_overlap_are_taken_greedily(case):
    n_words, boundaries, scores = case
    spans = make_spans([a for a, _ in boundaries], [b for _, b in boundaries])
    free = set(range(n_words))
    expected = []
    for i in sorted(range(len(boundaries)), key=lambda i: (-scores[i], i)):
        words = set(range(boundaries[i][0], boundaries[i][1] + 1))
        if words <= free:
            free -= words
            expected.append(i)
    found = without_overlap(spans, numpy.array(scores, "float32"))
    assert found.tolist() == sorted(expected)


@pytest.mark.parametrize("order,expected", [([0, 1, 2], [0, 2]), ([1, 0, 2], [0])])
def test_of_equal_scores_the_earlier_span_is_taken(order, expected):
    """Also if it is the shorter one, or makes room for fewer."""
    boundaries = numpy.array([(0, 1), (1, 2), (2, 3)])[order]
    spans = make_spans(*boundaries.T)
    scores = numpy.full(3, 0.5, "float32")
    found = without_overlap(spans, scores)
    assert found.tolist() == expected


def test_no_spans_are_no_entities():
    nothing = numpy.zeros(0, "float32")
    assert without_overlap(make_spans([], []), nothing).tolist() == []
