"""Measure the norm of all gradients of a pipeline in each step, and limit it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from spacy.language import Language
from thinc.shims import PyTorchShim, Shim
from torch import Tensor

from ..encoder.torch_shim import TorchShim
from ..util.tensors import norms_of, total_norm
from ..util.weights import Key, as_tensor, iter_weights
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
        self.norms: dict[Key, float] = {}
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

    def measure(self, nlp: Language | None) -> None:
        """Measure the norm of a step after the backward pass, and compute the factor
        that its gradients are multiplied by. `nlp` is None if the pipeline is gone."""
        if nlp is None:
            self.norms, self.norms_of_modules = {}, {}
            return
        self.norm, self.norms, self.norms_of_modules = measure_norms(nlp)
        limit = self.spikes.limit(self.norm)
        if math.isfinite(self.norm):
            self.factor = _scale(self.norm, min(limit, self.max_norm or math.inf))
            self._n_norms += 1
            self._sum += self.norm
            self._largest = max(self._largest, self.norm)
        else:
            self.factor = min(1.0, limit)
            self._n_not_finite += self.spikes.policy == "none"

    def limit_arrays(self, gradients: Mapping[Key, Tensor], clip: float) -> None:
        """Multiply gradients by the factor of the step, and clip the norm of each.

        clip: The largest norm, 0 for no limit.
        """
        factors = [self.factor] * len(gradients)
        if clip:
            norms = self._norms_of(gradients)
            factors = [self.factor * _scale(self.factor * norm, clip) for norm in norms]
        if any(factor != 1 for factor in factors):
            torch._foreach_mul_(list(gradients.values()), factors)

    def _norms_of(self, gradients: Mapping[Key, Tensor]) -> list[float]:
        """Norms as they were measured. Where a component finishes its update before
        the next has a gradient, those of the next were 0 then."""
        missing = [key for key in gradients if not self.norms.get(key)]
        found = norms_of([gradients[key] for key in missing]).tolist()
        self.norms.update(zip(missing, found))
        return [self.norms[key] for key in gradients]

    def norm_of_module(self, shim_id: int, gradients: list[Tensor]) -> float:
        """The norm of the gradients of a torch module, times the scale of these."""
        norm = self.norms_of_modules.get(shim_id)
        return total_norm(norms_of(gradients)) if norm is None else norm

    def limit_module(
        self, gradients: list[Tensor], norm: float, clip: float, scale: float
    ) -> None:
        """Divide the gradients of a torch module by their scale, multiply them by the
        factor of the step, and clip their norm.

        norm: Their norm, times the scale.
        clip: The largest norm, 0 for no limit.
        """
        factor = self.factor
        if clip:
            factor *= _scale(factor * (norm / scale), clip)
        if factor != scale:
            torch._foreach_mul_(gradients, factor / scale)

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


def measure_norms(nlp: Language) -> tuple[float, dict[Key, float], dict[int, float]]:
    """The norm of all gradients together, that of each array, and those of torch
    modules, times the scales of their gradients, by the ids of their shims. A module
    whose gradient scaler skips this step counts as 0."""
    weights = [w for w in iter_weights(nlp) if w.gradient is not None]
    norms = norms_of([as_tensor(w.gradient) for w in weights])
    places: dict[int | None, list[int]] = {None: []}
    shims: dict[int, Shim] = {}
    for i, weight in enumerate(weights):
        shim_id = None if weight.shim is None else weight.shim.id
        places.setdefault(shim_id, []).append(i)
        if weight.shim is not None:
            shims[weight.shim.id] = weight.shim
    arrays = {weights[i].key: float(norms[i]) for i in places[None]}
    modules = {shim_id: total_norm(norms[places[shim_id]]) for shim_id in shims}
    parts = [_unscaled(shims[shim_id], norm) for shim_id, norm in modules.items()]
    return math.hypot(total_norm(norms[places[None]]), *parts), arrays, modules


def _unscaled(shim: Shim, norm: float) -> float:
    if isinstance(shim, PyTorchShim) and shim._grad_scaler.found_inf:
        return 0.0
    if isinstance(shim, TorchShim) and shim.scaler.enabled:
        return norm / shim.scaler.scale if math.isfinite(norm) else 0.0
    return norm


def _scale(norm: float, limit: float) -> float:
    """The factor that reduces a norm to a limit; 1 for one that is not a number."""
    return limit / norm if norm > limit else 1.0
