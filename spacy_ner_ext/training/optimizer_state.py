"""The state of an optimizer and of gradient scalers, by the paths of weights, so that
another process can continue training as if it had never stopped."""

from __future__ import annotations

from typing import Any

import numpy
import torch
from spacy.language import Language
from thinc.api import Optimizer, to_numpy, torch2xp
from thinc.shims import PyTorchShim, Shim

from ..encoder.torch_shim import TorchShim
from ..util.weights import Key, Weight, as_tensor, iter_weights
from .optimizer import GroupedAdam

MOMENTS = ("mom1", "mom2")
AVERAGES = "averages"


class OptimizerState:
    """The state of an optimizer of thinc or of spacy_ner_ext.Adam.v1. The schedules of
    its learning rates are not included: call `step_schedules` once for each step.

    optimizer: The optimizer; one of the same settings to restore a state.
    nlp: The pipeline that it trains.
    """

    def __init__(self, optimizer: Optimizer, nlp: Language) -> None:
        self.optimizer, self.nlp = optimizer, nlp

    def state(self) -> dict[str, Any]:
        """Moments, averages and counts of each weight."""
        weights = list(iter_weights(self.nlp))
        state: dict[str, Any] = {
            "kind": type(self.optimizer).__name__,
            "counts": _by_path(weights, self.optimizer.nr_update),
            # thinc updates an array again once it has a gradient, even one of zeros.
            "with_gradient": [w.path for w in weights if w.gradient is not None],
            "radam": self.optimizer._radam_buffer,
        }
        for kind, arrays in self._arrays().items():
            found = _by_path(weights, arrays)
            state[kind] = {path: _to_host(array) for path, array in found.items()}
        if isinstance(self.optimizer, GroupedAdam):
            state["gradients"] = self.optimizer.gradients.state()
            state["n_averaged"] = self.optimizer.averaging.n_steps
        return state

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a state.

        RAISES (ValueError): If it is of another optimizer, or of weights that the
            pipeline does not have.
        """
        weights = {weight.path: weight for weight in iter_weights(self.nlp)}
        self._check(weights, state)
        for path, count in state["counts"].items():
            self.optimizer.nr_update[weights[path].key] = count
        self.optimizer._radam_buffer = [list(row) for row in state["radam"]]
        for kind in MOMENTS:
            moments = getattr(self.optimizer, kind)
            for path, array in state[kind].items():
                moments[weights[path].key] = self._to_device(array, weights[path])
        self._restore_averages(weights, state)
        for path in state["with_gradient"]:
            weights[path].add_gradient()

    def _restore_averages(
        self, weights: dict[str, Weight], state: dict[str, Any]
    ) -> None:
        found = {
            weights[path].key: (weights[path], array)
            for path, array in state.get(AVERAGES, {}).items()
        }
        if isinstance(self.optimizer, GroupedAdam):
            self.optimizer.bind(self.nlp)
            self.optimizer.gradients.restore(state["gradients"])
            self.optimizer.averaging.restore(
                state["n_averaged"],
                {key: (as_tensor(w.array), a) for key, (w, a) in found.items()},
            )
        elif self.optimizer.averages is not None:
            for key, (weight, array) in found.items():
                self.optimizer.averages[key] = self._to_device(array, weight)

    def _arrays(self) -> dict[str, dict[Key, Any]]:
        optimizer: Any = self.optimizer
        found = {kind: getattr(optimizer, kind) for kind in MOMENTS}
        if isinstance(optimizer, GroupedAdam):
            found[AVERAGES] = optimizer.averaging.tensors
        elif optimizer.averages is not None:
            found[AVERAGES] = optimizer.averages
        return found

    def _to_device(self, array: numpy.ndarray, weight: Weight) -> Any:
        # A part of spaCy's parser stays on the CPU.
        device = as_tensor(weight.array).device
        tensor = torch.from_numpy(array.copy()).to(device)
        return tensor if isinstance(self.optimizer, GroupedAdam) else torch2xp(tensor)

    # --- Checks ---------------------------------------------------------------

    def _check(self, weights: dict[str, Weight], state: dict[str, Any]) -> None:
        kind = type(self.optimizer).__name__
        if state["kind"] != kind:
            raise ValueError(
                f"The saved state is of {state['kind']}, but the config has an "
                f"optimizer of the kind {kind}: set [training.optimizer] back, or "
                "train again from the start."
            )
        if state.get(AVERAGES) and self.optimizer.averages is None:
            raise ValueError(
                "The saved state of the optimizer has averages, but the optimizer of "
                "the config does not average: set [training.optimizer] back, or train "
                "again from the start."
            )
        for path in [*state["counts"], *state["with_gradient"]]:
            _check_path(weights, path)
        for kind in (*MOMENTS, AVERAGES):
            for path, array in state.get(kind, {}).items():
                _check_path(weights, path)
                self._check_shape(weights[path], array, kind)

    def _check_shape(self, weight: Weight, array: numpy.ndarray, kind: str) -> None:
        is_flat = kind in MOMENTS and not isinstance(self.optimizer, GroupedAdam)
        expected = (int(numpy.prod(weight.shape)),) if is_flat else weight.shape
        if array.shape != expected:
            raise ValueError(
                f"The saved state of the optimizer for {weight.path} has the shape "
                f"{array.shape}, but the weight of the pipeline has {weight.shape}: "
                "use the config and labels of that training, or train again from the "
                "start."
            )


def _check_path(weights: dict[str, Weight], path: str) -> None:
    if path not in weights:
        raise ValueError(
            f"The saved state of the optimizer has a weight {path} that the pipeline "
            "does not have: use the config and labels of that training, or train again "
            "from the start."
        )


def _by_path(weights: list[Weight], values: dict[Key, Any]) -> dict[str, Any]:
    return {w.path: values[w.key] for w in weights if w.key in values}


def _to_host(array: Any) -> numpy.ndarray:
    if isinstance(array, torch.Tensor):
        return array.cpu().numpy().copy()
    return to_numpy(array).copy()


class ScalerState:
    """The factors of the gradient scalers of torch modules, by the path of the first
    weight of each module."""

    def __init__(self, nlp: Language) -> None:
        self.nlp = nlp

    def state(self) -> dict[str, Any]:
        """The factors of the scalers that are enabled."""
        factors: dict[str, Any] = {}
        for path, shim in self._shims().items():
            if isinstance(shim, TorchShim) and shim.scaler.enabled:
                factors[path] = shim.scaler.state()
            elif isinstance(shim, PyTorchShim) and shim._grad_scaler._enabled:
                scaler: Any = shim._grad_scaler
                n_good = int(scaler._growth_tracker)
                factors[path] = {"scale": float(scaler._scale), "n_good": n_good}
        return factors

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a state; modules that no longer scale ignore it."""
        shims = self._shims()
        for path, factors in state.items():
            shim = shims.get(path)
            if isinstance(shim, TorchShim):
                shim.scaler.restore(factors)
            elif isinstance(shim, PyTorchShim):
                shim._grad_scaler._scale.fill_(factors["scale"])
                shim._grad_scaler._growth_tracker.fill_(factors["n_good"])

    def _shims(self) -> dict[str, Shim]:
        first: dict[int, tuple[str, Shim]] = {}
        for weight in iter_weights(self.nlp):
            if weight.shim is not None:
                first.setdefault(weight.shim.id, (weight.path, weight.shim))
        return dict(first.values())
