"""Forward-backward in scaled probability space: one matrix product per step.

Each step multiplies the probabilities of the previous step by the exponentiated
transitions and emissions, and every few steps divides by their sum. No array of size
n_words x n_tags x n_tags is created (Rabiner 1989, A Tutorial on Hidden Markov Models,
section V.A; Sutton and McCallum 2012, An Introduction to Conditional Random Fields,
section 4.1).
"""

from typing import Any

import numpy
from thinc.api import get_array_module

from .lattice import Array, Lattice, Packing
from .tags import AllowedTransitions

# With scores further apart than this (in nats) float32 can lose a path.
MAX_SPREAD = 60.0
TOLERANCE = 1e-3
# A step grows at most by a factor of n_tags, so not every step needs scaling.
STEPS_PER_SCALE = 4


def to_chains(array: Array, packing: Packing, n_chains: int) -> Array:
    """Pack rows of words, giving shape (n_chains, n_words, n_tags)."""
    xp = get_array_module(array)
    packed = array[xp.asarray(packing.rows)].reshape(len(packing.rows), n_chains, -1)
    return xp.ascontiguousarray(packed.transpose(1, 0, 2))


def from_chains(chains: Array, packing: Packing) -> Array:
    """The inverse of `to_chains`, giving shape (n_words, n_chains * n_tags)."""
    xp = get_array_module(chains)
    flat = chains.transpose(1, 0, 2).reshape(chains.shape[1], -1)
    words = xp.empty_like(flat)
    words[xp.asarray(packing.rows)] = flat
    return words


def highest(scores: Array) -> Array:
    """The maximum over tags, shape (n_chains, n_words, 1)."""
    if scores.shape[-1] > 32:
        return scores.max(axis=-1, keepdims=True)
    # NumPy reduces a short last axis row by row, but vectorizes over the first axis.
    xp = get_array_module(scores)
    return xp.ascontiguousarray(scores.transpose(2, 0, 1)).max(axis=0)[..., None]


def sum_by_document(values: Array, packing: Packing) -> Array:
    """Sum packed rows by document: (n_chains, n_words) to (n_chains, n_docs)."""
    xp = get_array_module(values)
    n_chains, n_docs = values.shape[0], len(packing.order)
    slots = numpy.arange(n_chains)[:, None] * n_docs + packing.document[None, :]
    sums = xp.bincount(
        xp.asarray(slots.ravel()), weights=values.ravel(), minlength=n_chains * n_docs
    )
    return sums.reshape(n_chains, n_docs)


