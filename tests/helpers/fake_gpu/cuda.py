"""cupy.cuda, cupy.random, cupy.linalg, cupy.cublas and cupyx on the CPU."""

from types import ModuleType, SimpleNamespace
from typing import Any

import numpy

from . import generators, work
from .array import (
    OutOfMemoryError,
    check_dtype,
    device_array,
    indices,
    ndarray,
    only_array,
    wrap,
)
from .kernels import ElementwiseKernel, RawKernel, RawModule, ReductionKernel

N_DEVICES = 1


class CUDARuntimeError(RuntimeError):
    """cupy.cuda.runtime.CUDARuntimeError."""


class Device:
    """cupy.cuda.Device."""

    def __init__(self, device: Any = None) -> None:
        self.id = 0 if device is None else int(device)

    def use(self) -> None:
        if not 0 <= self.id < N_DEVICES:
            raise CUDARuntimeError("cudaErrorInvalidDevice: invalid device ordinal")

    def synchronize(self) -> None:
        work.wait("synchronize")

    @property
    def mem_info(self) -> tuple[int, int]:
        return work.memory.free, work.memory.total

    def __int__(self) -> int:
        return self.id

    def __enter__(self) -> "Device":
        return self

    def __exit__(self, *args: Any) -> None:
        pass


class Stream(Device):
    """cupy.cuda.Stream: all work is in the one stream."""

    ptr = 0

    def __init__(self, null: bool = False, non_blocking: bool = False) -> None:
        super().__init__()


class Pointer:
    """cupy.cuda.MemoryPointer."""

    def __init__(self, ptr: int) -> None:
        self.ptr = ptr


class MemoryPool:
    """cupy.cuda.MemoryPool: counts nothing, frees nothing."""

    def __init__(self, allocator: Any = None) -> None:
        self.malloc = allocator
        self.n_freed = 0

    def free_all_blocks(self, stream: Any = None) -> None:
        self.n_freed += 1

    def used_bytes(self) -> int:
        return 0

    total_bytes = free_bytes = used_bytes


def _draw(name: str) -> Any:
    def draw(*args: Any, dtype: Any = None, **kwargs: Any) -> ndarray:
        state = generators.of_cupy()
        work.launch(f"random.{name}")
        found = numpy.asarray(getattr(state, name)(*args, **kwargs))
        return wrap(found if dtype is None else found.astype(check_dtype(dtype)))

    return draw


def _draw_shape(name: str) -> Any:
    return lambda *shape, **kwargs: _draw(name)(size=shape, **kwargs)


def permutation(a: Any) -> ndarray:
    work.launch("random.permutation")
    state = generators.of_cupy()
    return wrap(state.permutation(a if isinstance(a, int) else only_array(a)))


def scatter_add(a: ndarray, slices: Any, value: Any) -> None:
    """ "It only supports types that are supported by CUDA's atomicAdd when an integer
    array is included in slices": their order is undefined."""
    array = only_array(a)
    if array.dtype.char not in "efdiIlLqQ":
        raise TypeError(f"cupy.add.at does not support {array.dtype}")
    where, n_arrays = indices(slices)
    given = device_array(value)
    given = numpy.asarray(value) if given is None else given
    numpy.add.at(array, where, given.astype(array.dtype))
    work.launch("scatter_add", n_arrays + 2 if n_arrays > 1 else 1)
    work.unordered_sum("scatter_add")


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> ndarray:
    work.launch("linalg.norm", 3)
    return wrap(numpy.linalg.norm(only_array(x), ord, axis, keepdims))


def nrm2(x: Any, out: Any = None) -> ndarray:
    array = only_array(x)
    if array.ndim != 1:
        raise ValueError(f"x must be a 1D array (actual: {array.ndim})")
    work.launch("nrm2")
    return wrap(numpy.linalg.norm(array).astype(array.dtype))


def _module(name: str, **attributes: Any) -> ModuleType:
    made = ModuleType(name)
    made.__dict__.update(attributes)
    return made


def modules() -> dict[str, ModuleType]:
    """The modules of CuPy, by name."""
    from . import cupy

    pool, stream = MemoryPool(), Stream()
    runtime = _module(
        "cupy.cuda.runtime",
        CUDARuntimeError=CUDARuntimeError,
        getDeviceCount=lambda: N_DEVICES,
        getDevice=lambda: 0,
        driverGetVersion=lambda: 13000,
        deviceSynchronize=Device().synchronize,
        memGetInfo=lambda: (work.memory.free, work.memory.total),
    )
    memory = _module("cupy.cuda.memory", OutOfMemoryError=OutOfMemoryError)
    memory.__dict__.update(MemoryPointer=Pointer, UnownedMemory=SimpleNamespace)
    allocator = SimpleNamespace(current=None)
    cuda = _module(
        "cupy.cuda",
        Device=Device,
        Stream=Stream,
        MemoryPool=MemoryPool,
        runtime=runtime,
        memory=memory,
        device=_module("cupy.cuda.device", Device=Device),
        stream=_module("cupy.cuda.stream", Stream=Stream),
        set_allocator=lambda new=None: setattr(allocator, "current", new),
        get_allocator=lambda: allocator.current,
        get_current_stream=lambda: stream,
        is_available=lambda: N_DEVICES > 0,
    )
    drawing = {name: _draw(name) for name in ("uniform", "normal", "randint")}
    drawing |= {name: _draw("random_sample") for name in ("random", "random_sample")}
    drawing |= {"rand": _draw_shape("random_sample"), "randn": _draw_shape("normal")}
    random = _module(
        "cupy.random", seed=generators.seed_cupy, permutation=permutation, **drawing
    )
    linalg = _module("cupy.linalg", norm=norm)
    cublas = _module("cupy.cublas", nrm2=nrm2)
    cupy.__dict__.update(cuda=cuda, random=random, linalg=linalg, cublas=cublas)
    cupy.__dict__.update(get_default_memory_pool=lambda: pool)
    cupy.__dict__.update(ElementwiseKernel=ElementwiseKernel, RawKernel=RawKernel)
    cupy.__dict__.update(ReductionKernel=ReductionKernel, RawModule=RawModule)
    inner = (runtime, memory, cuda, cuda.device, cuda.stream, random, linalg, cublas)
    found = {module.__name__: module for module in inner}
    cupyx = _module("cupyx", scatter_add=scatter_add, rsqrt=None)
    return {"cupy": cupy, "cupyx": cupyx, **found}
