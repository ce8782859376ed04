"""thinc's CUDA kernels (thinc/backends/_custom_kernels.cu), by its NumpyOps."""

from collections.abc import Callable
from typing import Any

import numpy

from . import work
from .array import ndarray, operand, wrap
from .work import Misuse


class _Ops:
    """thinc's NumpyOps, imported late: thinc looks for CuPy when it is imported."""

    def __getattr__(self, name: str) -> Any:
        from thinc.backends.numpy_ops import NumpyOps

        return getattr(NumpyOps(), name)


OPS = _Ops()


class RawKernel:
    """cupy.RawKernel: "You need to take care of the memory layout": it reads memory
    from a pointer, whatever the strides of the array are."""

    def __init__(self, code: str, name: str, options: Any = (), **kwargs: Any) -> None:
        self.name = name.partition("<")[0]

    def __call__(self, grid: Any, block: Any, args: tuple) -> None:
        work.launch(f"thinc {self.name}")
        KERNELS[self.name](*[self._take(x) for x in args])

    def _take(self, x: Any) -> Any:
        if isinstance(x, ndarray) and not x._host.flags.c_contiguous:
            raise Misuse(f"the kernel {self.name} gets an array with gaps")
        return operand(x)


class RawModule:
    """cupy.RawModule."""

    def __init__(self, *, name_expressions: Any = None, **kwargs: Any) -> None:
        self.names = name_expressions

    def get_function(self, name: str) -> RawKernel:
        if name not in self.names:
            raise ValueError(f"no kernel {name}")
        return RawKernel("", name)


class ElementwiseKernel:
    """cupy.ElementwiseKernel; of thinc's only Adam."""

    def __init__(self, inputs: str, outputs: str, operation: str, name: str) -> None:
        self.name = name

    def __call__(self, *args: Any) -> None:
        work.launch(f"thinc {self.name}")
        gradient, *settings, weights, m, v = map(operand, args)
        rate, beta1, beta2, eps = map(weights.dtype.type, settings)
        m += beta1 * (gradient - m)
        v += beta2 * (gradient * gradient - v)
        weights -= rate * m / (numpy.sqrt(v) + eps)


class ReductionKernel:
    """cupy.ReductionKernel; of thinc's only that which checks ranges."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __call__(self, x: Any, low: Any, high: Any) -> ndarray:
        work.launch("thinc within_range")
        array = operand(x)
        return wrap(((array >= low) & (array < high)).all())


def _gather_add(out, table, indices, *sizes):
    out += table[indices].sum(axis=1)


def _seq2col(out, seq, lengths, nW, *sizes):
    out[...] = OPS.seq2col(seq, nW, lengths=lengths)


def _backprop_seq2col(out, dY, lengths, nW, *sizes):
    out[...] = OPS.backprop_seq2col(dY, nW, lengths=lengths)


def _maxout(best, which, X, *sizes):
    which[...] = X.argmax(axis=-1)
    best[...] = X.max(axis=-1)


def _backprop_maxout(out, dY, which, *sizes):
    numpy.put_along_axis(out, which[..., None].astype(int), dY[..., None], -1)


def _hash_data(out, ids, out_size, in_size, n, seed):
    if ids.dtype != numpy.uint64:
        raise Misuse("hash_data reads ids of 64 bits")
    out[...] = OPS.hash(ids, seed)


def _pad(out, pointers, lengths, stride, n_rows, length):
    out[...] = 0
    ctype = numpy.ctypeslib.as_ctypes_type(out.dtype)
    for row, pointer, n in zip(out, pointers, lengths * stride):
        if n:
            memory = (ctype * int(n)).from_address(int(pointer))
            row.reshape(-1)[:n] = numpy.frombuffer(memory, out.dtype)


def _reduce_max(maxes, which, X, lengths, *sizes):
    maxes[...], which[...] = OPS.reduce_max(X, lengths)


def _backprop_reduce_max(out, d, which, lengths, *sizes):
    out[...] = OPS.backprop_reduce_max(d, which, lengths)


def _backprop_swish(out, dY, X, Y, *sizes):
    out[...] = OPS.backprop_swish(dY, X, Y)


def _like_ops(name: str, n_arrays: int) -> Callable:
    """A kernel whose first arguments after its result are those of a method of Ops."""

    def run(out: numpy.ndarray, *args: Any) -> None:
        out[...] = getattr(OPS, name)(*args[:n_arrays])

    return run


KERNELS: dict[str, Callable] = {
    "gather_add": _gather_add,
    "hash_data": _hash_data,
    "pad": _pad,
    "seq2col": _seq2col,
    "backprop_seq2col": _backprop_seq2col,
    "maxout": _maxout,
    "backprop_maxout": _backprop_maxout,
    "reduce_max": _reduce_max,
    "backprop_reduce_max": _backprop_reduce_max,
    "backprop_swish": _backprop_swish,
}
KERNELS |= {name: _like_ops(name, 1) for name in ("gelu", "dish", "mish", "swish")}
KERNELS |= {
    name: _like_ops(name, 2)
    for name in (
        *("backprop_gelu", "backprop_dish", "backprop_mish", "backprop_hard_swish"),
        *("backprop_hard_swish_mobilenet", "reduce_sum", "backprop_reduce_sum"),
        "backprop_reduce_mean",
    )
}
KERNELS["clipped_linear"] = _like_ops("clipped_linear", 5)
KERNELS["backprop_clipped_linear"] = _like_ops("backprop_clipped_linear", 6)
