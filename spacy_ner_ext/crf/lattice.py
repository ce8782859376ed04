"""The scores of a batch of documents under a linear-chain CRF, and their packing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Union

import numpy
from thinc.api import get_array_module

# Places of documents in a batch.
Documents = Union[Sequence[int], numpy.ndarray]
Array = Any  # NumPy or CuPy: the same code runs on both.


@dataclass
class Lattice:
    """What a CRF layer passes forward, and the shape of its gradient.

    emissions: Score of each tag at each word, the documents one after another:
        (n_words, n_chains * n_tags).
    lengths: Words of each document; 0 is allowed.
    transitions: Score of the column's tag after the row's: (n_chains, n_tags, n_tags).
    start: Score of a first tag: (n_chains, n_tags).
    end: Score of a last tag: (n_chains, n_tags).
    """

    emissions: Array
    lengths: Sequence[int]
    transitions: Array
    start: Array
    end: Array

    @property
    def n_chains(self) -> int:
        return self.transitions.shape[0]

    @property
    def n_tags(self) -> int:
        return self.transitions.shape[1]

    def words_of(self, documents: Documents) -> numpy.ndarray:
        """Rows of `emissions` that belong to the given documents, in their order."""
        lengths = numpy.asarray(self.lengths, dtype=int)
        chosen = numpy.asarray(documents, dtype=int)
        first = (numpy.cumsum(lengths) - lengths)[chosen]
        # Each word's row is its place in the result, moved by its document's shift.
        before = numpy.cumsum(lengths[chosen]) - lengths[chosen]
        return numpy.arange(lengths[chosen].sum()) + numpy.repeat(
            first - before, lengths[chosen]
        )

    def select(self, documents: Documents) -> Lattice:
        """The lattice of some of the documents, with the same transitions."""
        xp = get_array_module(self.emissions)
        return Lattice(
            self.emissions[xp.asarray(self.words_of(documents))],
            [self.lengths[i] for i in documents],
            self.transitions,
            self.start,
            self.end,
        )

    def favouring_entities(self, bias: float) -> Lattice:
        """The same with a bias added to the emissions of all tags but O, the first."""
        xp = get_array_module(self.emissions)
        added = xp.full(self.emissions.shape[1], bias, dtype=self.emissions.dtype)
        added[:: self.n_tags] = 0
        return replace(self, emissions=self.emissions + added)

    def scaled(self, factor: float) -> Lattice:
        """The scores, or their gradient, times a factor."""
        return Lattice(
            self.emissions * factor,
            self.lengths,
            self.transitions * factor,
            self.start * factor,
            self.end * factor,
        )


@dataclass(frozen=True)
class Packing:
    """The words of a batch in time-major order, longest document first.

    At step t the documents that are still running are the first `sizes[t]`, and
    their words are the packed rows from `offsets[t]` on, so that padding costs
    nothing. All arrays are on the host.

    order: The documents that have words, longest first.
    lengths: Their lengths, in that order.
    rows: For each packed row, the row of the concatenated documents.
    sizes, offsets: Running documents and first packed row a step.
    """

    order: numpy.ndarray
    lengths: numpy.ndarray
    rows: numpy.ndarray
    sizes: list[int]
    offsets: list[int]

    @classmethod
    def from_lengths(cls, lengths: Sequence[int]) -> Packing:
        all_lengths = numpy.asarray(lengths, dtype=int)
        order = numpy.argsort(-all_lengths, kind="stable")
        order = order[: int((all_lengths > 0).sum())]
        running = all_lengths[order]
        n_steps = int(running[0]) if len(running) else 0
        # Documents of at least t+1 words, for every t: a count of sorted lengths.
        sizes = numpy.searchsorted(-running, -numpy.arange(n_steps), side="left")
        offsets = numpy.concatenate([[0], numpy.cumsum(sizes)]).astype(int)
        step = numpy.repeat(numpy.arange(n_steps), sizes)
        place = numpy.arange(len(step)) - offsets[step]
        begins = numpy.concatenate([[0], numpy.cumsum(all_lengths)]).astype(int)
        rows = begins[order][place] + step
        return cls(order, running, rows, sizes.tolist(), offsets[:-1].tolist())

    @property
    def n_steps(self) -> int:
        return len(self.sizes)

    @cached_property
    def steps(self) -> list[tuple[Any, Any]]:
        """For each step the index of its packed rows in an array whose last axes are
        rows and tags, and that of the same documents one step before."""
        behind = [0, *self.offsets[:-1]]
        return [
            (
                (..., slice(here, here + size), slice(None)),
                (..., slice(before, before + size), slice(None)),
            )
            for here, before, size in zip(self.offsets, behind, self.sizes)
        ]

    @cached_property
    def last(self) -> numpy.ndarray:
        """The packed row of each document's last word, longest document first."""
        offsets = numpy.asarray(self.offsets, dtype=int)
        return offsets[self.lengths - 1] + numpy.arange(len(self.lengths))

    @cached_property
    def before(self) -> numpy.ndarray:
        """For every packed row after the first step, the row of the word before."""
        sizes = numpy.asarray(self.sizes, dtype=int)
        behind = numpy.repeat(sizes[:-1], sizes[1:])
        return numpy.arange(self.first_step, len(self.rows)) - behind

    @property
    def first_step(self) -> int:
        """How many packed rows the first step has."""
        return self.sizes[0] if self.sizes else 0

    @cached_property
    def document(self) -> numpy.ndarray:
        """For each packed row, the place of its document in `order`."""
        step = numpy.repeat(numpy.arange(self.n_steps), self.sizes)
        return numpy.arange(len(self.rows)) - numpy.asarray(self.offsets, int)[step]
