"""The selection of the best candidates by a filter, against brute force."""

import math

import numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_ner_ext.span_marker.filter import select_spans

# Few different scores, so that many are equal.
SCORES = st.sampled_from([0.0, 0.01, 0.25, 0.5, 0.75, 1.0])


@st.composite
def filtered(draw):
    """Rows, first words, scores and whether each is kept."""
    spans = []
    for row in range(draw(st.integers(0, 3))):
        for word in range(draw(st.integers(1, 6))):
            for _ in range(draw(st.integers(1, 3))):
                spans.append((row, 10 * row + word, draw(SCORES), draw(st.booleans())))
    rows, first, scores, kept = zip(*spans) if spans else ((), (), (), ())
    return (
        numpy.array(rows, "int64"),
        numpy.array(first, "int64"),
        numpy.array(scores, "float32"),
        numpy.array(kept, bool) & draw(st.booleans()),
    )


def best_by_hand(rows, first, scores, ratio, threshold, kept):
    chosen = {i for i in range(len(rows)) if kept[i]}
    for row in set(rows.tolist()):
        own = [i for i in range(len(rows)) if rows[i] == row]
        budget = max(4, math.ceil(ratio * len({first[i] for i in own})))
        free = [i for i in own if not kept[i] and scores[i] >= threshold]
        chosen.update(sorted(free, key=lambda i: (-scores[i], i))[:budget])
    return sorted(chosen)


@settings(deadline=None, max_examples=60)
@given(
    filtered(),
    st.sampled_from([0.01, 0.3, 0.5, 1.0, 2.5]),
    st.sampled_from([0.0, 0.25, 0.5, 0.9]),
)
def test_the_best_of_each_window_are_chosen(spans, ratio, threshold):
    rows, first, scores, kept = spans
    before = kept.copy()
    chosen = select_spans(rows, first, scores, ratio, threshold, kept)
    assert chosen.dtype == bool and (kept == before).all()
    expected = best_by_hand(rows, first, scores, ratio, threshold, kept)
    assert numpy.flatnonzero(chosen).tolist() == expected


@settings(deadline=None, max_examples=60)
@given(filtered(), st.sampled_from([0.01, 0.5]))
def test_the_selection_does_not_depend_on_other_windows(spans, ratio):
    rows, first, scores, kept = spans
    together = select_spans(rows, first, scores, ratio, 0.1, kept)
    for row in set(rows.tolist()):
        own = rows == row
        parts = (rows[own] * 0, first[own], scores[own], ratio, 0.1, kept[own])
        assert (select_spans(*parts) == together[own]).all()


def test_a_window_has_at_least_four_and_the_earlier_of_equals():
    rows, first = numpy.zeros(8, "int64"), numpy.array([0, 0, 1, 2, 3, 4, 5, 6])
    scores = numpy.array([0.4, 0.7, 0.7, 0.2, 0.5, 0.6, 0.4, 0.9], "float32")
    nothing = numpy.zeros(8, bool)
    few, more, all_ = [1, 2, 5, 7], [1, 2, 4, 5, 7], [0, 1, 2, 4, 5, 6, 7]
    for ratio, expected in [(0.001, few), (0.67, more), (1.0, all_)]:
        chosen = select_spans(rows, first, scores, ratio, 0.3, nothing)
        assert numpy.flatnonzero(chosen).tolist() == expected
    assert not select_spans(rows, first, scores, 1.0, 0.95, nothing).any()
