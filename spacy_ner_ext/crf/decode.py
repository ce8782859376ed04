"""From the scores of a batch to entities with probabilities."""

from __future__ import annotations

from typing import Any

import numpy

from ..labels import TagSet
from .inference import entity_probabilities
from .lattice import Lattice
from .viterbi import best_paths

# First token, end (exclusive), label, probability.
ScoredSpan = tuple[int, int, str, float]


def decode(
    lattice: Lattice,
    tags: TagSet,
    allowed: Any,
    threshold: float,
    entity_bias: float = 0.0,
) -> list[list[ScoredSpan]]:
    """Find the entities of the best legal tags, and their exact probabilities.

    lattice (Lattice): The scores.
    tags (TagSet): The tags.
    allowed (Optional[Array]): Restricts the tags word by word, bool, shape
        (n_words, n_chains * n_tags).
    threshold (float): Entities of a lower probability are left out.
    entity_bias (float): Added to the scores of all tags but O before the best are
        chosen; probabilities are without it.
    RETURNS (List[List[Tuple[int, int, str, float]]]): For each document, first token,
        end (exclusive), label and probability.
    """
    found: list[list[ScoredSpan]] = [[] for _ in lattice.lengths]
    biased = lattice.favouring_entities(entity_bias) if entity_bias else lattice
    spans = tags.find_spans(best_paths(biased, tags.legality, allowed))
    bounds = numpy.concatenate([[0], numpy.cumsum(lattice.lengths)]).astype(int)
    owner = numpy.searchsorted(bounds, spans[:, 1], side="right") - 1
    scores = _probabilities(lattice, tags, spans, owner, allowed)
    rows = zip(owner.tolist(), spans.tolist(), scores.tolist())
    for document, (chain, start, end, tag), score in rows:
        if score >= threshold:
            first, label = int(bounds[document]), tags.label_of(chain, tag)
            found[document].append((start - first, end - first, label, score))
    return found


def _probabilities(
    lattice: Lattice,
    tags: TagSet,
    spans: numpy.ndarray,
    owner: numpy.ndarray,
    allowed: Any,
) -> numpy.ndarray:
    """Probabilities of decoded spans; documents without any cost nothing."""
    documents = numpy.unique(owner)
    words = lattice.words_of(documents)
    place = numpy.zeros(len(lattice.emissions), dtype=int)
    place[words] = numpy.arange(len(words))
    moved = spans.copy()
    moved[:, 1] = place[spans[:, 1]]
    moved[:, 2] = place[spans[:, 2] - 1] + 1
    part = None if allowed is None else allowed[words]
    return entity_probabilities(lattice.select(documents), tags, moved, part)
