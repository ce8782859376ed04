"""From the scores of a batch to entities with probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy

from .lattice import Lattice
from .marginals import entity_probabilities
from .tags import TagSet
from .viterbi import best_paths


@dataclass(frozen=True)
class Decoded:
    """The entities of the best legal tags of a batch.

    entities: The document, the first token, the end (exclusive) and the label of each.
    lattice: The scores of the documents that have any.
    tags: The tags.
    spans: The same entities on the words of these documents, as TagSet.find_spans gives
        them.
    allowed: Restricts the tags of these words.
    """

    entities: list[tuple[int, int, int, str]]
    lattice: Lattice
    tags: TagSet
    spans: numpy.ndarray
    allowed: Any

    def probabilities(self, temperature: float = 1.0) -> numpy.ndarray:
        """The exact probabilities of the entities.

        temperature: What all scores are divided by.
        RETURNS: Shape (n_entities,).
        """
        lattice = self.lattice
        if temperature != 1:
            lattice = lattice.scaled(1 / temperature)
        return entity_probabilities(lattice, self.tags, self.spans, self.allowed)


def decode(
    lattice: Lattice, tags: TagSet, allowed: Any, entity_bias: float = 0.0
) -> Decoded:
    """Find the entities of the best legal tags.

    allowed: Restricts the tags word by word, bool, shape (n_words, n_chains * n_tags).
    entity_bias: Added to the scores of all tags but O before the best are chosen;
        probabilities are without it.
    """
    biased = lattice.favouring_entities(entity_bias) if entity_bias else lattice
    spans = tags.find_spans(best_paths(biased, tags.legality, allowed))
    bounds = numpy.concatenate([[0], numpy.cumsum(lattice.lengths)]).astype(int)
    owner = numpy.searchsorted(bounds, spans[:, 1], side="right") - 1
    first = bounds[owner]
    columns = (owner, spans[:, 1] - first, spans[:, 2] - first)
    rows = zip(*(column.tolist() for column in (*columns, spans[:, 0], spans[:, 3])))
    entities = [
        (document, start, end, tags.label_of(chain, tag))
        for document, start, end, chain, tag in rows
    ]
    return Decoded(entities, *_with_spans(lattice, tags, spans, owner, allowed))


def _with_spans(
    lattice: Lattice,
    tags: TagSet,
    spans: numpy.ndarray,
    owner: numpy.ndarray,
    allowed: Any,
) -> tuple[Lattice, TagSet, numpy.ndarray, Any]:
    """The documents that have entities; those without any cost nothing."""
    documents = numpy.unique(owner)
    words = lattice.words_of(documents)
    place = numpy.zeros(len(lattice.emissions), dtype=int)
    place[words] = numpy.arange(len(words))
    moved = spans.copy()
    moved[:, 1] = place[spans[:, 1]]
    moved[:, 2] = place[spans[:, 2] - 1] + 1
    part = None if allowed is None else allowed[words]
    return lattice.select(documents), tags, moved, part
