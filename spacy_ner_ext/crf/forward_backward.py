"""Forward-backward in scaled probability space: one matrix product per step.

Each step multiplies the probabilities of the previous step by the exponentiated
transitions and emissions, and every few steps divides by their sum. No array of size
n_words x n_tags x n_tags is created (Rabiner 1989, A Tutorial on Hidden Markov Models,
section V.A; Sutton and McCallum 2012, An Introduction to Conditional Random Fields,
section 4.1).
"""

from collections.abc import Sequence
from typing import Any

import numpy
from thinc.api import get_array_module

from .blocks import (
    Cost,
    block_length,
    carry,
    carry_back,
    multiply_steps,
)
from .device import Array, fetch
from .lattice import Lattice
from .packing import Packing
from .rewards import expected_rewards
from .tags import AllowedTransitions

# With scores further apart than this (in nats) a path can be lost, by bytes of a float.
MAX_SPREAD = {4: 60.0, 8: 500.0}
# How far the sum of the marginals of a word may be from 1, and the marginals that two
# pieces of a document give for the same word from each other.
TOLERANCE = 3e-5
# A step grows at most by a factor of n_tags, so not every step needs scaling.
STEPS_PER_SCALE = 4
# On a GPU: matrix product, multiplication and a quarter of a scaling, there and back.
COST = Cost(word=4.5, inside=7, across=8, rate=5e12)


def to_chains(array: Array, packing: Packing, n_chains: int) -> Array:
    """Pack rows of words, giving shape (n_chains, n_words, n_tags)."""
    xp = get_array_module(array)
    rows = packing.on_device(array).rows
    packed = array[rows].reshape(len(rows), n_chains, -1)
    return xp.ascontiguousarray(packed.transpose(1, 0, 2))


def from_chains(chains: Array, packing: Packing) -> Array:
    """The inverse of `to_chains`, giving shape (n_words, n_chains * n_tags)."""
    xp = get_array_module(chains)
    flat = chains.transpose(1, 0, 2).reshape(chains.shape[1], -1)
    words = xp.empty_like(flat)
    words[packing.on_device(chains).rows] = flat
    return words


def highest(scores: Array) -> Array:
    """The maximum over tags, shape (n_chains, n_words, 1)."""
    if scores.shape[-1] > 32 or not isinstance(scores, numpy.ndarray):
        return scores.max(axis=-1, keepdims=True)
    # NumPy reduces a short last axis row by row, but vectorizes over the first axis.
    return numpy.ascontiguousarray(scores.transpose(2, 0, 1)).max(axis=0)[..., None]


def sum_by_document(values: numpy.ndarray, packing: Packing) -> numpy.ndarray:
    """Sum packed rows by document: (n_chains, n_words) to (n_chains, n_docs).

    On the host: sums of a GPU by document would depend on the order of its threads.
    """
    n_chains, n_docs = values.shape[0], len(packing.order)
    slots = numpy.arange(n_chains)[:, None] * n_docs + packing.document[None, :]
    sums = numpy.bincount(
        slots.ravel(), weights=values.ravel(), minlength=n_chains * n_docs
    )
    return sums.reshape(n_chains, n_docs)


