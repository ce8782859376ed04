"""The log-probability of an entity under a CRF, and its gradient."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy
from thinc.api import get_array_module

from ...crf.forward_backward import from_chains
from ...crf.lattice import Lattice
from ...crf.marginals import solve, to_host
from ...crf.objectives import zero_gradient
from ...crf.tags import AllowedTransitions, TagSet


def entity_mask(
    tags: TagSet, n_words: int, start: int, end: int, label: str
) -> numpy.ndarray:
    """The tags of the sequences in which a span is exactly an entity of a label.

    n_words: The words of the document.
    start, end: The first word of the span and the one after its last.
    RETURNS: Whether a word may have a tag, bools, shape (n_words, n_chains * n_tags).
    """
    allowed = numpy.ones((n_words, tags.n_chains, tags.n_tags), dtype=bool)
    tags.require(allowed, (start, end, label))
    return allowed.reshape(n_words, -1)


def entity_log_probabilities(
    lattice: Lattice, tags: TagSet, allowed: numpy.ndarray
) -> tuple[numpy.ndarray, Lattice]:
    """The log-probability that the sequence of each document is one of the allowed,
    and the gradient of their sum by the emissions.

    With Z summed over the allowed sequences and Z over all of them, it is the
    difference of their logarithms, and the gradient that of their tags' marginals
    (Sutton and McCallum 2012, An Introduction to Conditional Random Fields, section 5).

    allowed: What `entity_mask` gave, for all documents.
    RETURNS: One number a document, float64 on the host, and the gradient; that of the
        transitions is zero.
    """
    # Both logarithms are large, and their difference is not.
    exact = replace(lattice, emissions=lattice.emissions.astype("float64"))
    inside, d_inside = _log_partition(exact, tags.allowed_transitions, allowed)
    every, d_every = _log_partition(exact, tags.allowed_transitions, None)
    gradient = zero_gradient(lattice)
    gradient.emissions[:] = d_inside - d_every
    return inside - every, gradient


def _log_partition(
    lattice: Lattice, allowed_transitions: AllowedTransitions, allowed: Any
) -> tuple[numpy.ndarray, Any]:
    """log Z of each document, summed over its chains, and the marginals of its tags."""
    log_z = numpy.zeros(len(lattice.lengths))
    gradient = zero_gradient(lattice).emissions
    for words, chains in solve(
        lattice, allowed_transitions, _like(lattice.emissions, allowed)
    ):
        packing, xp = chains.packing, chains.xp
        first_words = words[packing.rows[: packing.first_step]]
        documents, _ = lattice.document_of(first_words)
        log_z[documents] = to_host(chains.log_z).sum(axis=0)
        gradient[xp.asarray(words)] = from_chains(chains.marginals, packing)
    return log_z, gradient


def _like(array: Any, other: Any) -> Any:
    """An array on the device of another one."""
    return None if other is None else get_array_module(array).asarray(other)
