"""Training objectives of a CRF: losses and their exact gradients.

Gold tags may have gaps: a word with a missing tag may have any valid tag, and does not
count as O.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy
from thinc.api import get_array_module

from .device import Array, put_indices
from .lattice import Lattice
from .marginals import Chains, solve
from .packing import Packing
from .tags import MISSING, AllowedTransitions

# The square of a smaller probability underflows, by bytes of a float.
MIN_MARGINAL = {4: 1e-15, 8: 1e-150}

Objective = Callable[
    [Lattice, numpy.ndarray, AllowedTransitions], tuple[float, Lattice]
]


def zero_gradient(lattice: Lattice) -> Lattice:
    """A lattice of zeros of the same shape."""
    xp = get_array_module(lattice.emissions)
    return Lattice(
        xp.zeros_like(lattice.emissions, order="C"),
        lattice.lengths,
        xp.zeros_like(lattice.transitions),
        xp.zeros_like(lattice.start),
        xp.zeros_like(lattice.end),
    )


def add_counts(
    gradient: Lattice, words: numpy.ndarray, chains: Chains, counts: Array, steps: Array
) -> None:
    """Add the counts of tags and transitions of some documents to a gradient."""
    rows = chains.rows.rows
    if not numpy.array_equal(words, numpy.arange(len(gradient.emissions))):
        (rows,) = put_indices(counts, [words[chains.packing.rows]])
    gradient.emissions[rows] += counts.transpose(1, 0, 2).reshape(len(rows), -1)
    gradient.transitions += steps
    gradient.start += counts[:, chains.rows.first].sum(axis=1)
    gradient.end += counts[:, chains.rows.last].sum(axis=1)


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
    score = _subtract_gold_paths(gradient, lattice, complete, gold)
    loss = _add_partition(gradient, lattice, used, allowed_transitions, None, 1, score)
    if len(partial):
        allowed = allowed_tags(gold, lattice.n_tags)
        loss += _add_partition(
            gradient, lattice, partial, allowed_transitions, allowed, -1
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
    allowed: numpy.ndarray | None,
    sign: int,
    score: Sequence[Array] = (),
) -> float:
    """Add sign * log Z of some documents to the gradient. Returns the sum, less
    `score`, which is on the device."""
    words = lattice.words_of(documents)
    if not len(words):
        return 0.0
    xp = get_array_module(lattice.emissions)
    part = lattice.select(documents)
    mask = None if allowed is None else xp.asarray(allowed[words])
    loss, scores = 0.0, [0.0]
    solved = solve(part, allowed_transitions, mask, lambda *_: score)
    for some, chains, values in solved:
        scores = list(map(float, values))
        loss += sign * float(chains.log_z.sum())
        counts, steps = chains.marginals, chains.expected_transitions()
        if sign < 0:
            counts, steps = -counts, -steps
        add_counts(gradient, words[some], chains, counts, steps)
    return loss - sum(scores)


def _subtract_gold_paths(
    gradient: Lattice, lattice: Lattice, documents: numpy.ndarray, gold: numpy.ndarray
) -> list[Array]:
    """Subtract the counts of the gold paths of complete documents from the gradient.
    Returns the scores of the paths, whose sum is theirs."""
    if not len(documents):
        return []
    words, n_tags = lattice.words_of(documents), lattice.n_tags
    tags = gold[words]
    last = numpy.cumsum(numpy.asarray(lattice.lengths, dtype=int)[documents]) - 1
    first = numpy.concatenate([[0], last[:-1] + 1])
    before = numpy.delete(numpy.arange(len(words)), last)
    # Rows as in Lattice.stack_parameters.
    rows = tags[before], numpy.full_like(tags[first], n_tags)
    row = numpy.concatenate([*rows, numpy.full_like(tags[last], n_tags + 1)])
    column = numpy.concatenate([tags[before + 1], tags[first], tags[last]])
    chain = numpy.arange(lattice.n_chains)
    shape = (lattice.n_chains, n_tags + 2, n_tags)
    flat = (chain * shape[1] + row) * n_tags + column
    uses = numpy.bincount(flat.ravel(), minlength=int(numpy.prod(shape)))
    cells = (words[:, None] * lattice.n_chains + chain) * n_tags + tags
    cells, uses = put_indices(lattice.emissions, [cells, uses.reshape(shape)])
    counts = uses.astype(lattice.transitions.dtype)
    gradient.emissions.ravel()[cells] -= 1
    gradient.transitions -= counts[:, :n_tags]
    gradient.start -= counts[:, n_tags]
    gradient.end -= counts[:, n_tags + 1]
    scores = [lattice.emissions.ravel()[cells], counts * lattice.stack_parameters()]
    return [part.sum(dtype="float64") for part in scores]


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
    tags, loss = _GoldTags(gold[words_used]), 0.0
    part = lattice.select(used)
    solved = solve(part, allowed_transitions, None, tags.measure, tags.are_likely)
    for words, chains, (log_marginals,) in solved:
        tags.add_to(gradient, words_used[words], chains)
        loss -= float(log_marginals.sum())
    return loss, gradient


class _GoldTags:
    """The known gold tags of some documents, shape (n_words, n_chains)."""

    cells: Array  # in the flat packed arrays
    log_marginals: Array  # of these
    n_known: Array  # known tags of a row's document, (n_chains, n_words)

    def __init__(self, tags: numpy.ndarray) -> None:
        self.tags = tags

    def measure(self, chains: Chains, words: numpy.ndarray) -> list[Array]:
        """Compute the log marginals of the tags of some words."""
        packing = chains.packing
        n_chains, n_words, n_tags = chains.alpha.shape
        self._min_marginal = MIN_MARGINAL[chains.alpha.dtype.itemsize]
        tags = self.tags[words[packing.rows]].T
        chain, self._row = numpy.nonzero(tags != MISSING)
        cells = (chain * n_words + self._row) * n_tags + tags[chain, self._row]
        documents = chain * len(packing.order) + packing.document[self._row]
        counts = numpy.bincount(documents, minlength=n_chains * len(packing.order))
        n_known = counts.reshape(n_chains, -1)[:, packing.document]
        self.cells, self.n_known = put_indices(chains.alpha, [cells, n_known])
        self.log_marginals = chains.log_marginals(self.cells)
        return [self.log_marginals]

    def are_likely(
        self, packing: Packing, values: Sequence[numpy.ndarray]
    ) -> numpy.ndarray:
        """Whether the gradient of each document can be represented."""
        low = values[0] < math.log(self._min_marginal)
        bad = packing.document[self._row[low]]
        return ~numpy.isin(numpy.arange(len(packing.order)), bad)

    def add_to(self, gradient: Lattice, words: numpy.ndarray, chains: Chains) -> None:
        """Add the gradient of the loss of some words."""
        xp: Any = chains.xp
        reward = xp.full(chains.alpha.shape, -xp.inf)
        reward.ravel()[self.cells] = -self.log_marginals
        through, steps = chains.rewarded(reward)
        counts = self.n_known[..., None] * chains.marginals - through
        counts = counts.astype(gradient.emissions.dtype)
        # The expected reward of each chain of a document is its number of known tags.
        add_counts(gradient, words, chains, counts, -steps)
        gradient.transitions += chains.expected_transitions(self.n_known)


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
    n_tags = lattice.n_tags
    cells = numpy.arange(len(word)) * n_tags + gold[word, chain]
    rows, cells = put_indices(
        lattice.emissions, [word * lattice.n_chains + chain, cells]
    )
    scores = lattice.emissions.reshape(-1, n_tags)[rows]
    scores = scores - scores.max(axis=-1, keepdims=True)
    log_p = scores - xp.log(xp.exp(scores).sum(axis=-1, keepdims=True))
    slope = xp.exp(log_p)
    slope.ravel()[cells] -= 1
    gradient.emissions.reshape(-1, n_tags)[rows] = slope
    return -float(log_p.ravel()[cells].sum(dtype="float64")), gradient


OBJECTIVES: dict[str, Objective] = {
    "joint": joint,
    "marginal": marginal,
    "independent": independent,
}
