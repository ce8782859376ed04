"""Norms of many tensors, and sums in a fixed order."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def norms_of(tensors: Sequence[Tensor]) -> Tensor:
    """The norm of each tensor, float32 on the CPU: the host waits once."""
    norms = torch.zeros(len(tensors))
    for device in dict.fromkeys(tensor.device for tensor in tensors):
        places = [i for i, tensor in enumerate(tensors) if tensor.device == device]
        found = torch._foreach_norm([tensors[i] for i in places])
        norms[places] = torch.stack([norm.float() for norm in found]).cpu()
    return norms


def total_norm(norms: Tensor) -> float:
    """The norm of all tensors together."""
    return float(torch.linalg.vector_norm(norms))


def add_rows(table: Tensor, rows: Tensor, values: Tensor) -> Tensor:
    """Add values to the rows of a table, in place, in the same order each time: on a
    GPU index_add_ adds in any order, and index_put_ sorts."""
    if table.is_cuda:
        return table.index_put_((rows,), values, accumulate=True)
    return table.index_add_(0, rows, values)
