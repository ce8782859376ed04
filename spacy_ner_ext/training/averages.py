"""Averages of weights over the steps of training, for thinc and torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from weakref import WeakSet

import torch
from spacy.language import Language
from spacy.util import logger
from thinc.api import torch2xp
from thinc.shims import PyTorchShim
from torch import Tensor

from .nodes import Key, find_nodes

OPTIMIZERS_OF_THINC = ("Adam.v1", "RAdam.v1", "SGD.v1")
_checked: WeakSet[Language] = WeakSet()


class Averages:
    """Exponential moving averages of weights (Polyak and Juditsky 1992), that begin
    with the weights before their first step.

    As usual, the decay of step n is at most (1 + n) / (10 + n).

    decay: The part of an average that stays in each step; 0 for no averages.
    RAISES (ValueError): If it is none.
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
        # By the keys that `use_params` of thinc's layers wants.
        self.arrays: dict[Any, Any] | None = {} if decay else None
        self._shims: dict[Key, PyTorchShim] = {}

    def bind(self, nlp: Language) -> None:
        """Find the torch modules of thinc, which want all of their state at once."""
        for shim in _modules_of_thinc(nlp):
            for name, _ in shim._model.named_parameters():
                self._shims[shim.id, name] = shim

    def begin_step(self) -> None:
        """Tell that the weights that follow are of a new step."""
        self.n_steps += 1

    def begin(self, weights: Mapping[Key, Tensor]) -> None:
        """Begin the averages of weights that have none yet, before they are changed."""
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
        """Average what can be trained, and show the rest as it is."""
        assert self.arrays is not None
        module: Any = shim._model
        trained = {n for n, p in module.named_parameters() if p.requires_grad}
        for name, tensor in module.state_dict().items():
            shown = f"pytorch_{shim.id}_{name}"
            if name in trained:
                self._add((shim.id, name), shown, tensor)
            else:
                self.arrays[shown] = torch2xp(tensor)

    def update(self, weights: Mapping[Key, Tensor]) -> None:
        """Move averages towards weights that have been changed."""
        if self.arrays is None:
            return
        decay = min(self.decay, (1 + self.n_steps) / (10 + self.n_steps))
        averages = [self.tensors[key] for key in weights]
        values = [weight.detach() for weight in weights.values()]
        torch._foreach_lerp_(averages, values, 1 - decay)

    def restore(self, n_steps: int, averages: Mapping[Key, tuple[Tensor, Any]]) -> None:
        """Go on with saved averages.

        n_steps: The steps that were made.
        averages: The weights, and their averages.
        """
        self.n_steps = n_steps
        self.begin({key: weight for key, (weight, _) in averages.items()})
        for key, (_, average) in averages.items():
            self.tensors[key].copy_(average)


def warn_about_torch(nlp: Language) -> None:
    """Log, once for a pipeline, if the config asks for averages of thinc's optimizers,
    and there are torch modules, whose averages they keep but never use.

    nlp: The pipeline, as its training begins.
    """
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
    for node in find_nodes(nlp):
        for shim in node.shims:
            if isinstance(shim, PyTorchShim):
                yield shim
