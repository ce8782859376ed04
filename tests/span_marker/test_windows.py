"""Words, windows, context and the places of candidate spans, against brute force."""

from itertools import accumulate, pairwise

import numpy
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from spacy.lang.xx import MultiLanguage
from spacy.tokens import Doc
from tokenizers import Tokenizer, models

from spacy_ner_ext.span_marker.candidates import all_spans, place
from spacy_ner_ext.span_marker.settings import Context
from spacy_ner_ext.span_marker.windows import DocWords, cut, read_words, words_before
from tests.helpers.encoders import BERT_NAMES, make_tokenizer, wordpiece
from tests.helpers.pipelines import words_of

NO_CONTEXT = Context()
VOCAB = MultiLanguage().vocab
# Documents of sentences of words, each of which is its number of pieces.
SENTENCES = st.lists(st.sampled_from([1, 2, 1, 0, 3, 7]), min_size=1, max_size=9)
DOCS = st.lists(st.lists(SENTENCES, max_size=4), max_size=4)


@st.composite
def sizes_and_strides(draw):
    size = draw(st.integers(1, 12))
    return size, draw(st.none() | st.integers(1, size))


# Cuts a word into as many pieces as it is long; "-" has none.
COUNTING = Tokenizer(models.BPE({"a": 0}, []))


def words_in(docs):
    """What `read_words` makes of documents, given as numbers of pieces."""
    lengths = [len(sentence) for doc in docs for sentence in doc]
    boundaries = [0, *accumulate(lengths)]
    return DocWords(
        [["a" * n or "-" for sentence in doc for n in sentence] for doc in docs],
        numpy.concatenate([numpy.arange(sum(map(len, doc))) for doc in docs])
        if docs
        else numpy.zeros(0, "int64"),
        numpy.array(list(pairwise(boundaries)), "int64").reshape(-1, 2),
        numpy.array([i for i, doc in enumerate(docs) for _ in doc], "int64"),
    )


def windows_in(docs, size, stride=None, context=NO_CONTEXT):
    words = words_in(docs)
    return words, cut(COUNTING, words, size, stride, context)


def sentences_in(docs):
    """(First piece, first word, numbers of pieces) of each sentence."""
    piece = word = 0
    for doc in docs:
        for sentence in doc:
            yield piece, word, sentence
            piece, word = piece + sum(sentence), word + len(sentence)


def spans_by_hand(docs, size, max_words):
    """(Sentence, first word, last word, first piece, one after the last piece)."""
    for i, (piece, word, sentence) in enumerate(sentences_in(docs)):
        bounds = [piece, *accumulate(sentence, initial=piece)][1:]
        n_words = max((j + 1 for j, n in enumerate(sentence) if n), default=0)
        for start in range(n_words):
            for end in range(start + 1, min(n_words, start + max_words) + 1):
                if bounds[end] - bounds[start] <= size:
                    span = word + start, word + end - 1, bounds[start], bounds[end]
                    yield i, *span


def shown(window, span, sentence):
    """The pieces that a window shows on the shorter side of a span; a side on which
    the sentence ends hides nothing."""
    before = span[0] - window[0] if window[0] > sentence[0] else numpy.inf
    after = window[1] - span[1] if window[1] < sentence[1] else numpy.inf
    return min(before, after)


