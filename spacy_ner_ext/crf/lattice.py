"""The scores of a batch of documents under a CRF."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Union

import numpy
from thinc.api import get_array_module

from .device import Array, take_rows
from .tags import OUTSIDE

# Indices of documents in a batch.
Documents = Union[Sequence[int], numpy.ndarray]

SCORES = ("emissions", "transitions", "start", "end")


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

    def stack_parameters(self) -> Array:
        """The scores of transitions, start and end, (n_chains, n_tags + 2, n_tags)."""
        xp = get_array_module(self.transitions)
        rows = self.transitions, self.start[:, None], self.end[:, None]
        return xp.concatenate(rows, axis=1)

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
        emissions = take_rows(self.emissions, self.words_of(documents))
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
        return replace(self, **{n: getattr(self, n) * factor for n in SCORES})

    def astype(self, dtype: str) -> Lattice:
        """Convert the scores to a type."""
        return replace(self, **{n: getattr(self, n).astype(dtype) for n in SCORES})
