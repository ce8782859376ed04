"""The module `cupy` on the CPU: the names of CuPy 14.2 (cupy_api.txt) and no others.

What is not written here and takes device arrays alone is the function of NumPy of that
name. The sentences in quotes are those of CuPy's documentation.
"""

import builtins
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy

from . import work
from .array import (
    Capsule,
    check_dtype,
    device_array,
    ndarray,
    only_array,
    operand,
    operand_or_setting,
    wrap,
    wrap_all,
)

__version__ = "14.2.0"
__path__: list[str] = []
API = (Path(__file__).parent / "cupy_api.txt").read_text()
FUNCTIONS = {
    name: arguments.split(",") for name, arguments in re.findall(r"(\w+)\((.*?)\)", API)
}
OTHER = set(re.search(r"\[other\]([^\[]*)", API)[1].split())  # type: ignore[index]
newaxis, inf, nan, pi, e = None, numpy.inf, numpy.nan, numpy.pi, numpy.e
float_, int_ = numpy.float64, numpy.int64


class ufunc:
    """A universal function.

    name: Its name in NumPy.
    types: The types of operands that have a kernel.
    """

    def __init__(self, name: str, types: list[str]) -> None:
        self.__name__ = name
        self.types = types
        self._numpy = getattr(numpy, name)

    def __call__(self, *args: Any, out: Any = None, dtype: Any = None) -> Any:
        n_in, n_out = self._numpy.nin, self._numpy.nout
        if len(args) > n_in:
            out = args[n_in] if n_out == 1 else args[n_in:]
        operands = [operand(x) for x in args[:n_in]]
        self._check_types(operands)
        options: dict[str, Any] = {} if dtype is None else {"dtype": check_dtype(dtype)}
        if out is not None:
            outs = out if isinstance(out, tuple) else (out,)
            options["out"] = tuple(self._check_out(x, operands) for x in outs)
        with numpy.errstate(all="ignore"):
            found = self._numpy(*operands, **options)
        work.launch(self.__name__)
        return wrap_all(found) if out is None else out

    def _check_types(self, operands: list) -> None:
        dtypes = [getattr(x, "dtype", None) for x in operands]
        for signature in self.types:
            pairs = zip(dtypes, signature)
            if builtins.all(
                x is None or numpy.can_cast(x, letter) for x, letter in pairs
            ):
                return
        raise TypeError(f"Wrong type ({dtypes}) of arguments for cupy_{self.__name__}")

    def _check_out(self, out: Any, operands: list) -> numpy.ndarray:
        array = only_array(out)
        if array.shape != numpy.broadcast_shapes(*map(numpy.shape, operands)):
            raise ValueError("Out shape is mismatched")
        for x in operands:
            if x is not array and numpy.may_share_memory(x, array):
                work.launch("copy of an overlapping operand")
        return array

    def _reduce(
        self, names: dict[str, str], x: ndarray, *args: Any, **kwargs: Any
    ) -> Any:
        if self.__name__ not in names:
            raise NotImplementedError(f"cupy_{self.__name__} has no such method")
        return getattr(x, names[self.__name__])(*args, **kwargs)

    def reduce(self, array: ndarray, axis: Any = 0, **kwargs: Any) -> Any:
        return self._reduce({"add": "sum", "multiply": "prod"}, array, axis, **kwargs)

    def accumulate(self, array: ndarray, axis: Any = 0, **kwargs: Any) -> Any:
        names = {"add": "cumsum", "multiply": "cumprod"}
        return self._reduce(names, array, axis, **kwargs)

    def reduceat(self, array: ndarray, indices: Any, axis: Any = 0) -> Any:
        """ "`add.reduceat` ... is not supported yet" in the versions before 14."""
        raise NotImplementedError(f"cupy_{self.__name__}.reduceat is not supported yet")

    def at(self, a: ndarray, indices: Any, b: Any = None) -> None:
        from .cuda import scatter_add

        if self.__name__ != "add":
            raise NotImplementedError(f"`{self.__name__}.at` is not in the stand-in")
        scatter_add(a, indices, b)

    def outer(self, A: ndarray, B: ndarray, **kwargs: Any) -> Any:
        left = A.reshape(A.shape + (1,) * B.ndim)
        return self(left, B, **kwargs)


for _line in re.findall(r"^[^\n]*: [^:\[]*$", API.partition("[ufuncs]")[2], re.M):
    _types, _, _names = _line.partition(": ")
    for _name in _names.split():
        if hasattr(numpy, _name):
            globals()[_name] = ufunc(_name, _types.split())
