"""Find gradients that are far larger than those of the steps before."""

from __future__ import annotations

import math
from typing import Any

from spacy.util import logger

POLICIES = ("none", "clip_mean", "clip_threshold", "skip")
CONSEQUENCES = {
    "clip_mean": "they are scaled down to the mean",
    "clip_threshold": "they are scaled down to the threshold",
    "skip": "the step changes no weight",
}


class Spikes:
    """Finds outliers among the norms of gradients, as EDS-NLP's trainer does.

    A norm is a spike if it is more than some standard deviations above the mean of the
    norms before, both weighted exponentially (West 1979), but never in the first
    `window` steps. Spikes are excluded from mean and deviation; after `window` spikes
    in a row both restart, since gradients have become larger for good. Unless the
    policy is "none", a norm that is infinite or not a number is a spike, too.

    policy: "none" to ignore spikes, "clip_mean" to scale the gradients of a spike down
        to the mean, "clip_threshold" to scale them down to the largest norm that is not
        a spike, or "skip" to leave all weights unchanged in such a step. A norm that is
        not finite is always skipped.
    window: The span of the weights: they fall by a factor of (window - 1) / (window +
        1) with each step.
    deviations: The standard deviations.
    RAISES (ValueError): If a setting cannot be used.
    """

    def __init__(
        self, policy: str = "none", window: int = 100, deviations: float = 7.0
    ) -> None:
        if policy not in POLICIES:
            raise ValueError(
                f"spikes = {policy!r} of spacy_ner_ext.Adam.v1: set it to one of "
                f"{', '.join(POLICIES)}."
            )
        if window < 2 or deviations <= 0:
            raise ValueError(
                f"spike_window = {window} and spike_deviations = {deviations} of "
                "spacy_ner_ext.Adam.v1: set the first to at least 2 steps, and the "
                "second to more than 0."
            )
        self.policy, self.window, self.deviations = policy, window, deviations
        self.n_found = 0
        self._in_a_row = 0
        self._restart()

    def _restart(self) -> None:
        self.n_norms = 0
        self.total_weight = self.mean = self.variance = 0.0

    @property
    def threshold(self) -> float:
        """The largest norm that is not a spike."""
        if self.policy == "none" or self.n_norms < self.window:
            return math.inf
        return self.mean + self.deviations * math.sqrt(self.variance)

    def limit(self, norm: float) -> float:
        """Record the norm of a step, and return the largest norm that its gradients may
        have: infinite for no limit, 0 to skip the step."""
        if self.policy == "none":
            return math.inf
        if not math.isfinite(norm):
            self._report(norm, "the step changes no weight")
            return 0.0
        if norm <= self.threshold:
            self._in_a_row = 0
            self._record(norm)
            return math.inf
        self._report(norm, CONSEQUENCES[self.policy])
        limits = {"clip_mean": self.mean, "clip_threshold": self.threshold}
        limit = limits.get(self.policy, 0.0)
        self._in_a_row += 1
        if self._in_a_row == self.window:
            self._in_a_row = 0
            self._restart()
        return limit

    def _record(self, norm: float) -> None:
        self.n_norms += 1
        kept = 1 - 2 / (self.window + 1)
        self.total_weight = kept * self.total_weight + 1
        share = 1 / self.total_weight
        difference = norm - self.mean
        self.mean += share * difference
        self.variance = (1 - share) * (self.variance + share * difference**2)

    def _report(self, norm: float, consequence: str) -> None:
        self.n_found += 1
        if self.n_found == 1:
            logger.warning(
                "The norm of all gradients is %.4g, and was %.4g +- %.4g before: %s. "
                "Later cases are only counted.",
                *(norm, self.mean, math.sqrt(self.variance), consequence),
            )

    def state(self) -> dict[str, Any]:
        """The statistics so far."""
        return {
            "n_found": self.n_found,
            "in_a_row": self._in_a_row,
            "n_norms": self.n_norms,
            "total_weight": self.total_weight,
            "mean": self.mean,
            "variance": self.variance,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a state."""
        self.n_found, self._in_a_row = state["n_found"], state["in_a_row"]
        self.n_norms, self.total_weight = state["n_norms"], state["total_weight"]
        self.mean, self.variance = state["mean"], state["variance"]
