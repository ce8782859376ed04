"""Batches of texts, and pairs of markers in them. numpy only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy

from ..encoder.pieces import Ints

# Pairs behind one copy of their text, where an encoder needs such copies.
DENSE_PAIRS = 64


@dataclass(frozen=True)
class TextBatch:
    """Texts that pass through the encoder together.

    ids: Pieces with special and padding pieces, shape (n_rows, width).
    mask: What of these is no padding, bools of the same shape.
    """

    ids: Ints
    mask: numpy.ndarray

    @property
    def lengths(self) -> Ints:
        """The pieces of each row, without padding."""
        return self.mask.sum(axis=1)


@dataclass(frozen=True)
class Pairs:
    """Pairs of markers, each of shape (n_pairs,).

    batches: The text batch of each.
    rows: Its row there.
    starts, ends: The places of its start and of its end in that row.
    """

    batches: Ints
    rows: Ints
    starts: Ints
    ends: Ints

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, which: Any) -> Pairs:
        arrays = (self.batches, self.rows, self.starts, self.ends)
        return Pairs(*(array[which] for array in arrays))


@dataclass(frozen=True)
class Dense:
    """Texts with their pairs behind them, each of shape (n_rows, width).

    ids: The pieces.
    places: The place that each has the position of.
    mask: What each piece attends to, bools, (n_rows, width, width).
    rows, columns: Where the markers are, (n_pairs, 2).
    """

    ids: Ints
    places: Ints
    mask: numpy.ndarray
    rows: Ints
    columns: Ints


def with_markers(batch: TextBatch, pairs: Pairs, markers: tuple[int, int]) -> Dense:
    """Write pairs behind copies of their texts, as SpanMarker does.

    markers: The pieces that mark a start and an end.
    RETURNS: What an encoder needs that takes a mask for each piece.
    """
    _, first, nth = numpy.unique(pairs.rows, return_index=True, return_inverse=True)
    rank = numpy.arange(len(pairs)) - first[nth.ravel()]
    copies = numpy.stack([pairs.rows, rank // DENSE_PAIRS])
    # One row of the result for each text and DENSE_PAIRS of its pairs.
    sources, row = numpy.unique(copies, axis=1, return_inverse=True)
    row, slot = row.ravel(), rank % DENSE_PAIRS
    width = batch.ids.shape[1]
    n_rows, n_columns = sources.shape[1], width + 2 * (int(slot.max()) + 1)
    ids = numpy.zeros((n_rows, n_columns), dtype="int64")
    places = numpy.zeros((n_rows, n_columns), dtype="int64")
    mask = numpy.zeros((n_rows, n_columns, n_columns), dtype=bool)
    text = batch.mask[sources[0]]
    ids[:, :width], places[:, :width] = batch.ids[sources[0]], numpy.arange(width)
    mask[:, :width, :width] = text[:, None]
    starts = width + 2 * slot
    for kind, place in enumerate((pairs.starts, pairs.ends)):
        own = starts + kind
        ids[row, own], places[row, own] = markers[kind], place
        mask[row, own, :width] = text[row]
        mask[row, own, starts] = mask[row, own, starts + 1] = True
    columns = numpy.stack([starts, starts + 1], axis=1)
    return Dense(ids, places, mask, numpy.repeat(row[:, None], 2, axis=1), columns)
