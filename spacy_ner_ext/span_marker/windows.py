"""Texts: the words of documents, cut into pieces, sentences and windows. numpy only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy

from ..encoder.pieces import Ints, PieceCache, Pieces, cut_words
from .settings import Context


@dataclass(frozen=True)
class Words:
    """The words of some documents: their tokens that are not white space.

    docs: The words of each document.
    tokens: The token of its document that each word is, shape (n_words,).
    sentences: The first word of each sentence and the one after its last, counted over
        all documents, shape (n_sentences, 2).
    sentence_docs: The document of each sentence.
    """

    docs: Sequence[Sequence[str]]
    tokens: Ints
    sentences: Ints
    sentence_docs: Ints

    @cached_property
    def doc_starts(self) -> Ints:
        """The first word of each document, counted over all; and the number of all."""
        return numpy.cumsum([0, *map(len, self.docs)])


@dataclass(frozen=True)
class Windows:
    """Texts that pass through the encoder, and the sentences that they are of.

    pieces: The pieces of all words.
    bounds: The first piece of each word, counted over all documents; and the number of
        all, shape (n_words + 1,).
    starts, ends: The first piece of each window and the one after its last.
    begins: The first piece of each sentence.
    first, n: The first window of each sentence, and how many it has.
    stride: Pieces from one window of a sentence to the next.
    size: The most pieces of a window.
    """

    pieces: Pieces
    bounds: Ints
    starts: Ints
    ends: Ints
    begins: Ints
    first: Ints
    n: Ints
    stride: int
    size: int

    @property
    def counts(self) -> Ints:
        """The number of pieces of each word."""
        return numpy.diff(self.bounds)

    def locate(self, sentences: Ints, first: Ints, last: Ints) -> tuple[Windows, Ints]:
        """Find the window of each span: of those that hold it the one in which it is
        most central. A span that none holds gets a window of its own around it.

        sentences: The sentence of each span, shape (n_spans,).
        first, last: Its first and its last word.
        RETURNS: The windows, with the new ones at the end, and the window of each span.
        """
        begin, end = self.bounds[first], self.bounds[last + 1]
        origin = self.starts[self.first[sentences]]
        n = self.n[sentences]
        rows = self.first[sentences]
        several = numpy.flatnonzero(n > 1)
        if not len(several):
            return self, rows
        begin, end = (x[several] - origin[several] for x in (begin, end))
        # Windows number `low` to `high` of the sentence hold the span.
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
    ) -> tuple[Windows, Ints]:
        """Windows for spans longer than the overlap: centred, or from their start if
        they are longer than a window."""
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
    words: Words,
    size: int,
    stride: int | None,
    context: Context,
    piece_cache: PieceCache | None = None,
) -> Windows:
    """Cut sentences into windows.

    size: The most pieces of a window, without special pieces.
    stride: Pieces from one window of a longer sentence to the next; None for half of
        `size`.
    context: Which text around a sentence belongs to its window.
    piece_cache: The pieces of documents that were cut before.
    RETURNS: The windows; each sentence has at least one.
    """
    pieces = cut_words(tokenizer, words.docs, piece_cache)
    counts = pieces.counts()
    bounds = numpy.concatenate([[0], numpy.cumsum(counts)]).astype("int64")
    stride = min(size, max(1, size // 2 if stride is None else stride))
    begin, end = bounds[words.sentences.T]
    n = 1 + -(-numpy.maximum(end - begin - size, 0) // stride)
    first = numpy.cumsum(n) - n
    nth = numpy.arange(n.sum()) - numpy.repeat(first, n)
    starts = numpy.repeat(begin, n) + nth * stride
    ends = numpy.minimum(starts + size, numpy.repeat(end, n))
    if context.kind != "none":
        _add_context(words, begin, end, size, context, first, starts, ends)
    return Windows(pieces, bounds, starts, ends, begin, first, n, stride, size)


def _add_context(
    words: Words,
    begin: Ints,
    end: Ints,
    size: int,
    context: Context,
    first: Ints,
    starts: Ints,
    ends: Ints,
) -> None:
    """Widen the windows of sentences that leave room, in place.

    The document-level context of SpanMarker: the next sentence, the one before, the
    one after the next, and so on, until the window is full.
    """
    lengths = (end - begin).tolist()
    docs = words.sentence_docs.tolist()
    for i, length in enumerate(lengths):
        room, taken = size - length, {1: 0, -1: 0}
        limits = {1: context.max_next, -1: context.max_prev}
        reached = {1: 0, -1: 0}
        while room > 0 and limits:
            for side in list(limits):
                other, limit = i + side * (reached[side] + 1), limits[side]
                is_there = 0 <= other < len(docs) and docs[other] == docs[i]
                if (
                    not is_there
                    or reached[side] == limit
                    or (context.kind == "sentences" and lengths[other] > room)
                ):
                    del limits[side]
                else:
                    n_taken = min(room, lengths[other])
                    taken[side] += n_taken
                    room -= n_taken
                    reached[side] += 1
        if length <= size:
            starts[first[i]] -= taken[-1]
            ends[first[i]] += taken[1]