for _name in (
    *("bool_", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32"),
    *("uint64", "float16", "float32", "float64", "complex64", "complex128", "intp"),
    *("finfo", "iinfo", "dtype", "result_type", "promote_types", "can_cast", "integer"),
    *("floating", "number", "issubdtype", "isscalar", "broadcast_shapes", "intc"),
):
    globals()[_name] = getattr(numpy, _name)


# Arrays from elsewhere.


def array(
    obj: Any, dtype: Any = None, copy: Any = True, order: Any = "K", ndmin: int = 0
) -> ndarray:
    given = device_array(obj)
    if given is None and _holds_arrays(obj):
        work.launch("concatenate")
        return wrap(numpy.stack([array(part, dtype)._host for part in obj]))
    made = numpy.array(obj if given is None else given, dtype, ndmin=ndmin, order=order)
    if given is None:
        work.copy_to_device("cupy")
    elif not copy and made.dtype == given.dtype and made.shape == given.shape:
        return obj if isinstance(obj, ndarray) else wrap(given)
    else:
        work.launch("copy")
    return wrap(made)


def _holds_arrays(obj: Any) -> bool:
    parts = obj if isinstance(obj, (list, tuple)) else ()
    return builtins.any(isinstance(x, ndarray) or _holds_arrays(x) for x in parts)


def asarray(a: Any, dtype: Any = None, order: Any = None, **kwargs: Any) -> ndarray:
    if order == "C" and isinstance(a, ndarray):
        a = ascontiguousarray(a)
    return array(a, dtype, False, order or "K")


def ascontiguousarray(a: Any, dtype: Any = None) -> ndarray:
    found = asarray(a, dtype)
    return found if found._host.flags.c_contiguous else found.copy()


def asnumpy(a: Any, **kwargs: Any) -> numpy.ndarray:
    return a.get(**kwargs) if isinstance(a, ndarray) else numpy.asarray(a)


def from_dlpack(array: Any) -> ndarray:
    capsule = array if isinstance(array, Capsule) else array.__dlpack__()
    return wrap(capsule.take())


# New arrays.


def empty(shape: Any, dtype: Any = float, order: Any = "C") -> ndarray:
    return ndarray(shape, dtype, order)


def empty_like(a: ndarray, dtype: Any = None, order: Any = "K", **kwargs: Any) -> Any:
    like = numpy.empty_like(only_array(a), dtype, order, **kwargs)
    return ndarray(like.shape, like.dtype, "F" if like.flags.fnc else "C")


def full(shape: Any, fill_value: Any, dtype: Any = None, order: Any = "C") -> ndarray:
    made = ndarray(shape, dtype or numpy.asarray(operand(fill_value)).dtype, order)
    made.fill(fill_value)
    return made


def zeros(shape: Any, dtype: Any = float, order: Any = "C") -> ndarray:
    return full(shape, 0, dtype, order)


def ones(shape: Any, dtype: Any = float, order: Any = "C") -> ndarray:
    return full(shape, 1, dtype, order)


def full_like(a: ndarray, fill_value: Any, dtype: Any = None, **kwargs: Any) -> ndarray:
    made = empty_like(a, dtype, **kwargs)
    made.fill(fill_value)
    return made


def zeros_like(a: ndarray, dtype: Any = None, **kwargs: Any) -> ndarray:
    return full_like(a, 0, dtype, **kwargs)


def ones_like(a: ndarray, dtype: Any = None, **kwargs: Any) -> ndarray:
    return full_like(a, 1, dtype, **kwargs)


# Products.


def dot(a: Any, b: Any, out: Any = None) -> ndarray:
    arrays = only_array(a), only_array(b)
    found = numpy.dot(*_operands_of_product(arrays))
    work.launch("dot")
    if out is None:
        return wrap(found)
    _write_product(out, found, must_fit=True)
    return out


def matmul(x1: Any, x2: Any, /, out: Any = None) -> ndarray:
    arrays = only_array(x1), only_array(x2)
    if not builtins.all(x.ndim for x in arrays):
        raise ValueError("matmul: Scalar operands are not allowed, use '*' instead")
    found = numpy.matmul(*_operands_of_product(arrays))
    work.launch("matmul")
    if out is None:
        return wrap(found)
    _write_product(out, found, must_fit=False)
    return out


def _operands_of_product(arrays: tuple) -> list[numpy.ndarray]:
    """cuBLAS takes matrices of one type, contiguous by rows or by columns."""
    dtype = numpy.result_type(*arrays)
    for x in arrays:
        batched = x.ndim > 2 and not x.flags.c_contiguous
        if batched or x.dtype != dtype or not (x.flags.forc or x.ndim < 2):
            work.launch("copy of an operand of a product")
    return [x.astype(dtype, copy=False) for x in arrays]


def _write_product(out: Any, found: numpy.ndarray, must_fit: bool) -> None:
    array = only_array(out)
    if array.size != found.size:
        raise ValueError("Output array has an invalid size")
    fits = array.flags.c_contiguous and array.dtype == found.dtype
    if must_fit and not fits:
        raise ValueError(
            "Output array must be C-contiguous, of the type of the product"
        )
    if not fits:
        work.launch("copy of a product")
    array.reshape(found.shape)[...] = found


# Functions that differ from NumPy's.


def where(condition: Any, x: Any = None, y: Any = None) -> Any:
    if (x is None) != (y is None):
        raise ValueError("Must provide both 'x' and 'y' or neither.")
    if x is None:
        return condition.nonzero()
    work.launch("where")
    mask = only_array(condition).astype(bool, copy=False)
    return wrap(numpy.where(mask, operand(x), operand(y)))


def bincount(x: Any, weights: Any = None, minlength: Any = None) -> ndarray:
    """It waits for the largest number. Weights are added by atomicAdd."""
    numbers = only_array(x)
    if numbers.ndim != 1 or numbers.dtype.kind not in "biu":
        raise TypeError("x must be an int array of one dimension")
    work.wait("bincount")
    work.wait("bincount")
    work.launch("bincount", 4)
    if weights is None:
        return wrap(numpy.bincount(numbers, None, minlength or 0))
    work.unordered_sum("bincount with weights")
    return wrap(numpy.bincount(numbers, only_array(weights), minlength or 0))


def concatenate(tup: Any, axis: Any = 0, out: Any = None, *, dtype: Any = None) -> Any:
    work.launch("concatenate")
    return wrap(numpy.concatenate([only_array(x) for x in tup], axis, dtype=dtype))


def take(a: Any, indices: Any, axis: Any = None, out: Any = None) -> ndarray:
    where = device_array(indices)
    if where is None and numpy.ndim(indices):
        work.host_array("cupy")
    work.launch("take")
    found = indices if where is None else where
    return wrap(numpy.take(only_array(a), found, axis, mode="wrap"))


def repeat(a: ndarray, repeats: Any, axis: Any = None) -> ndarray:
    return a.repeat(repeats, axis)


def copyto(
    dst: ndarray, src: Any, casting: Any = "same_kind", where: Any = None
) -> None:
    array = operand(src)
    if isinstance(src, numpy.generic) or numpy.ndim(array) == 0:
        dst.fill(src)
        return
    work.launch("copy")
    numpy.copyto(only_array(dst), array, casting)


def clip(a: ndarray, a_min: Any, a_max: Any, out: Any = None) -> ndarray:
    return a.clip(a_min, a_max, out)  # type: ignore[attr-defined]


def save(file: Any, arr: ndarray) -> None:
    numpy.save(file, asnumpy(arr))


def load(file: Any) -> ndarray:
    return array(numpy.load(file))


def get_array_module(*args: Any) -> ModuleType:
    found = builtins.any(isinstance(x, ndarray) for x in args)
    return sys.modules[__name__] if found else numpy


def size(a: Any, axis: Any = None) -> int:
    return numpy.size(only_array(a), axis)


def shape(a: Any) -> tuple:
    return only_array(a).shape


METHODS = "sum prod max min mean std var argmax argmin any all cumsum cumprod argsort"
WAITING = {"argwhere", "flatnonzero", "unique", "lexsort", "histogram", "allclose"}
VIEWS = {
    *("squeeze", "expand_dims", "transpose", "reshape", "broadcast_to", "ravel"),
    *("swapaxes", "moveaxis", "atleast_1d", "atleast_2d", "split", "array_split"),
}
# Arguments that may be arrays of the host.
HOST_ARGUMENTS = {"indices_or_sections"}
# Of numbers, not of arrays.
MAKERS = {"arange", "eye", "identity", "linspace", "tri"}


def _method(name: str) -> Callable:
    def call(a: Any, *args: Any, **kwargs: Any) -> Any:
        only_array(a)
        return getattr(a, name)(*args, **kwargs)

    return call


for _name in METHODS.split():
    globals()[_name] = _method(_name)
amax, amin = _method("max"), _method("min")


def _function(name: str) -> Callable:
    own, known = getattr(numpy, name), FUNCTIONS[name]

    def call(*args: Any, **kwargs: Any) -> Any:
        if set(kwargs) - set(known):
            raise TypeError(f"cupy.{name} takes only {known}, not {[*kwargs]}")
        if name not in MAKERS:
            _check_first(args[0])
        given = {**dict(zip(known, args)), **kwargs}
        for key in given.keys() - HOST_ARGUMENTS:
            given[key] = _to_host(given[key])
        found = own(*list(given.values())[: len(args)], **{k: given[k] for k in kwargs})
        if name in WAITING:
            work.wait(name)
        if name not in VIEWS:
            work.launch(name)
        return wrap_all(found)

    return call


def _check_first(x: Any) -> None:
    """ "... only work with CuPy array": also not lists of numbers."""
    if not (isinstance(x, ndarray) or _holds_arrays(x)):
        raise TypeError(f"cupy.ndarray expected, got {type(x)}")


def _to_host(x: Any) -> Any:
    if isinstance(x, (list, tuple)):
        return type(x)(map(_to_host, x))
    return operand_or_setting(x)


def __getattr__(name: str) -> Any:
    """AttributeError for what is not in CuPy; NotImplementedError for what is, but not
    in the stand-in."""
    if name not in FUNCTIONS and name not in OTHER:
        raise AttributeError(f"module 'cupy' has no attribute '{name}'")
    if name not in FUNCTIONS or not hasattr(numpy, name):
        raise NotImplementedError(f"cupy.{name} is not in the stand-in: add it")
    globals()[name] = made = _function(name)
    return made
