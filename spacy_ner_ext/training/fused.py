"""torch's own fused AdamW for the weights of torch modules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from .groups import ParameterGroup
from .nodes import Key

MOMENTS = ("exp_avg", "exp_avg_sq")


class FusedAdams:
    """An AdamW for each module, which changes all its weights in one call.

    find: Gives the group of a weight and its weight decay.
    options: Arguments of torch.optim.AdamW.
    """

    def __init__(
        self,
        find: Callable[[Key], tuple[ParameterGroup, float]],
        options: dict[str, Any],
    ) -> None:
        self.find = find
        self.options = options
        self._adams: dict[int, torch.optim.AdamW] = {}
        self._weights: dict[Key, Parameter] = {}

    def update(self, shim_id: int, weights: dict[str, Parameter]) -> None:
        """Change weights by their gradients.

        shim_id: The id of the shim of the module.
        weights: The weights that have a gradient.
        """
        self._add(shim_id, weights)
        adam = self._adams.get(shim_id)
        if adam is not None:
            for group in adam.param_groups:
                group["lr"] = group["rate"].value
            adam.step()

    def _add(self, shim_id: int, weights: dict[str, Parameter]) -> None:
        """Add the weights that are not known yet."""
        together: dict[tuple[str, float], dict[str, Any]] = {}
        for name, weight in weights.items():
            key = (shim_id, name)
            if self._weights.get(key) is not weight:
                self._weights[key] = weight
                group, decay = self.find(key)
                settings = {"params": [], "weight_decay": decay, "rate": group.rate}
                together.setdefault((group.name, decay), settings)
                together[group.name, decay]["params"].append(weight)
        if together and shim_id not in self._adams:
            groups = list(together.values())
            self._adams[shim_id] = torch.optim.AdamW(groups, fused=True, **self.options)
        else:
            for settings in together.values():
                self._adams[shim_id].add_param_group(settings)

    def state(self) -> tuple[dict[str, dict[Key, Tensor]], dict[Key, int]]:
        """The moments of each weight, by their names in torch, and
        the steps that it made.
        """
        moments: dict[str, dict[Key, Tensor]] = {name: {} for name in MOMENTS}
        steps = {}
        for key, weight in self._weights.items():
            state = self._adams[key[0]].state.get(weight)
            if state:
                steps[key] = int(state["step"])
                for name in MOMENTS:
                    moments[name][key] = state[name]
        return moments, steps

    def register(self, weights: Mapping[Key, Parameter]) -> None:
        """Add weights before their first step, those of a module together."""
        modules: dict[int, dict[str, Parameter]] = {}
        for (shim_id, name), weight in weights.items():
            modules.setdefault(shim_id, {})[name] = weight
        for shim_id, of_module in modules.items():
            self._add(shim_id, of_module)

    def restore(self, key: Key, step: int, moments: dict[str, Tensor]) -> None:
        """Go on with what `state` gave for a weight that was registered.

        step: The steps that it made.
        moments: Its moments, by their names in torch.
        """
        weight = self._weights[key]
        state = {name: moments[name].to(weight.device) for name in MOMENTS}
        state["step"] = torch.tensor(float(step), device=weight.device)
        self._adams[key[0]].state[weight] = state
