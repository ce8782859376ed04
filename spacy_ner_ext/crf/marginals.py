"""Partition function, marginals of tags and exact probabilities of entities."""

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
    allowed_transitions: AllowedTransitions,
    allowed: Array | None = None,
    is_sound: Callable[[ScaledChains, numpy.ndarray], numpy.ndarray] | None = None,
) -> Iterator[tuple[numpy.ndarray, Chains]]:
    """Run forward-backward, in log space for the documents that need it. Yields rows of
    the emissions and the chains of their documents; usually once, for all documents.

    allowed: Whether a word may have a tag, bool, shape (n_words, n_chains * n_tags).
    is_sound: A further check of the scaled result, which returns a bool per document.
    """
    documents = numpy.arange(len(lattice.lengths))
    chains = ScaledChains(lattice, allowed_transitions, allowed)
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
            yield words, kind(lattice.select(chosen), allowed_transitions, part)


def log_partition(
    lattice: Lattice,
    allowed_transitions: AllowedTransitions,
    allowed: Array | None = None,
) -> numpy.ndarray:
    """The log-partition function of each document, float64, shape (n_docs, n_chains);
    0 for a document without words."""
    log_z = numpy.zeros((len(lattice.lengths), lattice.n_chains))
    for words, chains in solve(lattice, allowed_transitions, allowed):
        first_words = words[chains.packing.rows[: chains.packing.first_step]]
        log_z[lattice.document_of(first_words)[0]] = to_host(chains.log_z).T
    return log_z


def tag_marginals(
    lattice: Lattice,
    allowed_transitions: AllowedTransitions,
    allowed: Array | None = None,
) -> Array:
    """The probability of each tag at each word, shape (n_words, n_chains, n_tags)."""
    xp = get_array_module(lattice.emissions)
    marginals = xp.zeros_like(lattice.emissions)
    for words, chains in solve(lattice, allowed_transitions, allowed):
        part = from_chains(chains.marginals, chains.packing)
        marginals[xp.asarray(words)] = part
    return marginals.reshape(len(marginals), lattice.n_chains, lattice.n_tags)


def entity_probabilities(
    lattice: Lattice,
    tags: TagSet,
    spans: numpy.ndarray,
    allowed: Array | None = None,
) -> numpy.ndarray:
    """The exact probability that each span of TagSet.find_spans is an entity of its
    label, conditional on `allowed`: float64 on the host, shape (n_spans,).

    It is the total weight of the paths that contain exactly this entity over the weight
    of all paths: alpha up to its first tag, the steps inside, and beta after its last.
    """
    probabilities = numpy.zeros(len(spans))
    if not len(spans):
        return probabilities
    lattice, spans, allowed = _select_documents(lattice, spans, allowed)
    place = numpy.full(len(lattice.emissions), -1)
    for words, chains in solve(lattice, tags.allowed_transitions, allowed):
        place[:] = -1
        # Packed row of each word of these documents.
        place[words[chains.packing.rows]] = numpy.arange(len(words))
        mine = numpy.flatnonzero(place[spans[:, 1]] >= 0)
        logs = _log_probabilities(chains, tags, spans[mine], place)
        probabilities[mine] = numpy.exp(numpy.minimum(to_host(logs), 0.0))
    return probabilities


def _select_documents(
    lattice: Lattice, spans: numpy.ndarray, allowed: Array | None
) -> tuple[Lattice, numpy.ndarray, Array | None]:
    """Restrict all arguments to the documents that have a span."""
    documents = numpy.unique(lattice.document_of(spans[:, 1])[0])
    words = lattice.words_of(documents)
    place = numpy.zeros(len(lattice.emissions), dtype=int)
    place[words] = numpy.arange(len(words))
    selected = spans.copy()
    selected[:, 1] = place[spans[:, 1]]
    selected[:, 2] = place[spans[:, 2] - 1] + 1
    if allowed is not None:
        allowed = get_array_module(lattice.emissions).asarray(allowed[words])
    return lattice.select(documents), selected, allowed


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
    return logs + _log_close(chains, tags, chain, place, end, last_tag)


def _log_close(
    chains: Chains,
    tags: TagSet,
    chain: numpy.ndarray,
    place: numpy.ndarray,
    end: numpy.ndarray,
    last_tag: numpy.ndarray,
) -> Array:
    """IOB2 has no closing tag: the entity ends where its I- tag does not follow."""
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
        inside = tags.inside_tag(last_tag[off])
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
    return array if isinstance(array, numpy.ndarray) else array.get()
