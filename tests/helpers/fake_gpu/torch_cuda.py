"""torch.cuda with one GPU that is none."""

from typing import Any

import torch
from torch.optim.optimizer import _foreach_supported_types
from torch.utils import _foreach_utils

from . import cuda, tensors, work
from .generators import TorchGenerator


def _set_device(device: Any) -> None:
    index = device if isinstance(device, int) else torch.device(device).index
    if index not in (None, *range(cuda.N_DEVICES)):
        raise torch.AcceleratorError("CUDA error: invalid device ordinal")


class _Context:
    """torch.cuda.device."""

    def __init__(self, device: Any = None) -> None:
        _set_device(0 if device is None else device)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *args: Any) -> None:
        pass


n_emptied = 0


def _empty_cache() -> None:
    global n_emptied
    n_emptied += 1


def _load(f: Any, map_location: Any = None, **kwargs: Any) -> Any:
    is_cuda = isinstance(map_location, (str, torch.device))
    if is_cuda and torch.device(map_location).type == "cuda":
        map_location = "cpu"
    return _torch_load(f, map_location=map_location, **kwargs)


_torch_load = torch.load


def install() -> None:
    generator = TorchGenerator()
    replaced = {
        "is_available": lambda: cuda.N_DEVICES > 0,
        "device_count": lambda: cuda.N_DEVICES,
        "current_device": lambda: 0,
        "set_device": _set_device,
        "device": _Context,
        "device_of": _Context,
        "_lazy_init": lambda: None,
        "is_initialized": lambda: True,
        "_exchange_device": lambda device: 0,
        "_maybe_exchange_device": lambda device: 0,
        "default_generators": (generator,),
        "synchronize": lambda device=None: work.wait("torch.cuda.synchronize"),
        "empty_cache": _empty_cache,
        "get_device_name": lambda device=None: "no GPU",
        "get_device_capability": lambda device=None: (9, 0),
        "is_bf16_supported": lambda including_emulation=True: True,
        "mem_get_info": lambda device=None: (work.memory.free, work.memory.total),
        "memory_allocated": lambda device=None: 0,
        "memory_reserved": lambda device=None: 0,
        "max_memory_allocated": lambda device=None: 0,
        "reset_peak_memory_stats": lambda device=None: None,
        "get_rng_state": lambda device="cuda": generator.get_state(),
        "get_rng_state_all": lambda: [generator.get_state()],
        "set_rng_state": lambda state, device="cuda": generator.set_state(state),
        "set_rng_state_all": lambda states: generator.set_state(states[0]),
        "manual_seed": generator.manual_seed,
        "manual_seed_all": generator.manual_seed,
    }
    for name, value in replaced.items():
        setattr(torch.cuda, name, value)
    for name in ("to_dlpack", "from_dlpack"):
        setattr(torch.utils.dlpack, name, getattr(tensors, name))
    torch.from_dlpack = tensors.from_dlpack
    torch.load = _load
    # Else backward() leaves the function mode, also for layers that are computed again.
    torch.autograd.has_torch_function = lambda args: False  # type: ignore[attr-defined]
    torch.serialization.add_safe_globals([tensors._rebuild])
    _foreach_supported_types.append(tensors.CudaTensor)
    _foreach_utils._foreach_supported_types.append(tensors.CudaTensor)
    tensors.Dispatch().__enter__()
    tensors.Functions().__enter__()
