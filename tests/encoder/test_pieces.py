"""Pieces, windows and batches against brute force."""

from functools import cache

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_ner_ext.encoder.pieces import (
    Pieces,
    Specials,
    cut_windows,
    cut_words,
    make_batches,
)
from tests.helpers.encoders import (
    BERT_NAMES,
    byte_level,
    make_tokenizer,
    unigram,
    wordpiece,
)

LENGTHS = st.lists(st.integers(0, 40), max_size=8)
SPECIALS = st.sampled_from(
    [
        Specials([101], [102], 0),
        Specials([], [], 0),
        Specials([], [102], 7),
        Specials([101, 103], [102, 104, 105], 1),
    ]
)


@st.composite
def windows_and_strides(draw):
    window = draw(st.integers(1, 12))
    return window, draw(st.integers(1, window))


def pieces_of(docs):
    """Pieces with ids from 1000, for documents given as numbers of pieces of words."""
    counts = [n for words in docs for n in words]
    tokens = numpy.repeat(numpy.arange(len(counts)), counts).astype("int64")
    lengths = numpy.array([sum(words) for words in docs], "int64")
    return Pieces(numpy.arange(len(tokens)) + 1000, tokens, lengths, len(counts))


PIECES = st.lists(
    st.lists(st.sampled_from([1, 2, 3, 0, 15]), max_size=8), max_size=5
).map(pieces_of)


def spans_by_hand(lengths, window, stride):
    """(Document, start, end) of the windows that EDS-NLP makes."""
    found, first = [], 0
    for i, n in enumerate(lengths):
        starts = range(0, max(n - (window - stride), 1), stride) if n else []
        found += [(i, first + s, first + min(s + window, n)) for s in starts]
        first += n
    return found


def context(piece, span, boundary):
    """The pieces that a window shows on the shorter side of a piece; a side on which
    the document ends hides nothing."""
    _, start, end = span
    before = numpy.inf if start == boundary[0] else piece - start
    after = numpy.inf if end == boundary[1] else end - 1 - piece
    return min(before, after)


@settings(deadline=None)
@given(LENGTHS, windows_and_strides())
def test_windows_are_those_of_eds_nlp(lengths, sizes):
    windows = cut_windows(numpy.array(lengths, "int64"), *sizes)
    expected = spans_by_hand(lengths, *sizes)
    assert list(zip(windows.starts, windows.ends)) == [span[1:] for span in expected]
    assert all(end - start <= sizes[0] for _, start, end in expected)


@settings(deadline=None)
@given(LENGTHS, windows_and_strides())
def test_each_piece_is_kept_once_from_where_it_is_most_central(lengths, sizes):
    windows = cut_windows(numpy.array(lengths, "int64"), *sizes)
    spans = spans_by_hand(lengths, *sizes)
    ends = numpy.cumsum(lengths)
    owners = [[] for _ in range(sum(lengths))]
    for i in range(len(spans)):
        for piece in range(windows.keep_from[i], windows.keep_to[i]):
            owners[piece].append(i)
    for piece, owner in enumerate(owners):
        assert len(owner) == 1
        doc = spans[owner[0]][0]
        boundary = ends[doc] - lengths[doc], ends[doc]
        seen = {
            i: context(piece, span, boundary)
            for i, span in enumerate(spans)
            if span[1] <= piece < span[2]
        }
        assert seen[owner[0]] == max(seen.values())


@pytest.mark.parametrize("window,stride", [(1, 1), (4, 4), (4, 1), (5, 2)])
def test_no_documents_and_empty_documents_have_no_windows(window, stride):
    for lengths in [], [0], [0, 0]:
        windows = cut_windows(numpy.array(lengths, "int64"), window, stride)
        assert len(windows.starts) == len(windows.keep_to) == 0


