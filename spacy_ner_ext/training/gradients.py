"""Measure the norm of all gradients of a pipeline in each step, and limit it."""

from __future__ import annotations

import math
from typing import Any

import torch
from spacy.language import Language
from thinc.shims import PyTorchShim, Shim
from torch import Tensor

from ..encoder.torch_shim import TorchShim
from ..util.weights import as_tensor, iter_weights
from .spikes import Spikes


class GradientMonitor:
    """Measures the norm of all gradients once a step, and limits it.

    max_norm: The largest norm, 0 for no limit.
    spikes: Finds norms that are far above the others.
    RAISES (ValueError): If `max_norm` is below 0.
    """

    def __init__(self, max_norm: float, spikes: Spikes) -> None:
        if max_norm < 0:
            raise ValueError(
                f"grad_max_norm = {max_norm} of spacy_ner_ext.Adam.v1: set it to more "
                "than 0, or to 0 for no limit."
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
        self._sum = self._largest = 0.0
        self._n_before = self.n_spikes

    @property
    def n_spikes(self) -> int:
        """The number of norms that were spikes or not finite."""
        return self.spikes.n_found + self._n_not_finite

    @property
    def skips(self) -> bool:
        """Whether this step leaves all weights unchanged."""
        return self.factor == 0

    def measure(self, nlp: Language, unscaled: int | None = None) -> None:
        """Measure the norm of a step after the backward pass, and compute the factor
        that its gradients are multiplied by.

        unscaled: Id of a shim that has already divided its gradients by its scale.
        """
        self.norm, self.norms_of_modules = measure_norms(nlp, unscaled)
        limit = self.spikes.limit(self.norm)
        if math.isfinite(self.norm):
            self.factor = _scale(self.norm, min(limit, self.max_norm or math.inf))
            self._n_norms += 1
            self._sum += self.norm
            self._largest = max(self._largest, self.norm)
        else:
            self.factor = min(1.0, limit)
            self._n_not_finite += self.spikes.policy == "none"

    def limit(self, gradients: list[Tensor], clip: float, shim_id: int | None) -> None:
        """Multiply gradients by the factor of the step, and clip their norm.

        clip: The largest norm, 0 for no limit.
        shim_id: The shim of the gradients, whose norm was measured; None for others.
        """
        factor = self.factor
        if clip:
            norm = None if shim_id is None else self.norms_of_modules.get(shim_id)
            norm = _norm(gradients) if norm is None else norm
            factor *= _scale(factor * norm, clip)
        if factor != 1:
            torch._foreach_mul_(gradients, factor)

    def take(self) -> tuple[float, float, int]:
        """The mean and the largest of the finite norms, and the number of spikes, since
        the last call."""
        mean = self._sum / max(1, self._n_norms)
        taken = mean, self._largest, self.n_spikes - self._n_before
        self._restart()
        return taken

    def state(self) -> dict[str, Any]:
        """The statistics so far."""
        return {
            "spikes": self.spikes.state(),
            "n_not_finite": self._n_not_finite,
            "n_before": self._n_before,
            "n_norms": self._n_norms,
            "sum": self._sum,
            "largest": self._largest,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a state."""
        self.spikes.restore(state["spikes"])
        self._n_not_finite, self._n_before = state["n_not_finite"], state["n_before"]
        self._n_norms, self._sum = state["n_norms"], state["sum"]
        self._largest = state["largest"]


def measure_norms(
    nlp: Language, unscaled: int | None = None
) -> tuple[float, dict[int, float]]:
    """The norm of all gradients together, and the norms of torch modules by the ids of
    their shims. A module whose gradient scaler skips this step counts as 0."""
    arrays: list[Tensor] = []
    modules: dict[int, tuple[Shim, list[Tensor]]] = {}
    for weight in iter_weights(nlp):
        if weight.gradient is None:
            continue
        if weight.shim is None:
            arrays.append(as_tensor(weight.gradient))
        else:
            module = modules.setdefault(weight.shim.id, (weight.shim, []))
            module[1].append(weight.gradient)
    norms = {
        shim_id: _norm_of_module(shim, gradients, shim_id == unscaled)
        for shim_id, (shim, gradients) in modules.items()
    }
    return math.hypot(_norm(arrays), *norms.values()), norms


def _norm_of_module(shim: Shim, gradients: list[Tensor], is_unscaled: bool) -> float:
    if isinstance(shim, PyTorchShim) and shim._grad_scaler.found_inf:
        return 0.0
    norm = _norm(gradients)
    if isinstance(shim, TorchShim) and shim.scaler.enabled and not is_unscaled:
        return norm / shim.scaler.scale if math.isfinite(norm) else 0.0
    return norm


def _norm(gradients: list[Tensor]) -> float:
    if not gradients:
        return 0.0
    norms = [norm.float() for norm in torch._foreach_norm(gradients)]
    return float(torch.linalg.vector_norm(torch.stack(norms)))


def _scale(norm: float, limit: float) -> float:
    """The factor that reduces a norm to a limit; 1 for one that is not a number."""
    return limit / norm if norm > limit else 1.0
