"""The packed order of the words of a batch: time-major, without padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple, Union

import numpy

from .device import Array, device_of, put_indices

# Rows of an array: indices, or a slice where they are consecutive.
Rows = Union[Array, slice]


@dataclass(frozen=True)
class Packing:
    """The words of a batch in time-major order, longest document first.

    At step t the first `sizes[t]` documents are still running, and their words are the
    packed rows from `offsets[t]` on, without padding. With a block length, documents
    are cut into pieces of at most that many words, and the steps run over all pieces
    at once, as if they were documents. All arrays are on the host.
    """

    order: numpy.ndarray  # the documents that have words, longest first
    lengths: numpy.ndarray  # of these
    rows: numpy.ndarray  # the row of the concatenated documents, for each packed row
    document: numpy.ndarray  # the position in `order`, for each packed row
    first: Rows  # packed rows of the documents' first words, in `order`
    last: numpy.ndarray  # and of their last words
    after: Rows  # packed rows of words that follow a word of their document
    before: numpy.ndarray  # the packed row of that word
    sizes: list[int]
    offsets: list[int]
    pieces: Pieces | None = None  # None if documents are not cut
    n_linked: Sequence[int] = ()  # documents with a second piece, a third, ...

    @classmethod
    def from_lengths(
        cls, lengths: Sequence[int], block_length: int | None = None
    ) -> Packing:
        if block_length is not None and block_length >= max(lengths, default=0):
            block_length = None
        return _pack(tuple(lengths), block_length)

    @property
    def n_steps(self) -> int:
        return len(self.sizes)

    @cached_property
    def steps(self) -> list[tuple[Any, Any]]:
        """Indices into arrays whose last axes are packed rows and tags: the rows of a
        step, and those of the same documents one step before."""
        previous = [0, *self.offsets[:-1]]
        return [
            (
                (..., slice(here, here + size), slice(None)),
                (..., slice(before, before + size), slice(None)),
            )
            for here, before, size in zip(self.offsets, previous, self.sizes)
        ]

    def on_device(self, like: Array) -> DeviceRows:
        """The indices on the device of an array, where they stay."""
        device = device_of(like)
        if device not in self._on_devices:
            self._on_devices[device] = self._put(like)
        return self._on_devices[device]

    @cached_property
    def _on_devices(self) -> dict[int | None, DeviceRows]:
        return {}

    def _put(self, like: Array) -> DeviceRows:
        arrays: list[Any] = [self.rows, self.last, self.before]
        if self.pieces is None:
            rows, last, before = put_indices(like, arrays)
            return DeviceRows(rows, last, before, self.first, self.after, None)
        arrays += [self.first, self.after, *self.pieces]
        rows, last, before, first, after, *pieces = put_indices(like, arrays)
        return DeviceRows(rows, last, before, first, after, Pieces(*pieces))


class Pieces(NamedTuple):
    """The pieces into which documents are cut. Pieces are numbered from the longest to
    the shortest, so that the first word of a piece has its number as packed row."""

    last: Array  # the packed row of the last word of each piece
    opening: Array  # the first piece of each document, in the order of documents
    linked: Array  # the second pieces of the documents that have one, the third, ...
    previous: Array  # the piece before each linked one
    closing: Array  # the last piece of each document, in the order of documents


@dataclass(frozen=True)
class DeviceRows:
    """The indices of a Packing, on a device."""

    rows: Array
    last: Array
    before: Array
    first: Rows
    after: Rows
    pieces: Any  # Pieces, or None


# Two packings are used for each batch: of all documents, and of those with an entity.
@lru_cache(maxsize=8)
def _pack(lengths: tuple[int, ...], block_length: int | None) -> Packing:
    all_lengths = numpy.array(lengths, dtype=int)
    order = numpy.argsort(-all_lengths, kind="stable")
    order = order[: int((all_lengths > 0).sum())]
    begins = (numpy.cumsum(all_lengths) - all_lengths)[order]
    running = all_lengths[order]
    first: Rows = slice(0, len(order))
    after: Rows = slice(len(order), None)
    links: tuple = ()
    if block_length is None:
        rows, owner, sizes, offsets = _interleave(begins, running)
        place = _invert(rows)
    else:
        cut_begins, cut_lengths, cut_owner = _cut(begins, running, block_length)
        rows, piece, sizes, offsets = _interleave(cut_begins, cut_lengths)
        place, owner = _invert(rows), cut_owner[piece]
        first = place[begins]
        after = numpy.setdiff1d(numpy.arange(len(rows)), first)
        last = offsets[cut_lengths - 1] + numpy.arange(len(cut_lengths))
        links = _link(last, cut_owner, cut_begins)
    ends, before = place[begins + running - 1], place[rows[after] - 1]
    steps = sizes.tolist(), offsets.tolist()
    return Packing(
        order, running, rows, owner, first, ends, after, before, *steps, *links
    )


def _interleave(
    begins: numpy.ndarray, lengths: numpy.ndarray
) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray, numpy.ndarray]:
    """Bring runs of words, longest first, into time-major order: the row and the run of
    each packed row; the number of runs at each step, and its first packed row."""
    n_steps = int(lengths[0]) if len(lengths) else 0
    # The number of runs with more than t words, for every t.
    sizes = numpy.searchsorted(-lengths, -numpy.arange(n_steps), side="left")
    offsets = numpy.cumsum(sizes) - sizes
    step = numpy.repeat(numpy.arange(n_steps), sizes)
    run = numpy.arange(len(step)) - offsets[step]
    return begins[run] + step, run, sizes, offsets


def _invert(rows: numpy.ndarray) -> numpy.ndarray:
    """The packed row of each row."""
    place = numpy.empty_like(rows)
    place[rows] = numpy.arange(len(rows))
    return place


def _cut(
    begins: numpy.ndarray, lengths: numpy.ndarray, block_length: int
) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
    """Cut documents into pieces of at most `block_length` words: first row, length and
    document of each piece, longest first."""
    n_pieces = -(-lengths // block_length)
    owner = numpy.repeat(numpy.arange(len(lengths)), n_pieces)
    rank = numpy.arange(len(owner)) - (numpy.cumsum(n_pieces) - n_pieces)[owner]
    piece_begins = begins[owner] + rank * block_length
    piece_lengths = numpy.minimum(block_length, lengths[owner] - rank * block_length)
    order = numpy.argsort(-piece_lengths, kind="stable")
    return piece_begins[order], piece_lengths[order], owner[order]


def _link(
    last: numpy.ndarray, owner: numpy.ndarray, begins: numpy.ndarray
) -> tuple[Pieces, list[int]]:
    """The order of pieces within documents; and how many documents have a second piece,
    a third, ..."""
    order = numpy.lexsort((begins, owner))  # by document, then by place
    counts = numpy.bincount(owner)
    start = numpy.cumsum(counts) - counts
    n_linked = [int((counts > i).sum()) for i in range(1, int(counts.max()))]
    # Documents with more pieces come first.
    places = [start[:n] + i for i, n in enumerate(n_linked, start=1)]
    linked = numpy.concatenate([numpy.zeros(0, dtype=int), *places])
    pieces = Pieces(
        last,
        order[start],
        order[linked],
        order[linked - 1],
        order[start + counts - 1],
    )
    return pieces, n_linked
