"""Building a module without drawing the random weights that saved ones replace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook


@contextmanager
def without_weights() -> Iterator[None]:
    """Put the weights of all modules that this thread builds on the device "meta".

    Buffers stay on the CPU, since no file contains those that are not saved, such as
    the frequencies of rotary positions.
    """
    thread = get_ident()

    def move(module: nn.Module, name: str, weight: nn.Parameter | None) -> Any:
        if weight is None or weight.is_meta or get_ident() != thread:
            return None
        return nn.Parameter(weight.to("meta"), weight.requires_grad)

    hook = register_module_parameter_registration_hook(move)
    try:
        yield
    finally:
        hook.remove()


def allocate(module: nn.Module) -> None:
    """Give memory to weights on the device "meta"; their values are arbitrary, and
    shared weights stay shared."""
    allocated: dict[nn.Parameter, nn.Parameter] = {}
    for child in module.modules():
        for name, weight in list(child.named_parameters(recurse=False)):
            if weight not in allocated:
                empty = torch.empty_like(weight, device="cpu")
                allocated[weight] = nn.Parameter(empty, weight.requires_grad)
            setattr(child, name, allocated[weight])
