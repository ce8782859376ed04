"""Averages of weights over the steps of training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from weakref import WeakSet

import numpy
import torch
from spacy.language import Language
from spacy.util import logger
from thinc.api import torch2xp
from thinc.shims import PyTorchShim
from torch import Tensor

from ..util.weights import Key, iter_shims

OPTIMIZERS_OF_THINC = ("Adam.v1", "RAdam.v1", "SGD.v1")
_checked: WeakSet[Language] = WeakSet()


class Averages:
    """Exponential moving averages of weights (Polyak and Juditsky 1992), starting from
    the weights before their first step.

    As usual, the decay of step n is at most (1 + n) / (10 + n).

    decay: The part of an average that remains after each step; 0 for no averages.
    RAISES (ValueError): If it is not at least 0 and below 1.
    """

    def __init__(self, decay: float) -> None:
        if not 0 <= decay < 1:
            raise ValueError(
                f"averages = {decay} of spacy_ner_ext.Adam.v1: set it to a decay such "
                "as 0.999, or to 0 for none."
            )
        self.decay = decay
        self.n_steps = 0
        self.tensors: dict[Key, Tensor] = {}
        # By the keys that `use_params` of thinc's layers expects.
        self.arrays: dict[Any, Any] | None = {} if decay else None
        self._shims: dict[Key, PyTorchShim] = {}

    def bind(self, nlp: Language) -> None:
        """Find thinc's torch modules, whose state is replaced only as a whole."""
        for shim in _modules_of_thinc(nlp):
            for name, _ in shim._model.named_parameters():
                self._shims[shim.id, name] = shim

    def begin_step(self) -> None:
        """Count a step, before its first update."""
        self.n_steps += 1

    def begin(self, weights: Mapping[Key, Tensor]) -> None:
        """Create missing averages before the weights change."""
        if self.arrays is None:
            return
        for key, weight in weights.items():
            average = self.tensors.get(key)
            if average is None or average.shape != weight.shape:
                if key in self._shims:
                    self._add_module(self._shims[key])
                else:
                    self._add(key, key, weight)

    def _add(self, key: Key, name: Any, weight: Tensor) -> None:
        assert self.arrays is not None
        self.tensors[key] = weight.detach().clone()
        self.arrays[name] = torch2xp(self.tensors[key])

    def _add_module(self, shim: PyTorchShim) -> None:
        """Average what is trained of a module, and refer to the rest of its state."""
        assert self.arrays is not None
        module: Any = shim._model
        trained = {n for n, p in module.named_parameters() if p.requires_grad}
        for name, tensor in module.state_dict().items():
            in_thinc = f"pytorch_{shim.id}_{name}"
            if name in trained:
                self._add((shim.id, name), in_thinc, tensor)
            else:
                self.arrays[in_thinc] = torch2xp(tensor)

    def update(self, weights: Mapping[Key, Tensor]) -> None:
        """Move averages towards updated weights."""
        if self.arrays is None:
            return
        decay = min(self.decay, (1 + self.n_steps) / (10 + self.n_steps))
        averages = [self.tensors[key] for key in weights]
        torch._foreach_lerp_(averages, list(weights.values()), 1 - decay)

    def restore(
        self, n_steps: int, averages: Mapping[Key, tuple[Tensor, numpy.ndarray]]
    ) -> None:
        """Continue from saved averages, each given with its weight."""
        self.n_steps = n_steps
        self.begin({key: weight for key, (weight, _) in averages.items()})
        for key, (_, average) in averages.items():
            self.tensors[key].copy_(torch.from_numpy(average.copy()))


def warn_about_torch(nlp: Language) -> None:
    """Warn, once for a pipeline, if the config asks one of thinc's optimizers for
    averages and the pipeline has torch modules, which never use them."""
    if nlp in _checked:
        return
    _checked.add(nlp)
    settings = nlp.config.interpolate()["training"]["optimizer"]
    asked = settings.get("@optimizers") in OPTIMIZERS_OF_THINC
    if not asked or not settings.get("use_averages", True):
        return
    if any(_modules_of_thinc(nlp)):
        logger.warning(
            "use_averages of %s has no effect on the weights of torch modules: use "
            "spacy_ner_ext.Adam.v1 with averages = 0.999 in [training.optimizer].",
            settings["@optimizers"],
        )


def _modules_of_thinc(nlp: Language) -> Iterator[PyTorchShim]:
    return (shim for shim in iter_shims(nlp) if isinstance(shim, PyTorchShim))