class ScaledChains:
    """Forward and backward probabilities of a batch of documents.

    lattice: The scores.
    allowed_transitions: The valid sequences; all others have probability 0.
    allowed: Whether a word may have a tag, bool, shape (n_words, n_chains * n_tags);
        each document must have at least one valid path.

    The attributes are packed (see Packing): `alpha` and `beta`, shape (n_chains,
    n_words, n_tags), whose product is the marginals; and `scale`, the divisors of the
    forward steps. `measure` sets, on the host, `log_z`, shape (n_chains, n_docs),
    float64; and `sound`, shape (n_docs,): whether the type of the scores can represent
    all paths that matter.
    """

    log_z: numpy.ndarray
    sound: numpy.ndarray

    def __init__(
        self,
        lattice: Lattice,
        allowed_transitions: AllowedTransitions,
        allowed: Array | None = None,
    ) -> None:
        length = block_length(lattice, COST)
        self.packing = Packing.from_lengths(lattice.lengths, length)
        self.xp: Any = get_array_module(lattice.emissions)
        self.max_spread = MAX_SPREAD[lattice.emissions.dtype.itemsize]
        self.rows = self.packing.on_device(lattice.emissions)
        self._exponentiate(lattice, allowed_transitions, allowed)
        # A row that underflows divides by 0, which `sound` reports.
        with numpy.errstate(divide="ignore", invalid="ignore", over="ignore"):
            entries, exits = self._join_pieces()
            self._forward(entries)
            self._backward(exits)
            self.marginals = self.alpha * self.beta

    def _exponentiate(
        self,
        lattice: Lattice,
        allowed_transitions: AllowedTransitions,
        allowed: Array | None,
    ) -> None:
        xp, packing = self.xp, self.packing
        scores = to_chains(lattice.emissions, packing, lattice.n_chains)
        self._narrow = self._are_narrow(scores)
        if allowed is not None:
            mask = to_chains(allowed, packing, lattice.n_chains)
            scores = xp.where(mask, scores, -xp.inf)
        peak = highest(scores)
        scores -= peak
        self._peak = peak[..., 0]
        self.potentials = xp.exp(scores, out=scores)
        self._exponentiate_valid(lattice, allowed_transitions)

    def _are_narrow(self, scores: Array) -> Array:
        """Whether the scores of each word fit into their type, (n_chains, n_words)."""
        # Faster on a CPU; a GPU would have to wait for the answer.
        on_host = isinstance(scores, numpy.ndarray) and scores.size
        if on_host and float(scores.max() - scores.min()) < self.max_spread:
            return numpy.ones(scores.shape[:2], dtype=bool)
        return scores.max(axis=-1) - scores.min(axis=-1) < self.max_spread

    def _exponentiate_valid(
        self, lattice: Lattice, allowed_transitions: AllowedTransitions
    ) -> None:
        """exp(scores - maximum) of transitions, start and end, exactly 0 where invalid;
        and the maxima and minima of the valid scores, shape (n_chains, 3)."""
        xp, n_tags = self.xp, lattice.n_tags
        dtype = lattice.emissions.dtype
        scores = lattice.stack_parameters().astype(dtype, copy=False)
        valid = allowed_transitions.on_device(scores)
        masked = xp.where(valid, scores, -xp.inf)
        peak = masked.max(axis=-1)
        low = xp.where(valid, scores, xp.inf).min(axis=-1)
        # The transitions from all tags have one maximum.
        peak[:, :n_tags] = peak[:, :n_tags].max(axis=-1, keepdims=True)
        low[:, :n_tags] = low[:, :n_tags].min(axis=-1, keepdims=True)
        self._peaks, self._lows = peak[:, -3:], low[:, -3:]
        with numpy.errstate(invalid="ignore"):
            masked = xp.exp(xp.where(valid, masked - peak[..., None], -xp.inf))
        masked = masked.astype(dtype, copy=False)
        self.steps = xp.ascontiguousarray(masked[:, :n_tags])
        self.start, self.end = masked[:, n_tags], masked[:, n_tags + 1]

    def _join_pieces(self) -> tuple[Array, Array]:
        """The messages into the first words and back to the last ones: of documents, or
        of the pieces of documents (see blocks)."""
        if self.packing.pieces is None:
            return self.start[:, None], self.end[:, None]
        packing, rows = self.packing, self.rows
        self.products = multiply_steps(
            self.potentials, self.steps, self.start, packing, STEPS_PER_SCALE
        )
        entries = carry(self.products, self.steps, self.start, packing, rows)
        return entries, carry_back(self.products, self.end, packing, rows)

    def _forward(self, entries: Array) -> None:
        xp, packing = self.xp, self.packing
        n_chains, n_words, n_tags = self.potentials.shape
        self.alpha = xp.empty_like(self.potentials)
        self.scale = xp.ones((n_chains, n_words, 1), dtype=self.alpha.dtype)
        ones = xp.ones((n_tags, 1), dtype=self.alpha.dtype)
        product, alpha, potentials, scale, steps, start = self.for_loop(
            self.alpha, self.potentials, self.scale, self.steps, entries
        )
        for at, _ in packing.steps[:1]:
            xp.multiply(potentials[at], start, out=alpha[at])
        for step, (at, before) in enumerate(packing.steps[1:]):
            here = alpha[at]
            product(alpha[before], steps, out=here)
            xp.multiply(here, potentials[at], out=here)
            if step % STEPS_PER_SCALE == 0:
                divisor = scale[at]
                product(here, ones, out=divisor)
                xp.divide(here, divisor, out=here)
        last = self.alpha[:, self.rows.last]
        self.final = xp.matmul(last, self.end[:, :, None])[..., 0]
        if self.rows.pieces is not None:
            # A message into a piece has the sum 1, so its scale is this sum.
            linked = xp.matmul(self.alpha[:, self.ahead_of_pieces], self.steps)
            self.scale[:, self.rows.pieces.linked] = linked.sum(axis=-1, keepdims=True)

    @property
    def ahead_of_pieces(self) -> Array:
        """The packed row of the last word before each linked piece."""
        return self.rows.pieces.last[self.rows.pieces.previous]

    def _backward(self, exits: Array) -> None:
        xp, packing = self.xp, self.packing
        # weighted = potentials * beta / scale: the message to the previous word.
        self.weighted = self.potentials / self.scale
        self.beta = xp.empty_like(self.alpha)
        if self.rows.pieces is None:
            self.beta[:, self.rows.last] = exits / self.final[..., None]
        else:
            last = self.rows.pieces.last
            total = (self.alpha[:, last] * exits).sum(axis=-1, keepdims=True)
            self.beta[:, last] = exits / total
        back = xp.ascontiguousarray(self.steps.transpose(0, 2, 1))
        product, weighted, beta, back = self.for_loop(self.weighted, self.beta, back)
        for at, before in reversed(packing.steps[1:]):
            here = weighted[at]
            xp.multiply(here, beta[at], out=here)
            product(here, back, out=beta[before])
        for at, _ in packing.steps[:1]:
            # Only the first words of linked pieces have a previous word.
            xp.multiply(weighted[at], beta[at], out=weighted[at])

    def for_loop(self, *arrays: Array) -> tuple[Any, ...]:
        """The matrix product of a step and the arrays for it. With a single chain it is
        a product of matrices, which is faster than one of stacks."""
        if self.alpha.shape[0] == 1:
            return (self.xp.dot, *(array[0] for array in arrays))
        return (self.xp.matmul, *arrays)

    def measure(self, extra: Sequence[Array] = ()) -> list[numpy.ndarray]:
        """Set `log_z` and `sound`. Returns further arrays on the host, so that a GPU is
        waited for only once."""
        with numpy.errstate(divide="ignore", invalid="ignore", over="ignore"):
            own = self._checks()
            values = fetch([*own, *extra])
            self._evaluate(*values[: len(own)])
        return values[len(own) :]

    def _checks(self) -> list[Array]:
        """What `_evaluate` needs, on the device."""
        xp = self.xp
        ones = xp.ones((self.marginals.shape[-1], 1), dtype=self.marginals.dtype)
        off = xp.abs(xp.matmul(self.marginals, ones)[..., 0] - 1)
        if self.rows.pieces is not None:
            off += self._mismatch()
        good = (off < TOLERANCE) & self._narrow
        logs = [xp.log(self.scale[..., 0]), xp.log(self.final)]
        return [*logs, self._peak, good, self._peaks, self._lows]

    def _evaluate(
        self,
        scale: numpy.ndarray,
        final: numpy.ndarray,
        peak: numpy.ndarray,
        good: numpy.ndarray,
        peaks: numpy.ndarray,
        lows: numpy.ndarray,
    ) -> None:
        constants = sum_by_document(peak, self.packing)
        constants += peaks[:, :1] * (self.packing.lengths - 1)
        constants += (peaks[:, 1] + peaks[:, 2])[:, None]
        self.log_z = sum_by_document(scale, self.packing)
        self.log_z += final + constants
        wide = (peaks - lows > self.max_spread).any(axis=1)
        bad = sum_by_document((good == 0) | wide[:, None], self.packing)
        self.sound = ((bad == 0) & numpy.isfinite(self.log_z)).all(axis=0)

    def _mismatch(self) -> Array:
        """How far the marginals of the last word before each linked piece are from
        those that the piece gives, (n_chains, n_words)."""
        xp, before = self.xp, self.ahead_of_pieces
        ahead = self.weighted[:, self.rows.pieces.linked]
        beta = xp.matmul(ahead, self.steps.transpose(0, 2, 1))
        off = xp.abs(self.alpha[:, before] * beta - self.marginals[:, before])
        mismatch = xp.zeros(self.alpha.shape[:2], dtype=off.dtype)
        mismatch[:, before] = off.max(axis=-1)
        return mismatch

    def expected_transitions(self, weights: Array | None = None) -> Array:
        """Expected counts of each transition, shape (n_chains, n_tags, n_tags), with
        words weighted by `weights`, shape (n_chains, n_words)."""
        ahead = self.weighted if weights is None else self.weighted * weights[..., None]
        return self.count_transitions(self.alpha, ahead) * self.steps

    def count_transitions(self, previous: Array, ahead: Array) -> Array:
        """Sum the products of the weights of adjacent words' tags, by transition."""
        previous, ahead = previous[:, self.rows.before], ahead[:, self.rows.after]
        return self.xp.matmul(previous.transpose(0, 2, 1), ahead)

    def rewarded(self, log_reward: Array) -> tuple[Array, Array]:
        """Expected counts weighted by the total reward of a path.

        This is the directional derivative of forward-backward along the reward: a
        Hessian-vector product of log Z costs two forward-backward passes.

        log_reward: Log reward of a path at each word and tag, packed, shape (n_chains,
            n_words, n_tags); -inf for no reward.
        RETURNS: The expected reward of the paths through each word and tag, packed; the
            same for transitions.
        """
        return expected_rewards(self, log_reward)

    def log_marginals(self, cells: Array) -> Array:
        """Log probability of a tag at a word: of cells of the flat packed arrays."""
        return self._log(self.marginals.ravel()[cells])

    def log_enter(self, cells: Array) -> Array:
        """Log weight of all paths up to a word with this tag."""
        return self._log(self.alpha.ravel()[cells])

    def log_step(self, cells: Array, transitions: Array) -> Array:
        """Log weight of a transition, a cell of `steps`, to a word's tag."""
        weight = self._log(self.steps.ravel()[transitions])
        weight = weight + self._log(self.potentials.ravel()[cells])
        return weight - self._log(self.scale.ravel()[cells // self.alpha.shape[-1]])

    def log_leave(self, cells: Array) -> Array:
        """Log weight of all paths after a word with this tag."""
        return self._log(self.beta.ravel()[cells])

    def log_close(self, rows: Array, before: Array, inside: Array) -> Array:
        """Log weight of all paths after a tag, a row of `steps`, whose next word, at
        `rows`, does not have the tag `inside`."""
        n_tags = self.alpha.shape[-1]
        follow = self.steps.reshape(-1, n_tags)[before]
        follow = follow * self.weighted.reshape(-1, n_tags)[rows]
        follow = follow * (self.xp.arange(n_tags) != inside[:, None])
        return self._log(follow.sum(axis=-1, dtype="float64"))

    def log_end(self, tags: Array, documents: Array) -> Array:
        """Log weight of the end of a document after a tag of its last word: cells of
        `end` and of `final`."""
        return self._log(self.end.ravel()[tags] / self.final.ravel()[documents])

    def _log(self, weights: Array) -> Array:
        with numpy.errstate(divide="ignore"):
            return self.xp.log(weights.astype("float64"))
