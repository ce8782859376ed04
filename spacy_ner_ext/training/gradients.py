"""The norm of all gradients of a pipeline together."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from spacy.language import Language
from thinc.api import xp2torch
from thinc.shims import PyTorchShim, Shim
from torch import Tensor
from torch.nn import Parameter

from ..encoder.torch_shim import TorchShim
from .nodes import find_nodes
from .spikes import Spikes

# As in torch.nn.utils.clip_grad_norm_.
EPSILON = 1e-6


class GradientWatch:
    """Measures the norm of all gradients once a step, and limits it.

    max_norm: The highest norm, 0 for any.
    spikes: Finds norms that are out of line.
    RAISES (ValueError): If `max_norm` is below 0.
    """

    def __init__(self, max_norm: float, spikes: Spikes) -> None:
        if max_norm < 0:
            raise ValueError(
                f"grad_max_norm = {max_norm} of spacy_ner_ext.Adam.v1: set it to more "
                "than 0, or to 0 for none."
            )
        self.max_norm = max_norm
        self.spikes = spikes
        self.norm = 0.0
        self.factor = 1.0
        self.norms_of_modules: dict[int, float] = {}
        self._n_not_finite = 0
        self._restart()

    def _restart(self) -> None:
        self._n_norms = 0
        self._sum = self._highest = 0.0
        self._n_before = self.n_spikes

    @property
    def n_spikes(self) -> int:
        """The norms that were out of line, or not finite."""
        return self.spikes.n_found + self._n_not_finite

    @property
    def skips(self) -> bool:
        """Whether this step is to leave all weights as they are."""
        return self.factor == 0

    def measure(self, nlp: Language, unscaled: int | None = None) -> None:
        """Measure the norm of a step, and find by what its gradients are to be
        multiplied: `factor`.

        nlp: The pipeline, after the backward pass.
        unscaled: The id of a shim that has undone the scaling of its gradients already.
        """
        self.norm, self.norms_of_modules = measure_norms(nlp, unscaled)
        limit = self.spikes.limit(self.norm)
        if math.isfinite(self.norm):
            limit = min(limit, self.max_norm or math.inf)
            self.factor = min(1.0, limit / (self.norm + EPSILON))
            self._n_norms += 1
            self._sum += self.norm
            self._highest = max(self._highest, self.norm)
        else:
            self.factor = min(1.0, limit)
            self._n_not_finite += self.spikes.policy == "none"

    def limit_module(
        self, shim_id: int, weights: Iterable[Parameter], clip: float
    ) -> None:
        """Scale the gradients of a torch module by the factor of the step, and clip
        their norm.

        shim_id: The id of its shim.
        weights: Its weights that have a gradient.
        clip: The highest norm of its gradients, 0 for any.
        """
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        factor = self.factor
        if clip:
            norm = self.norms_of_modules.get(shim_id)
            norm = factor * (_norm(gradients) if norm is None else norm)
            factor *= min(1.0, clip / (norm + EPSILON))
        if factor != 1:
            torch._foreach_mul_(gradients, factor)

    def take(self) -> tuple[float, float, int]:
        """Take what was measured since this was called before.

        RETURNS: The mean of the norms and the highest, without those that are not
            finite, and the number of spikes.
        """
        mean = self._sum / max(1, self._n_norms)
        taken = mean, self._highest, self.n_spikes - self._n_before
        self._restart()
        return taken

    def state(self) -> dict[str, Any]:
        """What is remembered."""
        return {
            "spikes": self.spikes.state(),
            "n_not_finite": self._n_not_finite,
            "n_before": self._n_before,
            "n_norms": self._n_norms,
            "sum": self._sum,
            "highest": self._highest,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on with what `state` gave."""
        self.spikes.restore(state["spikes"])
        self._n_not_finite, self._n_before = state["n_not_finite"], state["n_before"]
        self._n_norms, self._sum = state["n_norms"], state["sum"]
        self._highest = state["highest"]


def measure_norms(
    nlp: Language, unscaled: int | None = None
) -> tuple[float, dict[int, float]]:
    """Measure the gradients of a pipeline.

    unscaled: The id of a shim whose gradients are not scaled.
    RETURNS: The norm of all together, and those of torch modules by the ids of their
        shims. Modules whose gradient scaler is going to leave them out of this step are
        left out.
    """
    arrays, norms = [], {}
    for node in find_nodes(nlp):
        arrays += [node.get_grad(n) for n in node.param_names if node.has_grad(n)]
        for shim in node.shims:
            norms[shim.id] = _norm_of_module(shim, shim.id == unscaled)
    of_nodes = _norm([xp2torch(array) for array in arrays])
    return math.hypot(of_nodes, *norms.values()), norms


def _norm_of_module(shim: Shim, is_unscaled: bool) -> float:
    module: Any = getattr(shim, "_model", None)
    if not hasattr(module, "parameters"):
        return 0.0
    if isinstance(shim, PyTorchShim) and shim._grad_scaler.found_inf:
        return 0.0
    norm = _norm([p.grad for p in module.parameters() if p.grad is not None])
    if isinstance(shim, TorchShim) and shim.scaler.enabled and not is_unscaled:
        return norm / shim.scaler.scale if math.isfinite(norm) else 0.0
    return norm


def _norm(gradients: list[Tensor]) -> float:
    if not gradients:
        return 0.0
    norms = [norm.float() for norm in torch._foreach_norm(gradients)]
    return float(torch.linalg.vector_norm(torch.stack(norms)))
