"""Gradient scaling for float16: small gradients are kept from becoming zero."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor


class GradientScaler:
    """Scales gradients before they pass through float16 layers, and back after.

    The dynamic loss scaling of Micikevicius et al. (2018), Mixed Precision Training:
    the factor is halved after an overflow, and doubled after many steps without one.
    It works on any device; that of torch belongs to torch's own optimizers.

    enabled: Whether anything is scaled.
    scale: The first factor.
    growth_interval: Steps without overflow before the factor is doubled.
    """

    def __init__(
        self, enabled: bool, scale: float = 2.0**16, growth_interval: int = 2000
    ) -> None:
        self.enabled = enabled
        self.scale = scale if enabled else 1.0
        self.growth_interval = growth_interval
        self.n_skipped = 0
        self._n_good = 0

    def unscale(self, gradients: Iterable[Tensor]) -> bool:
        """Divide gradients by the factor, in place, and adapt it for the next step.

        gradients: The gradients of all weights of a step.
        RETURNS: Whether all are finite; if not, the step has to be skipped.
        """
        gradients = list(gradients)
        if not self.enabled or not gradients:
            return True
        torch._foreach_mul_(gradients, 1.0 / self.scale)
        finite = all(bool(torch.isfinite(gradient).all()) for gradient in gradients)
        self._n_good = self._n_good + 1 if finite else 0
        if not finite:
            self.n_skipped += 1
            self.scale = max(1.0, self.scale / 2)
        elif self._n_good % self.growth_interval == 0:
            self.scale *= 2
        return finite

    def state(self) -> dict[str, float]:
        """The factor and the counts of steps."""
        return {
            "scale": self.scale,
            "n_good": self._n_good,
            "n_skipped": self.n_skipped,
        }

    def restore(self, state: dict[str, float]) -> None:
        """Go on with what `state` gave; without effect if nothing is scaled."""
        if self.enabled:
            self.scale = state["scale"]
            self._n_good = int(state["n_good"])
            self.n_skipped = int(state["n_skipped"])
