"""Partition function, marginals of tags and exact probabilities of entities."""

from collections.abc import Callable, Iterator, Sequence
from typing import Union

import numpy
from thinc.api import get_array_module

from .device import Array, put_indices, take_rows
from .forward_backward import ScaledChains, from_chains
from .lattice import Lattice
from .log_space import LogChains
from .packing import Packing
from .tags import AllowedTransitions, TagSet

Chains = Union[ScaledChains, LogChains]
Kind = Callable[[Lattice, AllowedTransitions, Union[Array, None]], Chains]
# What to compute from the chains of some words, the rows of the emissions.
Extra = Callable[[Chains, numpy.ndarray], Sequence[Array]]
# Rows of the emissions, the chains of their documents, and the arrays of `extra`, on
# the host.
Solution = tuple[numpy.ndarray, Chains, list[numpy.ndarray]]


def solve(
    lattice: Lattice,
    allowed_transitions: AllowedTransitions,
    allowed: Array | None = None,
    extra: Extra | None = None,
    is_sound: Callable[[Packing, list[numpy.ndarray]], numpy.ndarray] | None = None,
) -> Iterator[Solution]:
    """Run forward-backward, for documents that need it in float64 or in log space.
    Usually yields once, for all documents, after a single wait for a GPU.

    allowed: Whether a word may have a tag, bool, shape (n_words, n_chains * n_tags).
    is_sound: A further check of the scaled result, which gets the arrays of `extra` and
        returns a bool per document.
    """

    def run(kind: Kind, documents: numpy.ndarray) -> Solution:
        words = lattice.words_of(documents)
        mask = None if allowed is None else take_rows(allowed, words)
        chains = kind(lattice.select(documents), allowed_transitions, mask)
        # A document that underflows is found by `measure`.
        with numpy.errstate(divide="ignore", invalid="ignore", over="ignore"):
            arrays = extra(chains, words) if extra else ()
            return words, chains, chains.measure(arrays)

    def attempt(kinds: Sequence[Kind], documents: numpy.ndarray) -> Iterator[Solution]:
        solution = run(kinds[0], documents)
        _, chains, values = solution
        sound = chains.sound
        if is_sound is not None and len(kinds) > 1:
            sound = sound & is_sound(chains.packing, values)
        if sound.all():
            yield solution
            return
        order = documents[chains.packing.order]
        if sound.any():
            yield run(kinds[0], order[sound])
        yield from attempt(kinds[1:], order[~sound])

    kinds: list[Kind] = [ScaledChains, LogChains]
    if lattice.emissions.dtype == "float32":
        kinds.insert(1, _in_double_precision)
    yield from attempt(kinds, numpy.arange(len(lattice.lengths)))


def _in_double_precision(
    lattice: Lattice, allowed_transitions: AllowedTransitions, allowed: Array | None
) -> ScaledChains:
    return ScaledChains(lattice.astype("float64"), allowed_transitions, allowed)


def log_partition(
    lattice: Lattice,
    allowed_transitions: AllowedTransitions,
    allowed: Array | None = None,
) -> numpy.ndarray:
    """The log-partition function of each document, float64, shape (n_docs, n_chains);
    0 for a document without words."""
    log_z = numpy.zeros((len(lattice.lengths), lattice.n_chains))
    for words, chains, _ in solve(lattice, allowed_transitions, allowed):
        last_words = words[chains.packing.rows[chains.packing.last]]
        log_z[lattice.document_of(last_words)[0]] = chains.log_z.T
    return log_z


def tag_marginals(
    lattice: Lattice,
    allowed_transitions: AllowedTransitions,
    allowed: Array | None = None,
) -> Array:
    """The probability of each tag at each word, shape (n_words, n_chains, n_tags)."""
    xp = get_array_module(lattice.emissions)
    marginals = xp.zeros_like(lattice.emissions)
    for words, chains, _ in solve(lattice, allowed_transitions, allowed):
        part = from_chains(chains.marginals, chains.packing)
        marginals[put_indices(marginals, [words])[0]] = part
    return marginals.reshape(len(marginals), lattice.n_chains, lattice.n_tags)


