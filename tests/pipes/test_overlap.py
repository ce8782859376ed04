"""The rule for overlapping spans."""

from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc, Span
from spacy.util import filter_spans
from spacy.vocab import Vocab

from spacy_ner_ext.pipes.overlap import longest_first, select_disjoint

N_TOKENS = 12
RANGES = st.tuples(st.integers(0, N_TOKENS - 1), st.integers(1, 5)).map(
    lambda pair: (pair[0], min(N_TOKENS, pair[0] + pair[1]))
)


@given(st.lists(RANGES, max_size=8, unique=True))
def test_longest_first_selects_what_spacy_selects(ranges):
    doc = Doc(Vocab(), words=["w"] * N_TOKENS)
    expected = {(s.start, s.end) for s in filter_spans([Span(doc, *r) for r in ranges])}
    selected = select_disjoint(ranges, longest_first(ranges))
    assert {ranges[i] for i in selected} == expected


@given(st.lists(RANGES, max_size=8), st.randoms())
def test_each_left_out_span_overlaps_a_preferred_one(ranges, random):
    order = list(range(len(ranges)))
    random.shuffle(order)
    selected = select_disjoint(ranges, order)
    assert selected == [i for i in order if i in selected]
    for position, i in enumerate(order):
        before = [ranges[j] for j in order[:position] if j in selected]
        overlaps = any(a < ranges[i][1] and ranges[i][0] < b for a, b in before)
        assert overlaps == (i not in selected)


def test_taken_tokens_stay_free_and_selected_ones_are_added():
    taken = {3}
    assert select_disjoint([(0, 2), (2, 4)], [1, 0], taken) == [0]
    assert taken == {0, 1, 3}
