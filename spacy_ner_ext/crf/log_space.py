"""Forward-backward in log space and float64: slower, but it never underflows.

It replaces the scaled recursion for documents whose scores are too far apart even for
float64 (see ScaledChains.sound).
"""

from collections.abc import Sequence
from typing import Any

import numpy
from thinc.api import get_array_module

from .device import Array, fetch, put_indices
from .forward_backward import to_chains
from .lattice import Lattice
from .packing import Packing
from .tags import AllowedTransitions


def log_sum_exp(values: Array, axis: int) -> Array:
    """log(sum(exp(values))) along an axis; -inf if all values are."""
    xp = get_array_module(values)
    peak = values.max(axis=axis, keepdims=True)
    peak = xp.where(xp.isfinite(peak), peak, 0)
    with numpy.errstate(divide="ignore"):
        return xp.log(xp.exp(values - peak).sum(axis=axis)) + xp.squeeze(peak, axis)


class LogChains:
    """Log forward and backward scores of a batch of documents, with the arguments and
    methods of ScaledChains."""

    log_z: numpy.ndarray

    def __init__(
        self,
        lattice: Lattice,
        allowed_transitions: AllowedTransitions,
        allowed: Array | None = None,
    ) -> None:
        self.packing = Packing.from_lengths(lattice.lengths)
        xp: Any = get_array_module(lattice.emissions)
        self.xp = xp
        self.rows = self.packing.on_device(lattice.emissions)
        self.scores = to_chains(lattice.emissions, self.packing, lattice.n_chains)
        self.scores = self.scores.astype("float64")
        if allowed is not None:
            mask = to_chains(allowed, self.packing, lattice.n_chains)
            self.scores = xp.where(mask, self.scores, -xp.inf)
        self._mask(lattice, allowed_transitions)
        self._forward()
        self._backward()
        last = self.alpha[:, self.rows.last] + self.end[:, None]
        self._log_z = log_sum_exp(last, axis=-1)
        (document,) = put_indices(self.scores, [self.packing.document])
        self._log_z_of_rows = self._log_z[:, document]
        self.sound = numpy.ones(len(self.packing.order), dtype=bool)

    def measure(self, extra: Sequence[Array] = ()) -> list[numpy.ndarray]:
        self.log_z, *rest = fetch([self._log_z, *extra])
        return rest

    @property
    def marginals(self) -> Array:
        return self.xp.exp(self.alpha + self.beta - self._log_z_of_rows[..., None])

    def _mask(self, lattice: Lattice, allowed_transitions: AllowedTransitions) -> None:
        """Set the scores of transitions, start and end, -inf where invalid."""
        scores = lattice.stack_parameters().astype("float64")
        valid = allowed_transitions.on_device(scores)
        masked = self.xp.where(valid, scores, -self.xp.inf)
        n_tags = lattice.n_tags
        self.steps = self.xp.ascontiguousarray(masked[:, :n_tags])
        self.start, self.end = masked[:, n_tags], masked[:, n_tags + 1]

    def _forward(self) -> None:
        xp, packing = self.xp, self.packing
        alpha = self.alpha = xp.empty_like(self.scores)
        for at, _ in packing.steps[:1]:
            alpha[at] = self.scores[at] + self.start[:, None]
        for at, before in packing.steps[1:]:
            came = log_sum_exp(alpha[before][..., None] + self.steps[:, None], axis=-2)
            alpha[at] = came + self.scores[at]

    def _backward(self) -> None:
        beta = self.beta = self.xp.empty_like(self.scores)
        beta[:, self.rows.last] = self.end[:, None]
        for at, before in reversed(self.packing.steps[1:]):
            ahead = self.scores[at] + beta[at]
            beta[before] = log_sum_exp(self.steps[:, None] + ahead[:, :, None], axis=-1)

    def _earn(self, reward: Array) -> Array:
        """Forward scores weighted by the reward so far."""
        xp, steps = self.xp, self.steps[:, None]
        earned = self.alpha + reward
        for at, before in self.packing.steps[1:]:
            kept = log_sum_exp(earned[before][..., None] + steps, axis=-2)
            earned[at] = xp.logaddexp(kept + self.scores[at], earned[at])
        return earned

    def _look_ahead(self, reward: Array) -> Array:
        """Backward scores weighted by the reward to come."""
        xp, steps = self.xp, self.steps[:, None]
        to_come = xp.full(self.scores.shape, -xp.inf)
        ahead = self.scores + self.beta + reward
        for at, before in reversed(self.packing.steps[1:]):
            gain = xp.logaddexp(ahead[at], self.scores[at] + to_come[at])
            to_come[before] = log_sum_exp(steps + gain[:, :, None], axis=-1)
        return to_come

    def expected_transitions(self, weights: Array | None = None) -> Array:
        ahead = self.scores + self.beta
        if weights is not None:
            with numpy.errstate(divide="ignore"):
                ahead = ahead + self.xp.log(weights)[..., None]
        return self._count_transitions(self.alpha, ahead)

    def _count_transitions(self, previous: Array, ahead: Array) -> Array:
        counts = self.xp.zeros(self.steps.shape)
        for at, before in self.packing.steps[1:]:
            scores = previous[before][..., None] + self.steps[:, None]
            scores = scores + ahead[at][:, :, None]
            log_z = self._log_z[:, : scores.shape[1], None, None]
            counts += self.xp.exp(scores - log_z).sum(axis=1)
        return counts

    def rewarded(self, log_reward: Array) -> tuple[Array, Array]:
        xp = self.xp
        earned, to_come = self._earn(log_reward), self._look_ahead(log_reward)
        through = xp.logaddexp(earned + self.beta, self.alpha + to_come)
        words = xp.exp(through - self._log_z_of_rows[..., None])
        ahead = self.scores + self.beta
        after = xp.logaddexp(ahead + log_reward, self.scores + to_come)
        steps = self._count_transitions(earned, ahead)
        return words, steps + self._count_transitions(self.alpha, after)

    def log_marginals(self, cells: Array) -> Array:
        total = self.alpha.ravel()[cells] + self.beta.ravel()[cells]
        return total - self._log_z_at(cells)

    def log_enter(self, cells: Array) -> Array:
        return self.alpha.ravel()[cells]

    def log_step(self, cells: Array, transitions: Array) -> Array:
        return self.steps.ravel()[transitions] + self.scores.ravel()[cells]

    def log_leave(self, cells: Array) -> Array:
        return self.beta.ravel()[cells] - self._log_z_at(cells)

    def log_close(self, rows: Array, before: Array, inside: Array) -> Array:
        n_tags = self.alpha.shape[-1]
        ahead = (self.scores + self.beta).reshape(-1, n_tags)[rows]
        follow = self.steps.reshape(-1, n_tags)[before] + ahead
        is_inside = self.xp.arange(n_tags) == inside[:, None]
        follow = self.xp.where(is_inside, -self.xp.inf, follow)
        return log_sum_exp(follow, axis=-1) - self._log_z_of_rows.ravel()[rows]

    def log_end(self, tags: Array, documents: Array) -> Array:
        return self.end.ravel()[tags] - self._log_z.ravel()[documents]

    def _log_z_at(self, cells: Array) -> Array:
        return self._log_z_of_rows.ravel()[cells // self.alpha.shape[-1]]