def entity_probabilities(
    lattice: Lattice,
    tags: TagSet,
    spans: numpy.ndarray,
    allowed: numpy.ndarray | None = None,
) -> numpy.ndarray:
    """The exact probability that each span of TagSet.find_spans is an entity of its
    label, conditional on `allowed`: float64 on the host, shape (n_spans,).

    It is the total weight of the paths that contain exactly this entity over the weight
    of all paths: alpha up to its first tag, the steps inside, and beta after its last.
    """
    probabilities = numpy.zeros(len(spans))
    if not len(spans):
        return probabilities
    lattice, spans, mask = _select_documents(lattice, spans, allowed)

    def extra(chains: Chains, words: numpy.ndarray) -> Sequence[Array]:
        own, place = _spans_of(words, chains.packing, spans)
        return _log_weights(chains, tags, spans[own], place)

    solved = solve(lattice, tags.allowed_transitions, mask, extra)
    for words, chains, (before, inside, *after) in solved:
        own, place = _spans_of(words, chains.packing, spans)
        lengths = spans[own, 2] - spans[own, 1]
        owner = numpy.repeat(numpy.arange(len(own)), lengths - 1)
        logs = before + numpy.bincount(owner, inside, len(own))
        if tags.scheme == "biluo":
            logs += after[0]
        else:
            at_end = _are_at_end(spans[own], place, chains.packing)
            logs[at_end] += after[0]
            logs[~at_end] += after[1]
        probabilities[own] = numpy.exp(numpy.minimum(logs, 0.0))
    return probabilities


def _select_documents(
    lattice: Lattice, spans: numpy.ndarray, allowed: numpy.ndarray | None
) -> tuple[Lattice, numpy.ndarray, Array | None]:
    """Restrict all arguments to the documents that have a span."""
    documents = numpy.unique(lattice.document_of(spans[:, 1])[0])
    words = lattice.words_of(documents)
    place = numpy.zeros(len(lattice.emissions), dtype=int)
    place[words] = numpy.arange(len(words))
    selected = spans.copy()
    selected[:, 1] = place[spans[:, 1]]
    selected[:, 2] = place[spans[:, 2] - 1] + 1
    mask = None
    if allowed is not None:
        mask = get_array_module(lattice.emissions).asarray(allowed[words])
    return lattice.select(documents), selected, mask


def _spans_of(
    words: numpy.ndarray, packing: Packing, spans: numpy.ndarray
) -> tuple[numpy.ndarray, numpy.ndarray]:
    """The spans in some words, and the packed row of each word; -1 for all others."""
    place = numpy.full(max(int(words.max()), int(spans[:, 2].max())) + 1, -1)
    place[words[packing.rows]] = numpy.arange(len(words))
    return numpy.flatnonzero(place[spans[:, 1]] >= 0), place


def _are_at_end(
    spans: numpy.ndarray, place: numpy.ndarray, packing: Packing
) -> numpy.ndarray:
    """Whether each span ends with its document."""
    return numpy.isin(place[spans[:, 2] - 1], packing.last)


def _log_weights(
    chains: Chains, tags: TagSet, spans: numpy.ndarray, place: numpy.ndarray
) -> list[Array]:
    """Log weights of the paths up to the first word of each span, of each step inside
    the spans, and of the paths after them.

    The number of operations does not depend on the spans. IOB2 has no closing tag: an
    entity ends where its I- tag does not follow. Its last weights are in two arrays, of
    the spans at the end of a document and of all others.
    """
    _, n_words, n_tags = chains.alpha.shape
    chain, start, end, begin_tag = spans.T
    lengths = end - start
    first = numpy.cumsum(lengths) - lengths
    last = first + lengths - 1
    # The words of one span after another.
    word = numpy.arange(lengths.sum()) + numpy.repeat(start - first, lengths)
    tag = tags.tag_strings(begin_tag, lengths)
    row = numpy.repeat(chain, lengths) * n_words + place[word]
    transition = numpy.repeat(chain, lengths) * n_tags + tag
    cell, inside = row * n_tags + tag, numpy.setdiff1d(numpy.arange(len(word)), first)
    steps = transition[inside - 1] * n_tags + tag[inside]
    indices = [cell[first], cell[inside], steps]
    if tags.scheme == "biluo":
        enter, within, steps, leave = put_indices(chains.alpha, [*indices, cell[last]])
        after = [chains.log_leave(leave)]
    else:
        at_end = _are_at_end(spans, place, chains.packing)
        document = chain * len(chains.packing.order)
        document += chains.packing.document[place[end - 1]]
        ending, following = last[at_end], last[~at_end]
        next_row = chain[~at_end] * n_words + place[end[~at_end]]
        indices += [transition[ending], document[at_end], next_row]
        indices += [transition[following], tags.inside_tag(tag[following])]
        enter, within, steps, *closing = put_indices(chains.alpha, indices)
        after = [chains.log_end(*closing[:2]), chains.log_close(*closing[2:])]
    return [chains.log_enter(enter), chains.log_step(within, steps), *after]