@settings(deadline=None)
@given(
    PIECES,
    windows_and_strides(),
    SPECIALS,
    st.integers(1, 60),
    st.sampled_from(["mean", "sum", "first", "last"]),
)
def test_batches_hold_each_chosen_piece_once(pieces, sizes, specials, most, pooling):
    windows = cut_windows(pieces.lengths, *sizes)
    chosen = pieces.chosen(pooling)
    kept = {}
    rows = []
    for batch in make_batches(pieces, windows, specials, chosen, most):
        assert batch.ids.size <= most or len(batch.ids) == 1
        flat = batch.ids.ravel()
        for place, token in zip(batch.places, batch.tokens):
            assert flat[place] not in kept
            kept[int(flat[place])] = int(token)
        mask = numpy.ones(batch.ids.shape) if batch.mask is None else batch.mask
        assert (batch.ids[mask == 0] == specials.padding).all()
        rows += [ids[shown == 1].tolist() for ids, shown in zip(batch.ids, mask)]
    expected = {
        int(pieces.ids[i]): int(pieces.tokens[i]) for i in numpy.flatnonzero(chosen)
    }
    assert kept == expected
    texts = [
        [*specials.before, *pieces.ids[start:end].tolist(), *specials.after]
        for start, end in zip(windows.starts, windows.ends)
    ]
    assert sorted(rows) == sorted(texts)
    assert [len(row) for row in rows] == sorted(map(len, rows), reverse=True)


@settings(deadline=None)
@given(PIECES, st.integers(1, 60))
def test_a_batch_is_filled_before_the_next_begins(pieces, most):
    windows = cut_windows(pieces.lengths, 12, 8)
    specials = Specials([101], [102], 0)
    chosen = pieces.chosen("mean")
    batches = list(make_batches(pieces, windows, specials, chosen, most))
    for batch in batches[:-1]:
        n_rows, width = batch.ids.shape
        assert (n_rows + 1) * width > most


@settings(deadline=None)
@given(PIECES)
def test_chosen_pieces_are_the_first_or_last_of_each_token(pieces):
    of_tokens = {}
    for i, token in enumerate(pieces.tokens):
        of_tokens.setdefault(int(token), []).append(i)
    for pooling, take in [("first", lambda i: i[:1]), ("last", lambda i: i[-1:])]:
        expected = [i for found in of_tokens.values() for i in take(found)]
        assert numpy.flatnonzero(pieces.chosen(pooling)).tolist() == expected
    assert pieces.chosen("mean").all() and pieces.chosen("sum").all()
    counts = [len(of_tokens.get(i, [])) for i in range(pieces.n_tokens)]
    assert pieces.counts().tolist() == counts


@cache
def tokenizer_of(kind):
    return make_tokenizer(kind, BERT_NAMES)


TEXTS = st.one_of(
    st.sampled_from(["Anna", "ferry", "unbelievable", " ", "\n", "\t", "\x07", "é"]),
    st.text(max_size=5),
)


@pytest.mark.parametrize("kind", [wordpiece, byte_level, unigram])
@settings(max_examples=50, deadline=None)
@given(docs=st.lists(st.lists(TEXTS, max_size=6), max_size=4))
def test_each_word_is_cut_as_if_it_stood_alone(kind, docs):
    tokenizer = tokenizer_of(kind)
    pieces = cut_words(tokenizer, docs)
    expected = [
        tokenizer.encode([word], is_pretokenized=True, add_special_tokens=False).ids
        for words in docs
        for word in words
    ]
    found = [pieces.ids[pieces.tokens == i].tolist() for i in range(pieces.n_tokens)]
    assert found == expected
    assert (numpy.diff(pieces.tokens) >= 0).all()
    ends = numpy.cumsum([len(words) for words in docs])
    for i, words in enumerate(docs):
        of_doc = expected[ends[i] - len(words) : ends[i]]
        assert pieces.lengths[i] == sum(map(len, of_doc))


def test_long_documents_are_neither_truncated_nor_padded():
    tokenizer = tokenizer_of(wordpiece)
    pieces = cut_words(tokenizer, [["ferry"] * 5000, ["ferry"]])
    assert pieces.lengths.tolist() == [5000, 1]
