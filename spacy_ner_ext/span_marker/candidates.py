"""Candidate spans: all of a sentence, the best of them, and those without overlap.
numpy only."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy
from numpy.typing import NDArray

from ..encoder.pieces import Ints
from .windows import Windows, Words

Floats = NDArray[numpy.float32]
# A short text may hold several entities all the same.
FEWEST = 4


@dataclass(frozen=True)
class Spans:
    """Spans of words, each of shape (n_spans,).

    sentences: The sentence of each.
    first, last: Its first and its last word, counted over all documents.
    rows: The window in which it is scored.
    starts, ends: The places in the row of that window, special pieces included, of its
        first piece and of its last.
    """

    sentences: Ints
    first: Ints
    last: Ints
    rows: Ints
    starts: Ints
    ends: Ints

    def __len__(self) -> int:
        return len(self.first)

    def __getitem__(self, which: NDArray) -> Spans:
        """Some of the spans, by number or by a mask."""
        return Spans(*(getattr(self, field.name)[which] for field in fields(self)))

    @property
    def widths(self) -> Ints:
        """The number of words of each span, from 1."""
        return self.last - self.first + 1


def place(
    windows: Windows, n_before: int, sentences: Ints, first: Ints, last: Ints
) -> tuple[Windows, Spans]:
    """Find the windows of spans, and the places of their ends there.

    windows: The windows of the sentences.
    n_before: The special pieces before those of a window.
    sentences: The sentence of each span.
    first, last: The first and the last word of each span.
    RETURNS: The windows, with those that were added for spans that none held, and the
        spans.
    """
    windows, rows = windows.locate(sentences, first, last)
    origin, counts = windows.starts[rows], windows.counts
    width = windows.ends[rows] - origin
    # SpanMarker's place of a word without pieces: before those of its sentence.
    absent = windows.begins[sentences] - origin
    starts = windows.bounds[first] - origin + n_before
    ends = windows.bounds[last + 1] - 1 - origin + n_before
    starts = numpy.where(counts[first] > 0, starts, absent)
    ends = numpy.where(counts[last] > 0, ends, absent)
    limit = numpy.maximum(width + n_before - 1, 0)
    return windows, Spans(
        sentences, first, last, rows, *(numpy.clip(x, 0, limit) for x in (starts, ends))
    )


def all_spans(windows: Windows, words: Words, max_words: int) -> tuple[Ints, ...]:
    """All spans of up to some words of each sentence, as SpanMarker orders them: by
    their first word, then by their last.

    Words without pieces at the end of a sentence are left out, as there, and so are
    spans of more pieces than a window holds.

    windows: The windows of the sentences.
    max_words: The most words of a span.
    RETURNS: The sentence, first and last word of each.
    """
    lengths = numpy.diff(words.sentences, axis=1).ravel()
    sentence_of = numpy.repeat(numpy.arange(len(lengths)), lengths)
    first = _ranges(words.sentences[:, 0], lengths)
    has_pieces = windows.counts[first] > 0
    stop = numpy.zeros(len(lengths), dtype="int64")
    numpy.maximum.at(stop, sentence_of[has_pieces], first[has_pieces] + 1)
    n = numpy.clip(stop[sentence_of] - first, 0, max_words)
    sentences, starts = numpy.repeat(sentence_of, n), numpy.repeat(first, n)
    last = _ranges(first, n)
    n_pieces = windows.bounds[last + 1] - windows.bounds[starts]
    held = n_pieces <= windows.size
    return sentences[held], starts[held], last[held]


def _ranges(starts: Ints, lengths: Ints) -> Ints:
    """The numbers from each start on, as many as its length, one after another."""
    begins = numpy.cumsum(lengths) - lengths
    return numpy.arange(lengths.sum()) + numpy.repeat(starts - begins, lengths)


def best(
    rows: Ints,
    first: Ints,
    scores: Floats,
    ratio: float,
    threshold: float,
    kept: NDArray[numpy.bool_],
) -> NDArray[numpy.bool_]:
    """Choose the spans that a filter lets through: by window, so that they do not
    depend on what else is computed.

    rows: The window of each span, shape (n_spans,), those of a window together.
    scores: The filter's probability of each.
    ratio: The most spans of a window for each of its words; but at least FEWEST of a
        window.
    kept: Spans that are let through in any case, and do not count.
    """
    words = numpy.unique(numpy.stack([rows, first]), axis=1)[0]
    budgets = numpy.ceil(ratio * numpy.bincount(words)).astype("int64")
    budgets = numpy.maximum(budgets, FEWEST)
    open_ = numpy.flatnonzero((scores >= threshold) & ~kept)
    # By window, and there by falling probability.
    order = open_[numpy.lexsort((-scores[open_], rows[open_]))]
    is_first = numpy.diff(rows[order], prepend=-1) != 0
    rank = numpy.arange(len(order)) - numpy.flatnonzero(is_first)[is_first.cumsum() - 1]
    chosen = kept.copy()
    chosen[order[rank < budgets[rows[order]]]] = True
    return chosen


def without_overlap(spans: Spans, scores: Floats, taken: NDArray[numpy.bool_]) -> Ints:
    """Take the best span, then the best that shares no word with it, and so on.

    Of equal scores the earlier span is taken, as in SpanMarker.

    scores: The score of each, shape (n_spans,).
    taken: Words that no span may cover, shape (n_words,), bool; is added to.
    RETURNS: The numbers of the spans that are taken, in their order.
    """
    found = []
    for i in numpy.argsort(-scores, kind="stable").tolist():
        words = slice(spans.first[i], spans.last[i] + 1)
        if not taken[words].any():
            taken[words] = True
            found.append(i)
    return numpy.array(sorted(found), dtype="int64")
