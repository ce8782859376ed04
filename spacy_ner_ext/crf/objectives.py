"""Training objectives of a CRF: losses and their exact gradients.

Gold tags may have gaps: a word with a missing tag may have any valid tag, and does not
count as O.
"""

from collections.abc import Callable
from typing import Any

import numpy
from thinc.api import get_array_module

from .forward_backward import ScaledChains
from .lattice import Array, Lattice
from .marginals import Chains, solve, to_host
from .tags import MISSING, AllowedTransitions

# The square of a smaller probability underflows in float32.
MIN_MARGINAL = 1e-15

Objective = Callable[
    [Lattice, numpy.ndarray, AllowedTransitions], tuple[float, Lattice]
]


def zero_gradient(lattice: Lattice) -> Lattice:
    """A lattice of zeros of the same shape."""
    xp = get_array_module(lattice.emissions)
    return Lattice(
        xp.zeros_like(lattice.emissions),
        lattice.lengths,
        xp.zeros_like(lattice.transitions),
        xp.zeros_like(lattice.start),
        xp.zeros_like(lattice.end),
    )


def add_counts(
    gradient: Lattice, words: numpy.ndarray, chains: Chains, counts: Array, steps: Array
) -> None:
    """Add the counts of tags and transitions of some documents to a gradient."""
    xp, packing = chains.xp, chains.packing
    rows = xp.asarray(words[packing.rows])
    gradient.emissions[rows] += counts.transpose(1, 0, 2).reshape(len(rows), -1)
    gradient.transitions += steps
    gradient.start += counts[:, : packing.first_step].sum(axis=1)
    gradient.end += counts[:, xp.asarray(packing.last)].sum(axis=1)


def joint(
    lattice: Lattice, gold: numpy.ndarray, allowed_transitions: AllowedTransitions
) -> tuple[float, Lattice]:
    """Negative log-likelihood of the gold sequences (Lafferty et al. 2001); with gaps,
    of all sequences that agree with the known tags (Tsuboi et al. 2008).

    gold: Gold tags, shape (n_words, n_chains); MISSING where unknown.
    RETURNS: The loss, summed over documents and chains, and its gradient.
    """
    gradient = zero_gradient(lattice)
    complete, partial = split_by_gaps(lattice, gold)
    used = numpy.union1d(complete, partial)
    loss = _add_partition(gradient, lattice, used, allowed_transitions, None, sign=1)
    loss -= _add_gold_paths(gradient, lattice, complete, gold)
    if len(partial):
        allowed = allowed_tags(gold, lattice.n_tags)
        loss += _add_partition(
            gradient, lattice, partial, allowed_transitions, allowed, sign=-1
        )
    return loss, gradient


def split_by_gaps(
    lattice: Lattice, gold: numpy.ndarray
) -> tuple[numpy.ndarray, numpy.ndarray]:
    """The documents with complete gold tags, and those with gaps; documents without
    words or without gold tags are in neither."""
    bounds = numpy.concatenate([[0], numpy.cumsum(lattice.lengths)]).astype(int)
    known = numpy.concatenate([[0], numpy.cumsum((gold != MISSING).sum(axis=1))])
    n_known = known[bounds[1:]] - known[bounds[:-1]]
    n_cells = numpy.asarray(lattice.lengths, dtype=int) * gold.shape[1]
    full = n_known == n_cells
    return (
        numpy.flatnonzero(full & (n_known > 0)),
        numpy.flatnonzero(~full & (n_known > 0)),
    )


def allowed_tags(gold: numpy.ndarray, n_tags: int) -> numpy.ndarray:
    """The tags that agree with gold tags, bool, shape (n_words, n_chains * n_tags)."""
    open_ = (gold == MISSING)[..., None] | (gold[..., None] == numpy.arange(n_tags))
    return open_.reshape(len(gold), -1)


def _add_partition(
    gradient: Lattice,
    lattice: Lattice,
    documents: numpy.ndarray,
    allowed_transitions: AllowedTransitions,
    allowed: Any,
    sign: int,
) -> float:
    """Add sign * log Z of some documents to the loss and its gradient."""
    words = lattice.words_of(documents)
    if not len(words):
        return 0.0
    xp = get_array_module(lattice.emissions)
    everything = len(documents) == len(lattice.lengths)
    part = lattice if everything else lattice.select(documents)
    mask = None if allowed is None else xp.asarray(allowed[words])
    loss = 0.0
    for some, chains in solve(part, allowed_transitions, mask):
        loss += sign * float(chains.log_z.sum())
        counts, steps = chains.marginals, chains.expected_transitions()
        if sign < 0:
            counts, steps = -counts, -steps
        add_counts(gradient, words[some], chains, counts, steps)
    return loss


