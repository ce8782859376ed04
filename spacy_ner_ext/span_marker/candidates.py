"""Candidate spans: all spans of a sentence, and the best ones that do not overlap."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy
from numpy.typing import NDArray

from ..encoder.pieces import Ints
from ..pipes.overlap import select_disjoint
from .windows import DocWords, SentenceWindows


@dataclass(frozen=True)
class Spans:
    """Spans of words, each array of shape (n_spans,). Words are counted over all
    documents."""

    sentences: Ints
    first: Ints
    last: Ints
    rows: Ints  # the window in which a span is scored
    starts: Ints  # the columns of its first and its last piece in that row,
    ends: Ints  # special pieces included

    def __len__(self) -> int:
        return len(self.first)

    def __getitem__(self, which: NDArray) -> Spans:
        return Spans(*(getattr(self, field.name)[which] for field in fields(self)))

    @property
    def widths(self) -> Ints:
        """The number of words of each span, from 1."""
        return self.last - self.first + 1


def place(
    windows: SentenceWindows, n_before: int, sentences: Ints, first: Ints, last: Ints
) -> tuple[SentenceWindows, Spans]:
    """Find the windows of spans (some may be added), and the columns of their ends."""
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


def all_spans(
    windows: SentenceWindows, words: DocWords, max_words: int
) -> tuple[Ints, ...]:
    """Sentence, first and last word of all spans of up to `max_words` words of a
    sentence, in SpanMarker's order: by their first word, then by their last.

    As in SpanMarker, words without pieces at the end of a sentence are left out; so are
    spans of more pieces than a window holds.
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
    """Concatenated ranges with the given starts and lengths."""
    begins = numpy.cumsum(lengths) - lengths
    return numpy.arange(lengths.sum()) + numpy.repeat(starts - begins, lengths)


def without_overlap(spans: Spans, scores: NDArray[numpy.float32]) -> Ints:
    """Select the best span, then the best that shares no word with it, and so on, of
    equal scores the earlier span, as in SpanMarker; their indices, ascending."""
    bounds = list(zip(spans.first.tolist(), (spans.last + 1).tolist()))
    order = numpy.argsort(-scores, kind="stable").tolist()
    return numpy.array(sorted(select_disjoint(bounds, order)), dtype="int64")
