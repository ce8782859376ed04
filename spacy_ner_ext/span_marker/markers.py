"""Pairs of markers: grouped by their texts, or appended to copies of their texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy
from torch import Tensor

from ..encoder.pieces import Ints

# Rows with fewer pairs are computed together, with padding; others one by one.
MANY_PAIRS = 24
# On a GPU: padded pairs of a group, in multiples of its pairs.
MAX_PADDING = 2.0
# Pairs times pieces whose scores for all heads fit the cache of a CPU.
SCORES_IN_CACHE = 1 << 14
# Pairs that are appended to one copy of their text.
DENSE_PAIRS = 64

Move = Callable[[Ints], Tensor]


@dataclass
class KeyValueCache:
    """The keys and values of a batch of texts in one layer. The bias is added to the
    scores: shape (n_rows, 1 or n_heads, 1 or n_pieces, n_pieces)."""

    keys: Tensor
    values: Tensor
    bias: Tensor | None  # None if all pieces see all

    @property
    def is_relative(self) -> bool:
        """Whether the bias is more than a mask: of relative positions, as in T5."""
        bias = self.bias
        return bias is not None and bool(((bias > -1e4) & (bias != 0)).any())


@dataclass
class EncodedText:
    """A batch of texts that passed through the encoder."""

    ids: Ints  # pieces, padded, shape (n_rows, width)
    mask: numpy.ndarray  # False for padding
    layers: Sequence[KeyValueCache] = ()
    states: Tensor | None = None  # the last hidden states, float32, if asked for

    @property
    def lengths(self) -> Ints:
        return self.mask.sum(axis=1)


@dataclass(frozen=True)
class Pairs:
    """Pairs of markers: their text batch, the row there, and the columns of the span's
    first and last piece in that row. Each array has shape (n_pairs,)."""

    batches: Ints
    rows: Ints
    starts: Ints
    ends: Ints

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, which: Any) -> Pairs:
        arrays = (self.batches, self.rows, self.starts, self.ends)
        return Pairs(*(array[which] for array in arrays))

    @property
    def places(self) -> Ints:
        """The columns of starts and ends, shape (n_pairs, 2)."""
        return numpy.stack([self.starts, self.ends], axis=1)


@dataclass(frozen=True)
class MarkerGroup:
    """Markers whose attention is computed together: those of one row, or of several."""

    layers: Sequence[KeyValueCache]  # of their text batch
    rows: slice | Tensor  # in that batch
    n_pieces: int  # of the longest row, with special pieces
    markers: slice  # these, among all
    places: Tensor  # the columns of their pieces, (n_rows, n_each)
    order: Tensor | None = (
        None  # of each row in the group, padded with 0; None for one row
    )
    inverse: Tensor | None = None  # the index of each in the flattened order


@dataclass(frozen=True)
class SharedMarkers:
    """Markers that are equal before they see a text: same kind, same position."""

    examples: Tensor  # one marker of each kind
    kinds: Tensor  # the kind of each marker


def share_markers(pairs: Pairs, move: Move) -> SharedMarkers | None:
    """Find equal markers; None if there are too few to save work."""
    kinds = pairs.places * 2 + [0, 1]
    _, examples, which = numpy.unique(kinds, return_index=True, return_inverse=True)
    if len(examples) > len(pairs) // 2:
        return None
    return SharedMarkers(move(examples), move(which.ravel()))


def group_markers(
    texts: Sequence[EncodedText], pairs: Pairs, move: Move, on_gpu: bool
) -> list[MarkerGroup]:
    """Group sorted pairs. On a CPU rows with many pairs are separate groups; on a GPU,
    where each group costs launches, groups end where padding would double the work."""
    groups: list[MarkerGroup] = []
    places = pairs.places
    for batch, part in by_value(pairs.batches):
        grouping = _Grouping(texts[batch], places, move, on_gpu)
        runs: list[tuple[int, slice]] = []
        total = most = 0
        for row, run in by_value(pairs.rows[part]):
            run = slice(part.start + run.start, part.start + run.stop)
            size = run.stop - run.start
            total, most = total + size, max(most, size)
            alone = not on_gpu and size >= MANY_PAIRS
            wasteful = on_gpu and most * (len(runs) + 1) > MAX_PADDING * total
            if alone or wasteful:
                groups += grouping.padded(runs)
                runs, total, most = [], size, size
            if alone:
                groups += grouping.single(row, run)
            else:
                runs.append((row, run))
        groups += grouping.padded(runs)
    return groups


@dataclass
class _Grouping:
    text: EncodedText
    places: Ints
    move: Move
    on_gpu: bool

    def single(self, row: int, pairs: slice) -> Iterator[MarkerGroup]:
        """The pairs of one row, in parts that fit the cache of a CPU."""
        length = int(self.text.lengths[row])
        size = len(self.places) if self.on_gpu else max(1, SCORES_IN_CACHE // length)
        for first in range(pairs.start, pairs.stop, size):
            last = min(first + size, pairs.stop)
            own = self.move(self.places[first:last].reshape(1, -1))
            markers, rows = slice(2 * first, 2 * last), slice(row, row + 1)
            yield MarkerGroup(self.text.layers, rows, length, markers, own)

    def padded(self, runs: list[tuple[int, slice]]) -> Iterator[MarkerGroup]:
        """The pairs of several rows, padded to the row with the most."""
        if len(runs) < 2:
            for row, pairs in runs:
                yield from self.single(row, pairs)
            return
        rows = numpy.array([row for row, _ in runs])
        first, last = runs[0][1].start, runs[-1][1].stop
        counts = numpy.array([2 * (pairs.stop - pairs.start) for _, pairs in runs])
        begins = numpy.cumsum(counts) - counts
        columns = numpy.arange(counts.max())
        order = numpy.where(columns < counts[:, None], begins[:, None] + columns, 0)
        nth = numpy.repeat(numpy.arange(len(rows)), counts)
        inverse = nth * len(columns) + numpy.arange(counts.sum()) - begins[nth]
        flat = self.places[first:last].reshape(-1)
        consecutive = len(rows) == rows[-1] - rows[0] + 1
        yield MarkerGroup(
            self.text.layers,
            slice(rows[0], rows[-1] + 1) if consecutive else self.move(rows),
            int(self.text.lengths[rows].max()),
            slice(2 * first, 2 * last),
            *map(self.move, (flat[order], order, inverse)),
        )


def append_markers(
    text: EncodedText, pairs: Pairs, markers: tuple[int, int]
) -> tuple[Ints, Ints, numpy.ndarray, Ints, Ints]:
    """Append pairs to copies of their texts, as SpanMarker does.

    RETURNS: The pieces and the columns that they have the positions of, shape (n_rows,
        width); the mask, bools of shape (n_rows, width, width); the rows and columns of
        the markers, shape (n_pairs, 2).
    """
    _, first, nth = numpy.unique(pairs.rows, return_index=True, return_inverse=True)
    rank = numpy.arange(len(pairs)) - first[nth.ravel()]
    copies = numpy.stack([pairs.rows, rank // DENSE_PAIRS])
    # One row of the result for each text and DENSE_PAIRS of its pairs.
    sources, row = numpy.unique(copies, axis=1, return_inverse=True)
    row, slot = row.ravel(), rank % DENSE_PAIRS
    width = text.ids.shape[1]
    n_rows, n_columns = sources.shape[1], width + 2 * (int(slot.max()) + 1)
    ids, places = numpy.zeros((2, n_rows, n_columns), dtype="int64")
    mask = numpy.zeros((n_rows, n_columns, n_columns), dtype=bool)
    seen = text.mask[sources[0]]
    ids[:, :width], places[:, :width] = text.ids[sources[0]], numpy.arange(width)
    mask[:, :width, :width] = seen[:, None]
    starts = width + 2 * slot
    for kind, place in enumerate((pairs.starts, pairs.ends)):
        own = starts + kind
        ids[row, own], places[row, own] = markers[kind], place
        mask[row, own, :width] = seen[row]
        mask[row, own, starts] = mask[row, own, starts + 1] = True
    columns = numpy.stack([starts, starts + 1], axis=1)
    return ids, places, mask, numpy.repeat(row[:, None], 2, axis=1), columns


def by_value(values: Ints) -> Iterator[tuple[int, slice]]:
    """Runs of equal values: the value, and the slice of the run."""
    boundaries = numpy.flatnonzero(numpy.diff(values)) + 1
    for start, stop in pairwise([0, *boundaries.tolist(), len(values)]):
        if start < stop:
            yield int(values[start]), slice(start, stop)
