"""What a lattice says: partition function, marginals, probabilities of entities."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Union

import numpy
from thinc.api import get_array_module

from .forward_backward import ScaledChains, from_chains
from .lattice import Array, Lattice
from .log_space import LogChains
from .tags import AllowedTransitions, TagSet

Chains = Union[ScaledChains, LogChains]


def solve(
    lattice: Lattice,
    legality: AllowedTransitions,
    allowed: Array | None = None,
    is_sound: Callable[[ScaledChains, numpy.ndarray], numpy.ndarray] | None = None,
) -> Iterator[tuple[numpy.ndarray, Chains]]:
    """Run forward-backward, in log space for the documents that need it.

    allowed: Restricts the tags word by word, bool, shape (n_words, n_chains * n_tags).
    is_sound: A further test of the scaled result: takes the chains and the words of the
        documents, returns a bool a document.
    YIELDS: The words (rows of the emissions) of the documents and their chains: as a
        rule once, for all documents.
    """
    documents = numpy.arange(len(lattice.lengths))
    chains = ScaledChains(lattice, legality, allowed)
    sound = chains.sound
    if is_sound is not None:
        sound = sound & is_sound(chains, numpy.arange(len(lattice.emissions)))
    if sound.all():
        yield lattice.words_of(documents), chains
        return
    order = chains.packing.order
    for chosen, kind in ((order[sound], ScaledChains), (order[~sound], LogChains)):
        if len(chosen):
            words = lattice.words_of(chosen)
            part = None if allowed is None else allowed[words]
            yield words, kind(lattice.select(chosen), legality, part)


def log_partition(lattice: Lattice, legality: AllowedTransitions) -> numpy.ndarray:
    """The log-partition function of each document.

    RETURNS: Float64 on the host, shape (n_docs, n_chains); 0 for a document without
        words.
    """
    log_z = numpy.zeros((len(lattice.lengths), lattice.n_chains))
    bounds = numpy.concatenate([[0], numpy.cumsum(lattice.lengths)]).astype(int)
    for words, chains in solve(lattice, legality):
        first_words = words[chains.packing.rows[: chains.packing.first_step]]
        documents = numpy.searchsorted(bounds, first_words, side="right") - 1
        log_z[documents] = to_host(chains.log_z).T
    return log_z


def tag_marginals(
    lattice: Lattice, legality: AllowedTransitions, allowed: Array | None = None
) -> Array:
    """The probability of each tag at each word: (n_words, n_chains, n_tags)."""
    xp = get_array_module(lattice.emissions)
    marginals = xp.zeros_like(lattice.emissions)
    for words, chains in solve(lattice, legality, allowed):
        part = from_chains(chains.marginals, chains.packing)
        marginals[xp.asarray(words)] = part
    return marginals.reshape(len(marginals), lattice.n_chains, lattice.n_tags)


def entity_probabilities(
    lattice: Lattice,
    tags: TagSet,
    spans: numpy.ndarray,
    allowed: Array | None = None,
) -> numpy.ndarray:
    """The exact probability of entities: that a span is an entity of its label, with
    these boundaries, whatever the rest of the document holds.

    It is the weight of all paths with that entity over the weight of all paths:
    alpha up to its first tag, the steps inside, and beta after its last.

    spans: As TagSet.find_spans gives them for the whole batch: (n_spans, 4) of chain,
        first word, end (exclusive) and B- tag.
    allowed: Restricts the tags word by word; the probability is then conditional on it.
    RETURNS: Float64 on the host, shape (n_spans,).
    """
    probabilities = numpy.zeros(len(spans))
    if not len(spans):
        return probabilities
    xp: Any = get_array_module(lattice.emissions)
    if allowed is not None:
        allowed = xp.asarray(allowed)
    place = numpy.full(len(lattice.emissions), -1)
    for words, chains in solve(lattice, tags.legality, allowed):
        place[:] = -1
        # Packed row of each word of these documents.
        place[words[chains.packing.rows]] = numpy.arange(len(words))
        mine = numpy.flatnonzero(place[spans[:, 1]] >= 0)
        logs = _log_probabilities(chains, tags, spans[mine], place)
        probabilities[mine] = numpy.exp(numpy.minimum(to_host(logs), 0.0))
    return probabilities


def _log_probabilities(
    chains: Chains, tags: TagSet, spans: numpy.ndarray, place: numpy.ndarray
) -> Array:
    xp: Any = chains.xp
    chain, start, end, begin_tag = spans.T
    lengths = end - start
    tag_at = numpy.array(
        [
            numpy.resize(tags.tag_string(tag, n), lengths.max())
            for tag, n in zip(begin_tag.tolist(), lengths.tolist())
        ]
    )
    logs = chains.log_enter(*_put(xp, chain, place[start], tag_at[:, 0]))
    for i in range(1, int(lengths.max())):
        on = numpy.flatnonzero(lengths > i)
        step = _put(
            xp, chain[on], place[start[on] + i], tag_at[on, i - 1], tag_at[on, i]
        )
        logs[xp.asarray(on)] += chains.log_step(*step)
    last_tag = tag_at[numpy.arange(len(spans)), lengths - 1]
    if tags.scheme == "biluo":
        return logs + chains.log_leave(*_put(xp, chain, place[end - 1], last_tag))
    return logs + _log_close(chains, chain, place, end, last_tag)


def _log_close(
    chains: Chains,
    chain: numpy.ndarray,
    place: numpy.ndarray,
    end: numpy.ndarray,
    last_tag: numpy.ndarray,
) -> Array:
    """IOB2 has no closing tag: the entity ends where no I- of it follows."""
    xp: Any = chains.xp
    row = place[end - 1]
    at_end = numpy.isin(row, chains.packing.last)
    logs = xp.zeros(len(row))
    on, off = numpy.flatnonzero(at_end), numpy.flatnonzero(~at_end)
    if len(on):
        logs[xp.asarray(on)] = chains.log_end(
            *_put(xp, chain[on], row[on], last_tag[on])
        )
    if len(off):
        follow = chains.log_follow(
            *_put(xp, chain[off], place[end[off]], last_tag[off])
        )
        # The B- of a label is odd, its I- the tag after it.
        inside = last_tag[off] + last_tag[off] % 2
        follow[xp.arange(len(off)), xp.asarray(inside)] = -xp.inf
        peak = follow.max(axis=1)
        peak = xp.where(xp.isfinite(peak), peak, 0)
        with numpy.errstate(divide="ignore"):
            total = xp.log(xp.exp(follow - peak[:, None]).sum(axis=1))
        logs[xp.asarray(off)] = total + peak
    return logs


def _put(xp: Any, *arrays: numpy.ndarray) -> list[Array]:
    return [xp.asarray(array) for array in arrays]


def to_host(array: Array) -> numpy.ndarray:
    """A NumPy array of a NumPy or CuPy array."""
    return array if isinstance(array, numpy.ndarray) else array.get()
