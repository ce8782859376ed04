"""The memory of a GPU: how much is free, and errors if it is exhausted."""

from __future__ import annotations

import torch
from thinc.util import has_cupy_gpu

# Of the free memory; the rest is for fragments, and for what is computed next to it.
SHARE = 0.5


def out_of_memory() -> tuple[type[BaseException], ...]:
    """The errors of torch and CuPy."""
    if not has_cupy_gpu:
        return (torch.cuda.OutOfMemoryError,)
    from cupy.cuda.memory import OutOfMemoryError

    return torch.cuda.OutOfMemoryError, OutOfMemoryError


def is_lost_gpu(err: BaseException) -> bool:
    """Whether an error means that all further work on the GPU fails, too."""
    if isinstance(err, out_of_memory()):
        return False
    name, text = type(err).__name__, str(err)
    return name == "CUDARuntimeError" or text.startswith("CUDA error")


def free_cached_memory() -> None:
    """Give memory that torch has reserved and does not use back to the GPU."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def free_memory(device: torch.device) -> int:
    """The bytes that torch can allocate: those that are free on the GPU, and those that
    it has reserved and does not use."""
    free, _ = torch.cuda.mem_get_info(device)
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return free + unused


def fitting(device: torch.device, most: int, bytes_each: int) -> int:
    """How many items of a size fit into a share of the free memory, at most `most`. If
    fewer do, it is a power of two, so that passes are often the same."""
    if device.type != "cuda":
        return most
    n = max(1, int(SHARE * free_memory(device)) // bytes_each)
    return most if n >= most else 1 << (n.bit_length() - 1)
