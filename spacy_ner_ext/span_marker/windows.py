"""The words of documents, and the windows of word pieces that the encoder reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy
from spacy.attrs import IS_SPACE, SENT_START
from spacy.tokens import Doc

from ..encoder.pieces import Ints, PieceCache, Pieces, cut_words
from .settings import Context


@dataclass(frozen=True)
class DocWords:
    """The words of some documents: their tokens except for white space. Words and
    sentences are counted over all documents."""

    docs: Sequence[Sequence[str]]
    tokens: Ints  # of each word, within its document
    sentences: Ints  # first word and end (exclusive), shape (n_sentences, 2)
    sentence_docs: Ints  # the document of each sentence

    @cached_property
    def doc_starts(self) -> Ints:
        """The first word of each document, counted over all, and the total."""
        return numpy.cumsum([0, *map(len, self.docs)])


def read_words(docs: Sequence[Doc], by_sentence: bool = True) -> DocWords:
    """Read the words and sentences of documents; if not `by_sentence`, or without
    sentence boundaries, a document is one sentence."""
    texts, tokens, boundaries, doc_of = [], [], [], []
    offset = 0
    for i, doc in enumerate(docs):
        own = numpy.flatnonzero(doc.to_array(IS_SPACE) == 0).astype("int64")
        texts.append([doc[j].text for j in own.tolist()])
        tokens.append(own)
        begins = _first_words(doc, own, by_sentence)
        ends = [*begins[1:], len(own)]
        boundaries += [(offset + a, offset + b) for a, b in zip(begins, ends)]
        doc_of += [i] * len(begins)
        offset += len(own)
    return DocWords(
        texts,
        numpy.concatenate([numpy.zeros(0, dtype="int64"), *tokens]),
        numpy.array(boundaries, dtype="int64").reshape(-1, 2),
        numpy.array(doc_of, dtype="int64"),
    )


def _first_words(doc: Doc, tokens: Ints, by_sentence: bool) -> list[int]:
    """The first word of each sentence that has words."""
    if not len(tokens):
        return []
    if not by_sentence or not doc.has_annotation("SENT_START"):
        return [0]
    sentence = numpy.cumsum(doc.to_array(SENT_START) == 1)[tokens]
    return numpy.flatnonzero(numpy.diff(sentence, prepend=-1)).tolist()


def words_before(doc: Doc) -> Ints:
    """The number of words before each token, and the total, shape (n_tokens + 1,)."""
    is_word = doc.to_array(IS_SPACE) == 0
    return numpy.concatenate([[0], numpy.cumsum(is_word)]).astype("int64")


@dataclass(frozen=True)
class SentenceWindows:
    """The windows of sentences, which pass through the encoder."""

    pieces: Pieces
    bounds: Ints  # the first piece of each word, and the total: (n_words + 1,)
    starts: Ints  # the first piece of each window
    ends: Ints  # exclusive
    begins: Ints  # the first piece of each sentence
    first: Ints  # the first window of each sentence
    n: Ints  # the number of windows of each sentence
    stride: int  # pieces from one window of a sentence to the next
    size: int  # maximum pieces of a window

    @property
    def counts(self) -> Ints:
        return numpy.diff(self.bounds)

    def locate(
        self, sentences: Ints, first: Ints, last: Ints
    ) -> tuple[SentenceWindows, Ints]:
        """Find the window of each span: of those that hold it, the one in which it is
        most central. A span that none holds gets a separate window around it."""
        begin, end = self.bounds[first], self.bounds[last + 1]
        origin = self.starts[self.first[sentences]]
        n = self.n[sentences]
        rows = self.first[sentences]
        several = numpy.flatnonzero(n > 1)
        if not len(several):
            return self, rows
        begin, end = (x[several] - origin[several] for x in (begin, end))
        # The windows from `low` to `high` of the sentence hold the span.
        low = numpy.maximum(-(-(end - self.size) // self.stride), 0)
        high = numpy.minimum(begin // self.stride, n[several] - 1)
        central = numpy.rint(((begin + end) / 2 - self.size / 2) / self.stride)
        chosen = numpy.clip(central.astype("int64"), low, numpy.maximum(low, high))
        rows[several] += numpy.minimum(chosen, n[several] - 1)
        lonely = several[low > high]
        if not len(lonely):
            return self, rows
        return self._add_windows(sentences, first, last, lonely, rows)

    def _add_windows(
        self, sentences: Ints, first: Ints, last: Ints, lonely: Ints, rows: Ints
    ) -> tuple[SentenceWindows, Ints]:
        """Add windows for spans longer than the overlap: centered, or from their start
        if they are longer than a window."""
        left = self.starts[self.first[sentences[lonely]]]
        right = self.ends[(self.first + self.n - 1)[sentences[lonely]]]
        begin, end = self.bounds[first[lonely]], self.bounds[last[lonely] + 1]
        starts = numpy.minimum((begin + end - self.size) // 2, begin)
        starts = numpy.maximum(numpy.minimum(starts, right - self.size), left)
        ends = numpy.minimum(starts + self.size, right)
        found, which = numpy.unique(
            numpy.stack([starts, ends]), axis=1, return_inverse=True
        )
        rows[lonely] = len(self.starts) + which.ravel()
        grown = replace(
            self,
            starts=numpy.concatenate([self.starts, found[0]]),
            ends=numpy.concatenate([self.ends, found[1]]),
        )
        return grown, rows


def cut(
    tokenizer: Any,
    words: DocWords,
    size: int,
    stride: int | None,
    context: Context,
    piece_cache: PieceCache | None = None,
) -> SentenceWindows:
    """Cut sentences into windows of at most `size` pieces, at least one each; those of
    long sentences are `stride` apart, by default half of `size`."""
    pieces = cut_words(tokenizer, words.docs, piece_cache)
    bounds = numpy.concatenate([[0], numpy.cumsum(pieces.counts())]).astype("int64")
    stride = min(size, max(1, size // 2 if stride is None else stride))
    begin, end = bounds[words.sentences.T]
    n = 1 + -(-numpy.maximum(end - begin - size, 0) // stride)
    first = numpy.cumsum(n) - n
    nth = numpy.arange(n.sum()) - numpy.repeat(first, n)
    starts = numpy.repeat(begin, n) + nth * stride
    ends = numpy.minimum(starts + size, numpy.repeat(end, n))
    if context.kind != "none":
        before, after = _widths_of_context(words, end - begin, size, context)
        starts[first] -= before
        ends[first] += after
    return SentenceWindows(pieces, bounds, starts, ends, begin, first, n, stride, size)


def _widths_of_context(
    words: DocWords, lengths: Ints, size: int, context: Context
) -> tuple[Ints, Ints]:
    """The number of pieces of context before and after each sentence.

    The document-level context of SpanMarker: the next sentence, the previous one, the
    one after the next, and so on, until the window is full.
    """
    docs, sizes = words.sentence_docs.tolist(), lengths.tolist()
    widths: dict[int, list[int]] = {1: [], -1: []}
    for i, length in enumerate(sizes):
        room, taken, reached = size - length, {1: 0, -1: 0}, {1: 0, -1: 0}
        limits = {1: context.max_next, -1: context.max_prev}
        while room > 0 and limits:
            for side in list(limits):
                other, limit = i + side * (reached[side] + 1), limits[side]
                in_document = 0 <= other < len(docs) and docs[other] == docs[i]
                if (
                    not in_document
                    or reached[side] == limit
                    or (context.kind == "sentences" and sizes[other] > room)
                ):
                    del limits[side]
                else:
                    n_taken = min(room, sizes[other])
                    taken[side] += n_taken
                    room -= n_taken
                    reached[side] += 1
        for side, width in taken.items():
            widths[side].append(width)
    before, after = (numpy.array(widths[side], dtype="int64") for side in (-1, 1))
    return before, after