def _add_gold_paths(
    gradient: Lattice, lattice: Lattice, documents: numpy.ndarray, gold: numpy.ndarray
) -> float:
    """Score the gold paths of complete documents, and subtract their counts."""
    xp: Any = get_array_module(lattice.emissions)
    if not len(documents):
        return 0.0
    words, tags = lattice.words_of(documents), gold[lattice.words_of(documents)]
    last = numpy.cumsum(numpy.asarray(lattice.lengths, dtype=int)[documents]) - 1
    first = numpy.concatenate([[0], last[:-1] + 1])
    follows = numpy.ones(len(words), dtype=bool)
    follows[first] = False
    chain = numpy.arange(lattice.n_chains)
    uses: dict[str, tuple[numpy.ndarray, ...]] = {
        "transitions": (chain, tags[:-1][follows[1:]], tags[follows]),
        "start": (chain, tags[first]),
        "end": (chain, tags[last]),
    }
    cell = (xp.asarray(words[:, None]), xp.asarray(chain * lattice.n_tags + tags))
    score = float(lattice.emissions[cell].sum(dtype="float64"))
    gradient.emissions[cell] -= 1
    for name, index in uses.items():
        scores, slope = getattr(lattice, name), getattr(gradient, name)
        flat = numpy.ravel_multi_index(numpy.broadcast_arrays(*index), scores.shape)
        counts = numpy.bincount(flat.ravel(), minlength=scores.size)
        counts = xp.asarray(counts.reshape(scores.shape).astype(scores.dtype))
        score += float((counts * scores).sum(dtype="float64"))
        slope -= counts
    return score


def marginal(
    lattice: Lattice, gold: numpy.ndarray, allowed_transitions: AllowedTransitions
) -> tuple[float, Lattice]:
    """Negative log of the product of the gold tags' marginals (Kakade et al. 2002).

    Its gradient is a Hessian-vector product of log Z, at the cost of about two more
    forward-backward passes. Arguments and result as in `joint`.
    """
    gradient = zero_gradient(lattice)
    used = numpy.union1d(*split_by_gaps(lattice, gold))
    words_used = lattice.words_of(used)
    if not len(words_used):
        return 0.0, gradient
    part, known = lattice.select(used), gold[words_used]

    def is_sound(chains: ScaledChains, words: numpy.ndarray) -> numpy.ndarray:
        chain, row, tag, _ = _gold_cells(chains, known[words])
        low = to_host(chains.marginals[chain, row, tag] < MIN_MARGINAL)
        bad = chains.packing.document[to_host(row)[low]]
        return ~numpy.isin(numpy.arange(len(chains.packing.order)), bad)

    loss = 0.0
    for words, chains in solve(part, allowed_transitions, None, is_sound):
        loss += _add_marginal(gradient, words_used[words], chains, known[words])
    return loss, gradient


def _gold_cells(
    chains: Chains, gold: numpy.ndarray
) -> tuple[Array, Array, Array, Array]:
    """Chain, packed row and tag of each known gold tag; and the number of known tags in
    the document of each packed row, shape (n_chains, n_words)."""
    xp: Any = chains.xp
    packing = chains.packing
    tags = gold[packing.rows].T
    chain, row = numpy.nonzero(tags != MISSING)
    tag = tags[chain, row]
    counts = numpy.zeros((len(tags), len(packing.order)))
    numpy.add.at(counts, (chain, packing.document[row]), 1)
    per_row = counts[:, packing.document]
    return xp.asarray(chain), xp.asarray(row), xp.asarray(tag), xp.asarray(per_row)


def _add_marginal(
    gradient: Lattice, words: numpy.ndarray, chains: Chains, gold: numpy.ndarray
) -> float:
    xp: Any = chains.xp
    chain, row, tag, n_known = _gold_cells(chains, gold)
    log_marginals = chains.log_marginals(chain, row, tag)
    reward = xp.full(chains.alpha.shape, -xp.inf)
    reward[chain, row, tag] = -log_marginals
    through, steps = chains.rewarded(reward)
    dtype = gradient.emissions.dtype
    counts = (n_known[..., None] * chains.marginals - through).astype(dtype)
    # The expected reward of each chain of a document is its number of known tags.
    add_counts(gradient, words, chains, counts, -steps)
    gradient.transitions += chains.expected_transitions(n_known)
    return -float(log_marginals.sum())


def independent(
    lattice: Lattice, gold: numpy.ndarray, allowed_transitions: AllowedTransitions
) -> tuple[float, Lattice]:
    """Cross-entropy of each word's tag by itself; transitions are not trained, and the
    allowed ones have no effect. Arguments and result as in `joint`."""
    gradient = zero_gradient(lattice)
    xp: Any = get_array_module(lattice.emissions)
    word, chain = numpy.nonzero(gold != MISSING)
    if not len(word):
        return 0.0, gradient
    shape = (len(gold), lattice.n_chains, lattice.n_tags)
    scores = lattice.emissions.reshape(shape)[xp.asarray(word), xp.asarray(chain)]
    scores = scores - scores.max(axis=-1, keepdims=True)
    log_p = scores - xp.log(xp.exp(scores).sum(axis=-1, keepdims=True))
    cell = (xp.arange(len(word)), xp.asarray(gold[word, chain]))
    slope = xp.exp(log_p)
    slope[cell] -= 1
    gradient.emissions.reshape(shape)[xp.asarray(word), xp.asarray(chain)] = slope
    return -float(log_p[cell].sum(dtype="float64")), gradient


OBJECTIVES: dict[str, Objective] = {
    "joint": joint,
    "marginal": marginal,
    "independent": independent,
}