# --- Windows -------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(DOCS, sizes_and_strides())
def test_sentences_are_cut_into_windows(docs, sizes):
    size, stride = sizes
    _, windows = windows_in(docs, size, stride)
    step = max(1, size // 2) if stride is None else stride
    found = list(zip(windows.starts.tolist(), windows.ends.tolist()))
    expected = []
    for i, (piece, _, sentence) in enumerate(sentences_in(docs)):
        end = piece + sum(sentence)
        assert windows.first[i] == len(expected) and windows.begins[i] == piece
        starts = [piece]
        while starts[-1] + size < end:
            starts.append(starts[-1] + step)
        expected += [(start, min(start + size, end)) for start in starts]
        assert windows.n[i] == len(starts)
    assert found == expected
    assert windows.size == size


@settings(deadline=None, max_examples=60)
@given(DOCS, sizes_and_strides(), st.integers(1, 5))
def test_every_span_has_the_one_window_in_which_it_is_most_central(
    docs, sizes, max_words
):
    words, windows = windows_in(docs, *sizes)
    sentences, first, last = all_spans(windows, words, max_words)
    grown, rows = windows.locate(sentences, first, last)
    n_windows = len(windows.starts)
    assert len(rows) == len(first)
    assert grown.starts[:n_windows].tolist() == windows.starts.tolist()
    boundaries = [(p, p + sum(counts)) for p, _, counts in sentences_in(docs)]
    spans = spans_by_hand(docs, sizes[0], max_words)
    for row, (sentence, _, _, begin, end) in zip(rows, spans, strict=True):
        window = int(grown.starts[row]), int(grown.ends[row])
        assert window[0] <= begin and end <= window[1]
        assert window[1] - window[0] <= sizes[0]
        left, right = boundaries[sentence]
        assert left <= window[0] and window[1] <= right
        own = range(
            windows.first[sentence], windows.first[sentence] + windows.n[sentence]
        )
        others = {
            i: shown((windows.starts[i], windows.ends[i]), (begin, end), (left, right))
            for i in own
            if windows.starts[i] <= begin and end <= windows.ends[i]
        }
        if others:
            assert others[int(row)] == max(others.values())
        else:
            assert row >= n_windows and window[1] - window[0] == sizes[0]
            off = abs((begin - window[0]) - (window[1] - end))
            assert off <= 1 or window[0] == left or window[1] == right
    assert set(rows.tolist()).issuperset(range(n_windows, len(grown.starts)))


def test_a_span_longer_than_the_overlap_gets_a_window_around_it():
    docs = [[[1] * 20]]
    _, windows = windows_in(docs, 8, 8)
    assert windows.starts.tolist() == [0, 8, 16]
    spans = [(5, 9), (6, 9), (4, 11), (14, 17), (12, 19), (0, 7), (16, 19)]
    first, last = numpy.array(spans).T
    grown, rows = windows.locate(numpy.zeros(len(spans), "int64"), first, last)
    found = list(zip(grown.starts[rows].tolist(), grown.ends[rows].tolist()))
    alone = [(3, 11), (4, 12), (4, 12), (12, 20), (12, 20)]
    assert found == [*alone, (0, 8), (16, 20)]
    # Two spans with the same window around them share it.
    assert len(grown.starts) == 3 + 3


def test_a_span_longer_than_a_window_is_placed_at_its_start():
    _, windows = windows_in([[[1] * 30]], 8)
    zeros = numpy.zeros(2, "int64")
    grown, spans = place(windows, 1, zeros, numpy.array([3, 15]), numpy.array([12, 29]))
    starts = grown.starts[spans.rows]
    assert starts.tolist() == [3, 15]
    assert spans.starts.tolist() == [1, 1] and spans.ends.tolist() == [8, 8]


# --- Spans ---------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(DOCS, sizes_and_strides(), st.integers(1, 5))
def test_spans_are_those_of_two_loops_in_their_order(docs, sizes, max_words):
    words, windows = windows_in(docs, *sizes)
    found = zip(*(array.tolist() for array in all_spans(windows, words, max_words)))
    expected = [span[:3] for span in spans_by_hand(docs, sizes[0], max_words)]
    assert list(found) == expected


@pytest.mark.parametrize("n_words", [1, 2, 7, 8, 9, 31])
@pytest.mark.parametrize("max_words", [1, 3, 8])
def test_the_number_of_spans_is_that_of_span_marker(n_words, max_words):
    words, windows = windows_in([[[2] * n_words]], 256)
    _, first, _ = all_spans(windows, words, max_words)
    widths = range(1, min(max_words, n_words) + 1)
    assert len(first) == sum(n_words - width + 1 for width in widths)
    if n_words >= 8 == max_words:
        assert len(first) == 8 * n_words - 28


@settings(deadline=None, max_examples=60)
@given(
    DOCS,
    sizes_and_strides(),
    st.integers(1, 5),
    st.builds(Context, st.sampled_from(["none", "sentences", "document"])),
)
def test_places_are_those_of_the_first_and_the_last_piece(
    docs, sizes, max_words, context
):
    words, windows = windows_in(docs, *sizes, context)
    chosen = all_spans(windows, words, max_words)
    grown, spans = place(windows, 1, *chosen)
    begins = [piece for piece, _, _ in sentences_in(docs)]
    counts = [n for _, _, sentence in sentences_in(docs) for n in sentence]
    expected = list(spans_by_hand(docs, sizes[0], max_words))
    widths = [last - first + 1 for _, first, last, _, _ in expected]
    assert spans.widths.tolist() == widths
    for i, (sentence, first, last, begin, end) in enumerate(expected):
        assert spans.sentences[i] == sentence
        origin = int(grown.starts[spans.rows[i]])
        # Before the sentence, where the window shows it.
        absent = max(begins[sentence] - origin, 0)
        start = begin - origin + 1 if counts[first] else absent
        stop = end - origin if counts[last] else absent
        assert (spans.starts[i], spans.ends[i]) == (start, stop)
        width = grown.ends[spans.rows[i]] - origin
        assert max(start, stop) <= width


def test_without_documents_there_are_no_spans():
    for docs in ([], [[]], [[], []]):
        words, windows = windows_in(docs, 8)
        grown, spans = place(windows, 1, *all_spans(windows, words, 8))
        assert len(spans) == len(grown.starts) == 0


def test_spans_are_chosen_by_number_and_by_mask():
    words, windows = windows_in([[[1, 2, 1], [1, 1]], [[3, 1]]], 6)
    _, spans = place(windows, 1, *all_spans(windows, words, 3))
    single = spans[spans.widths == 1]
    assert single.first.tolist() == single.last.tolist()
    numbers = numpy.flatnonzero(spans.widths == 1)
    assert spans[numbers].starts.tolist() == single.starts.tolist()
    assert 0 < len(single) < len(spans)


ABSENT = ["\u2063", "\x07", "\u200b", "\ufeff"]


@pytest.mark.parametrize("absent", ABSENT)
def test_words_without_pieces_are_in_spans_but_not_at_the_end(absent):
    """Of BERT's tokenizer, as SpanMarker does it."""
    tokenizer = make_tokenizer(wordpiece, BERT_NAMES)
    texts = [absent, "in", absent, "York", absent, absent]
    words = DocWords(
        [texts],
        numpy.arange(6),
        numpy.array([[0, 6]]),
        numpy.array([0]),
    )
    windows = cut(tokenizer, words, 16, None, NO_CONTEXT)
    assert windows.counts.tolist() == [0, 1, 0, 1, 0, 0]
    _, spans = place(windows, 1, *all_spans(windows, words, 2))
    found = list(zip(*(x.tolist() for x in (spans.first, spans.last))))
    assert found == [(0, 0), (0, 1), (1, 1), (1, 2), (2, 2), (2, 3), (3, 3)]
    assert spans.starts.tolist() == [0, 0, 1, 1, 0, 0, 2]
    assert spans.ends.tolist() == [0, 1, 1, 0, 0, 2, 2]


def test_a_sentence_without_pieces_has_no_spans():
    docs = [[[0, 0], [1]], [[0]]]
    words, windows = windows_in(docs, 4)
    sentences, first, last = all_spans(windows, words, 3)
    assert (sentences.tolist(), first.tolist(), last.tolist()) == ([1], [2], [2])


# --- Context -------------------------------------------------------------------


def context_by_hand(docs, number, size, context):
    """The pieces of a window: those of SpanMarker's document-level context, or whole
    sentences only."""
    texts = [
        list(range(piece, piece + sum(counts)))
        for piece, _, counts in sentences_in(docs)
    ]
    doc_of = [i for i, doc in enumerate(docs) for _ in doc]
    base = doc_of.index(doc_of[number])
    stop = base + len(docs[doc_of[number]])
    text = texts[number]
    after = texts[number + 1 : stop][: context.max_next]
    before = texts[base:number][::-1][: context.max_prev]
    whole = context.kind == "sentences"
    while after or before:
        room = size - len(text)
        if after:
            added = after.pop(0)
            if whole and len(added) > room:
                after = []
            else:
                text = text + added[:room]
        room = size - len(text)
        if before:
            added = before.pop(0)
            if whole and len(added) > room:
                before = []
            else:
                text = added[max(len(added) - room, 0) :] + text
    return text


LIMITS = st.none() | st.integers(0, 3)


@settings(deadline=None, max_examples=60)
@given(
    DOCS,
    sizes_and_strides(),
    st.builds(Context, st.sampled_from(["document", "sentences"]), LIMITS, LIMITS),
)
def test_windows_with_context(docs, sizes, context):
    _, windows = windows_in(docs, *sizes, context)
    _, plain = windows_in(docs, *sizes)
    assert windows.first.tolist() == plain.first.tolist()
    for i, (_, _, counts) in enumerate(sentences_in(docs)):
        first = windows.first[i]
        own = slice(first, first + windows.n[i])
        found = list(zip(windows.starts[own], windows.ends[own]))
        if sum(counts) > sizes[0]:
            assert found == list(zip(plain.starts[own], plain.ends[own]))
        else:
            [(start, end)] = found
            expected = context_by_hand(docs, i, sizes[0], context)
            assert list(range(start, end)) == expected


@settings(deadline=None, max_examples=60)
@given(
    DOCS,
    st.integers(1, 30),
    st.builds(Context, st.sampled_from(["document", "sentences"]), LIMITS, LIMITS),
)
def test_context_never_crosses_documents_and_keeps_its_limits(docs, size, context):
    words, windows = windows_in(docs, size, None, context)
    assume(len(words.sentences))
    sentence_of = numpy.repeat(
        numpy.arange(len(words.sentences)), numpy.diff(words.sentences).ravel()
    )
    sentences = sentence_of[windows.pieces.tokens]
    row_of = numpy.repeat(numpy.arange(len(windows.n)), windows.n)
    for row, own in enumerate(row_of):
        touched = sentences[windows.starts[row] : windows.ends[row]]
        assert (words.sentence_docs[touched] == words.sentence_docs[own]).all()
        if len(touched):
            assert context.max_prev is None or own - touched.min() <= context.max_prev
            assert context.max_next is None or touched.max() - own <= context.max_next
        if context.kind == "sentences":
            for other in set(touched.tolist()) - {own}:
                assert (touched == other).sum() == (sentences == other).sum()


def test_context_by_an_example():
    docs = [[[1] * 3, [1] * 2, [1] * 4, [1] * 3], [[1] * 5]]
    expected = {
        ("document", None, None): [(0, 8), (1, 9), (4, 12), (4, 12), (12, 17)],
        ("document", 0, None): [(0, 8), (3, 11), (5, 12), (9, 12), (12, 17)],
        ("document", None, 0): [(0, 3), (0, 5), (1, 9), (4, 12), (12, 17)],
        ("document", 1, 1): [(0, 5), (1, 9), (4, 12), (5, 12), (12, 17)],
        ("sentences", None, None): [(0, 5), (3, 9), (5, 12), (5, 12), (12, 17)],
        ("sentences", 0, 1): [(0, 5), (3, 9), (5, 12), (9, 12), (12, 17)],
    }
    for settings_, boundaries in expected.items():
        _, windows = windows_in(docs, 8, None, Context(*settings_))
        found = list(zip(windows.starts.tolist(), windows.ends.tolist()))
        assert found == boundaries, settings_


# --- DocWords of documents --------------------------------------------------------


TOKENS = st.lists(st.sampled_from(["a", "b", " ", "\n", "\u2063"]), max_size=8)
DOCUMENTS = st.lists(
    TOKENS.flatmap(
        lambda texts: st.tuples(
            st.just(texts),
            st.none()
            | st.lists(st.booleans(), min_size=len(texts), max_size=len(texts)),
        )
    ),
    max_size=4,
)


@settings(deadline=None, max_examples=60)
@given(DOCUMENTS, st.booleans())
def test_words_are_the_tokens_that_are_no_white_space(documents, by_sentence):
    docs = [
        Doc(VOCAB, words=texts, sent_starts=starts or None)
        for texts, starts in documents
    ]
    words = read_words(docs, by_sentence)
    texts, tokens, sentences = [], [], []
    for number, doc in enumerate(docs):
        own = [token for token in doc if not token.text.isspace()]
        texts.append([token.text for token in own])
        tokens += [token.i for token in own]
        known = by_sentence and doc.has_annotation("SENT_START")
        parts = list(doc.sents) if known else [doc[:]]
        sentences += [
            (number, [token.text for token in part if not token.text.isspace()])
            for part in parts
        ]
        before = words_before(doc)
        assert len(before) == len(doc) + 1 and before[-1] == len(own)
        assert [token.i for token in own] == numpy.flatnonzero(
            numpy.diff(before)
        ).tolist()
    assert words.docs == texts and words.tokens.tolist() == tokens
    every = [text for doc in texts for text in doc]
    found = [every[start:end] for start, end in words.sentences]
    expected = [(doc, part) for doc, part in sentences if part]
    assert list(zip(words.sentence_docs.tolist(), found)) == expected
    assert words.doc_starts.tolist() == [0, *accumulate(map(len, texts))]


def test_a_document_without_sentences_is_one():
    [doc] = [Doc(VOCAB, words=words_of("a b c d"))]
    assert read_words([doc]).sentences.tolist() == [[0, 4]]
    for token in doc:
        token.is_sent_start = token.i == 2
    assert read_words([doc]).sentences.tolist() == [[0, 2], [2, 4]]
    assert read_words([doc], by_sentence=False).sentences.tolist() == [[0, 4]]
