"""The scores of a batch of documents under a CRF, and their packed order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Union

import numpy
from thinc.api import get_array_module

from .tags import OUTSIDE

# Indices of documents in a batch.
Documents = Union[Sequence[int], numpy.ndarray]
Array = Any  # NumPy or CuPy: the same code runs on both.


@dataclass
class Lattice:
    """The output of a CRF layer, or its gradient: scores of tags."""

    emissions: Array  # (n_words, n_chains * n_tags), documents one after another
    lengths: Sequence[int]  # words of each document, 0 or more
    transitions: Array  # from row to column, (n_chains, n_tags, n_tags)
    start: Array  # of the first word, (n_chains, n_tags)
    end: Array  # of the last word, (n_chains, n_tags)

    @property
    def n_chains(self) -> int:
        return self.transitions.shape[0]

    @property
    def n_tags(self) -> int:
        return self.transitions.shape[1]

    def words_of(self, documents: Documents) -> numpy.ndarray:
        """The rows of `emissions` that belong to some documents, in their order."""
        lengths = numpy.asarray(self.lengths, dtype=int)
        chosen = numpy.asarray(documents, dtype=int)
        first = (numpy.cumsum(lengths) - lengths)[chosen]
        before = numpy.cumsum(lengths[chosen]) - lengths[chosen]
        return numpy.arange(lengths[chosen].sum()) + numpy.repeat(
            first - before, lengths[chosen]
        )

    def document_of(self, rows: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
        """The document of each row of `emissions`, and the document's first row."""
        bounds = numpy.concatenate([[0], numpy.cumsum(self.lengths)]).astype(int)
        documents = numpy.searchsorted(bounds, rows, side="right") - 1
        return documents, bounds[documents]

    def select(self, documents: Documents) -> Lattice:
        """The lattice of some of the documents."""
        xp = get_array_module(self.emissions)
        emissions = self.emissions[xp.asarray(self.words_of(documents))]
        lengths = [self.lengths[i] for i in documents]
        return replace(self, emissions=emissions, lengths=lengths)

    def favor_entities(self, bias: float) -> Lattice:
        """Add a bias to the emissions of all tags except O."""
        xp = get_array_module(self.emissions)
        added = xp.full(self.emissions.shape[1], bias, dtype=self.emissions.dtype)
        added[OUTSIDE :: self.n_tags] = 0
        return replace(self, emissions=self.emissions + added)

    def scaled(self, factor: float) -> Lattice:
        """Multiply the scores, or their gradient, by a factor."""
        names = "emissions", "transitions", "start", "end"
        return replace(self, **{name: getattr(self, name) * factor for name in names})


@dataclass(frozen=True)
class Packing:
    """The words of a batch in time-major order, longest document first.

    At step t the first `sizes[t]` documents are still running, and their words are the
    packed rows from `offsets[t]` on, without padding. All arrays are on the host.
    """

    order: numpy.ndarray  # the documents that have words, longest first
    lengths: numpy.ndarray  # of these
    rows: numpy.ndarray  # the row of the concatenated documents, for each packed row
    sizes: list[int]
    offsets: list[int]

    @classmethod
    def from_lengths(cls, lengths: Sequence[int]) -> Packing:
        all_lengths = numpy.asarray(lengths, dtype=int)
        order = numpy.argsort(-all_lengths, kind="stable")
        order = order[: int((all_lengths > 0).sum())]
        running = all_lengths[order]
        n_steps = int(running[0]) if len(running) else 0
        # The number of documents with more than t words, for every t.
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

    @cached_property
    def last(self) -> numpy.ndarray:
        """The packed row of each document's last word, longest document first."""
        offsets = numpy.asarray(self.offsets, dtype=int)
        return offsets[self.lengths - 1] + numpy.arange(len(self.lengths))

    @cached_property
    def before(self) -> numpy.ndarray:
        """The packed row of the previous word, for each row after the first step."""
        sizes = numpy.asarray(self.sizes, dtype=int)
        distances = numpy.repeat(sizes[:-1], sizes[1:])
        return numpy.arange(self.first_step, len(self.rows)) - distances

    @property
    def first_step(self) -> int:
        return self.sizes[0] if self.sizes else 0

    @cached_property
    def document(self) -> numpy.ndarray:
        """The position of each packed row's document in `order`."""
        step = numpy.repeat(numpy.arange(self.n_steps), self.sizes)
        return numpy.arange(len(self.rows)) - numpy.asarray(self.offsets, int)[step]