class ScaledChains:
    """Forward and backward probabilities of a batch of documents.

    lattice: The scores.
    allowed_transitions: The valid sequences; all others have probability 0.
    allowed: Whether a word may have a tag, bool, shape (n_words, n_chains * n_tags);
        each document must have at least one valid path.

    The attributes are packed (see Packing): `alpha` and `beta`, shape (n_chains,
    n_words, n_tags), whose product is the marginals; `scale`, the divisors of the
    forward steps; `log_z`, shape (n_chains, n_docs), float64; and `sound`, shape
    (n_docs,), on the host: whether float32 represents all paths that matter.
    """

    def __init__(
        self,
        lattice: Lattice,
        allowed_transitions: AllowedTransitions,
        allowed: Array | None = None,
    ) -> None:
        self.packing = Packing.from_lengths(lattice.lengths)
        self.xp: Any = get_array_module(lattice.emissions)
        self._exponentiate(lattice, allowed_transitions, allowed)
        # A row that underflows divides by 0, which `sound` reports.
        with numpy.errstate(divide="ignore", invalid="ignore", over="ignore"):
            self._forward()
            self._backward()
            self.marginals = self.alpha * self.beta
            self._check()

    def _exponentiate(
        self,
        lattice: Lattice,
        allowed_transitions: AllowedTransitions,
        allowed: Array | None,
    ) -> None:
        xp, packing = self.xp, self.packing
        scores = to_chains(lattice.emissions, packing, lattice.n_chains)
        narrow = self._are_narrow(scores)
        if allowed is not None:
            mask = to_chains(allowed, packing, lattice.n_chains)
            scores = xp.where(mask, scores, -xp.inf)
        peak = highest(scores)
        scores -= peak
        self.potentials = xp.exp(scores, out=scores)
        self.steps, step_peak, wide = self._exponentiate_valid(
            lattice.transitions, allowed_transitions.transitions
        )
        self.start, start_peak, _ = self._exponentiate_valid(
            lattice.start, allowed_transitions.start
        )
        self.end, end_peak, _ = self._exponentiate_valid(
            lattice.end, allowed_transitions.end
        )
        lengths = xp.asarray(packing.lengths)
        self._constants = sum_by_document(peak[..., 0], packing)
        self._constants += step_peak[:, None] * (lengths - 1)
        self._constants += (start_peak + end_peak)[:, None]
        self._narrow = narrow & ~wide[:, None]

    def _are_narrow(self, scores: Array) -> Array:
        """Whether the scores of each word fit into float32, (n_chains, n_words)."""
        if scores.size and float(scores.max() - scores.min()) < MAX_SPREAD:
            return self.xp.ones(scores.shape[:2], dtype=bool)
        return scores.max(axis=-1) - scores.min(axis=-1) < MAX_SPREAD

    def _exponentiate_valid(self, scores: Array, valid: numpy.ndarray) -> tuple:
        """exp(scores - maximum), exactly 0 where invalid; the maximum; and whether the
        valid scores of a chain are too far apart for float32."""
        xp = self.xp
        axes = tuple(range(1, scores.ndim))
        valid = xp.asarray(valid)
        peak = xp.where(valid, scores, -xp.inf).max(axis=axes, keepdims=True)
        low = xp.where(valid, scores, xp.inf).min(axis=axes, keepdims=True)
        exponentiated = xp.exp(xp.where(valid, scores - peak, -xp.inf))
        wide = (peak - low).ravel() > MAX_SPREAD
        return exponentiated.astype(scores.dtype), peak.ravel(), wide

    def _forward(self) -> None:
        xp, packing = self.xp, self.packing
        n_chains, n_words, n_tags = self.potentials.shape
        self.alpha = xp.empty_like(self.potentials)
        self.scale = xp.ones((n_chains, n_words, 1), dtype=self.alpha.dtype)
        ones = xp.ones((n_tags, 1), dtype=self.alpha.dtype)
        product, alpha, potentials, scale, steps, start = self._for_loop(
            self.alpha, self.potentials, self.scale, self.steps, self.start[:, None]
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
        last = self.alpha[:, xp.asarray(packing.last)]
        self.final = xp.matmul(last, self.end[:, :, None])[..., 0]
        self.log_z = sum_by_document(xp.log(self.scale[..., 0]), packing)
        self.log_z += xp.log(self.final) + self._constants

    def _backward(self) -> None:
        xp, packing = self.xp, self.packing
        # weighted = potentials * beta / scale: the message to the previous word.
        self.weighted = self.potentials / self.scale
        self.beta = xp.empty_like(self.alpha)
        final = self.end[:, None] / self.final[..., None]
        self.beta[:, xp.asarray(packing.last)] = final
        back = xp.ascontiguousarray(self.steps.transpose(0, 2, 1))
        product, weighted, beta, back = self._for_loop(self.weighted, self.beta, back)
        for at, before in reversed(packing.steps[1:]):
            here = weighted[at]
            xp.multiply(here, beta[at], out=here)
            product(here, back, out=beta[before])

    def _for_loop(self, *arrays: Array) -> tuple[Any, ...]:
        """The matrix product of a step and the arrays for it. With a single chain it is
        a product of matrices, which is faster than one of stacks."""
        if self.alpha.shape[0] == 1:
            return (self.xp.dot, *(array[0] for array in arrays))
        return (self.xp.matmul, *arrays)

    def _check(self) -> None:
        xp = self.xp
        ones = xp.ones((self.marginals.shape[-1], 1), dtype=self.marginals.dtype)
        off = xp.abs(xp.matmul(self.marginals, ones)[..., 0] - 1)
        good = (off < TOLERANCE) & self._narrow
        bad = sum_by_document((~good).astype("f"), self.packing)
        sound = ((bad == 0) & xp.isfinite(self.log_z)).all(axis=0)
        self.sound: numpy.ndarray = sound if xp is numpy else sound.get()

    def expected_transitions(self, weights: Array | None = None) -> Array:
        """Expected counts of each transition, shape (n_chains, n_tags, n_tags), with
        words weighted by `weights`, shape (n_chains, n_words)."""
        xp = self.xp
        ahead = self.weighted if weights is None else self.weighted * weights[..., None]
        previous = self.alpha[:, xp.asarray(self.packing.before)]
        ahead = ahead[:, self.packing.first_step :]
        return xp.matmul(previous.transpose(0, 2, 1), ahead) * self.steps

    def rewarded(self, log_reward: Array) -> tuple[Array, Array]:
        """Expected counts weighted by the total reward of a path.

        This is the directional derivative of forward-backward along the reward: a
        Hessian-vector product of log Z costs two forward-backward passes.

        log_reward: Log reward of a path at each word and tag, packed, shape (n_chains,
            n_words, n_tags); -inf for no reward.
        RETURNS: The expected reward of the paths through each word and tag, packed; the
            same for transitions.
        """
        xp, packing = self.xp, self.packing
        reward = xp.exp(log_reward).astype(self.alpha.dtype)
        potentials = self.potentials / self.scale
        earned = self.alpha * reward
        to_come = xp.zeros_like(self.alpha)
        # after = potentials * (to_come + reward * beta): the backward message.
        after = self.weighted * reward
        back = xp.ascontiguousarray(self.steps.transpose(0, 2, 1))
        for at, before in packing.steps[1:]:
            carried = xp.matmul(earned[before], self.steps)
            earned[at] += carried * potentials[at]
        for at, before in reversed(packing.steps[1:]):
            after[at] += potentials[at] * to_come[at]
            to_come[before] = xp.matmul(after[at], back)
        previous = xp.asarray(packing.before)
        ahead = slice(packing.first_step, None)
        steps = xp.matmul(
            earned[:, previous].transpose(0, 2, 1), self.weighted[:, ahead]
        ) + xp.matmul(self.alpha[:, previous].transpose(0, 2, 1), after[:, ahead])
        return earned * self.beta + self.alpha * to_come, steps * self.steps

    def log_marginals(self, chain: Any, row: Any, tag: Any) -> Array:
        """Log probability of a tag at a word."""
        return self._log(self.marginals[chain, row, tag])

    def log_enter(self, chain: Any, row: Any, tag: Any) -> Array:
        """Log weight of all paths up to a word with this tag."""
        return self._log(self.alpha[chain, row, tag])

    def log_step(self, chain: Any, row: Any, before: Any, tag: Any) -> Array:
        """Log weight of the transition from a tag to the next word's tag."""
        weight = self._log(self.steps[chain, before, tag])
        weight = weight + self._log(self.potentials[chain, row, tag])
        return weight - self._log(self.scale[chain, row, 0])

    def log_leave(self, chain: Any, row: Any, tag: Any) -> Array:
        """Log weight of all paths after a word with this tag."""
        return self._log(self.beta[chain, row, tag])

    def log_follow(self, chain: Any, row: Any, before: Any) -> Array:
        """Log weight of all paths after a word, for each tag of the next word at `row`,
        shape (n_spans, n_tags)."""
        return self._log(self.steps[chain, before] * self.weighted[chain, row])

    def log_end(self, chain: Any, row: Any, tag: Any) -> Array:
        """Log weight of the end of a document after this tag of its last word."""
        document = self.xp.asarray(self.packing.document)[row]
        return self._log(self.end[chain, tag] / self.final[chain, document])

    def _log(self, weights: Array) -> Array:
        with numpy.errstate(divide="ignore"):
            return self.xp.log(weights.astype("float64"))
