"""cupy.ndarray on the CPU: it holds a NumPy array and refuses what CuPy refuses.

The sentences in quotes are those of CuPy's documentation, mostly of the page
"Differences between CuPy and NumPy".
"""

import operator
from collections.abc import Callable
from typing import Any

import numpy

from . import work
from .work import Misuse

SCALARS = (bool, int, float, complex, numpy.generic)
MIXED = (
    "Universal Functions in CuPy only work with CuPy array or scalar. They do not "
    "accept other objects (e.g., lists or numpy.ndarray): Unsupported type "
)
IMPLICIT = (
    "Implicit conversion to a NumPy array is not allowed. Please use `.get()` to "
    "construct a NumPy array explicitly."
)
OUT_OF_BOUNDS = "NumPy handles them by raising an error, but CuPy wraps around them"
DUPLICATES = (
    "integer arrays reference the same location multiple times. In that case, the "
    "value that is actually stored is undefined"
)


class OutOfMemoryError(MemoryError):
    """cupy.cuda.memory.OutOfMemoryError."""


class Capsule:
    """A DLPack capsule: an array of the device on its way to another library."""

    def __init__(self, array: numpy.ndarray) -> None:
        self._array: numpy.ndarray | None = array

    def take(self) -> numpy.ndarray:
        """DLPack: "a consumer ... must not consume a capsule more than once"."""
        array, self._array = self._array, None
        if array is None:
            raise ValueError("A DLPack capsule cannot be consumed multiple times")
        return array


def check_dtype(dtype: Any) -> numpy.dtype:
    """ "Data type of CuPy arrays cannot be non-numeric like strings or objects." """
    dtype = numpy.dtype(dtype)
    if dtype.char not in "?bBhHiIlLqQefdFD":
        raise ValueError(f"Unsupported dtype {dtype}")
    return dtype


def wrap(array: Any) -> "ndarray":
    """A device array of a NumPy array, whose memory it shares, or of a scalar."""
    made = object.__new__(ndarray)
    made._host = numpy.asarray(array)
    check_dtype(made._host.dtype)
    work.memory.check(made._host.nbytes, OutOfMemoryError)
    return made


def wrap_all(found: Any) -> Any:
    if isinstance(found, (tuple, list)):
        return type(found)(map(wrap_all, found))
    return found if found is None else wrap(found)


def is_device_tensor(x: Any) -> bool:
    return hasattr(x, "_fake_cuda")


def device_array(x: Any) -> Any:
    """The NumPy array of a device array or of a torch tensor on the GPU, which CuPy
    takes by its __cuda_array_interface__; None of anything else."""
    if isinstance(x, ndarray):
        return x._host
    if is_device_tensor(x):
        if x.requires_grad:
            raise RuntimeError(
                "Can't get __cuda_array_interface__ on Variable that requires grad."
            )
        return x._fake_cuda.numpy()
    return None


def operand(x: Any) -> Any:
    """The NumPy array or the scalar of an operand of a kernel."""
    array = device_array(x)
    if array is not None:
        return array
    if isinstance(x, SCALARS):
        return x
    raise TypeError(f"{MIXED}{type(x)}")


def only_array(x: Any) -> numpy.ndarray:
    if not isinstance(x, ndarray):
        raise TypeError(f"cupy.ndarray expected, got {type(x)}")
    return x._host


def indices(key: Any) -> tuple[tuple, int]:
    """The indices as NumPy takes them, and how many of them are arrays."""
    found, n_arrays = [], 0
    for each in key if isinstance(key, tuple) else (key,):
        if each is None or each is Ellipsis:
            found.append(each)
        elif isinstance(each, slice):
            # CuPy takes int() of the ends, for which the host waits.
            ends = (each.start, each.stop, each.step)
            ints = [int(end) if isinstance(end, ndarray) else end for end in ends]
            found.append(slice(*ints))
        elif isinstance(each, (int, numpy.integer)) and not isinstance(each, bool):
            found.append(int(each))
        else:
            found.append(_index_array(each))
            n_arrays += 1
    if any(isinstance(x, numpy.ndarray) and x.dtype.kind == "b" for x in found):
        work.wait("index by a mask")
    # So that a single element stays a view, as in CuPy.
    return (*found, *([] if Ellipsis in _plain(found) else [Ellipsis])), n_arrays


def _plain(found: list) -> list:
    return [x for x in found if not isinstance(x, numpy.ndarray)]


def _index_array(x: Any) -> numpy.ndarray:
    array = device_array(x)
    if array is None:
        array = numpy.asarray(x)
        if not array.size and isinstance(x, list):
            array = array.astype("int32")
        work.host_array("cupy")
    if array.dtype.kind not in "bui":
        raise IndexError("arrays used as indices must be of integer or boolean type")
    return array


def _n_kernels(n_arrays: int) -> int:
    """Of several index arrays each is a kernel, then the offsets and the elements."""
    return n_arrays + 2 if n_arrays > 1 else 1


class ndarray:
    """cupy.ndarray."""

    __slots__ = ("__weakref__", "_host")
    __hash__ = None  # type: ignore[assignment]
    # CuPy forwards numpy.exp(x) to cupy.exp(x). The stand-in refuses it, so that the
    # package calls `ops.xp` everywhere.
    __array_ufunc__ = None

    def __init__(self, shape: Any, dtype: Any = float, order: Any = "C") -> None:
        self._host = numpy.empty(shape, check_dtype(dtype), order)
        work.memory.check(self._host.nbytes, OutOfMemoryError)
        # Memory that was not written to holds anything.
        if self._host.dtype.kind == "f":
            self._host.fill(numpy.nan)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        raise TypeError(f"numpy.{func.__name__} of a cupy.ndarray: call ops.xp instead")

    dtype = property(lambda self: self._host.dtype)
    ndim = property(lambda self: self._host.ndim)
    size = property(lambda self: self._host.size)
    nbytes = property(lambda self: self._host.nbytes)
    itemsize = property(lambda self: self._host.itemsize)
    strides = property(lambda self: self._host.strides)
    flags = property(lambda self: self._host.flags)
    shape = property(lambda self: self._host.shape)
    T = property(lambda self: wrap(self._host.T))
    base = property(lambda self: self._host.base)

    @property
    def device(self) -> Any:
        from .cuda import Device

        return Device(0)

    @property
    def data(self) -> Any:
        from .cuda import Pointer

        return Pointer(self._host.__array_interface__["data"][0])

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, 0

    def __dlpack__(self, **kwargs: Any) -> Capsule:
        return Capsule(self._host)

    def toDlpack(self) -> Capsule:
        return Capsule(self._host)

    # To the host, which waits for the device.

    def get(self, stream: Any = None, order: Any = "C", out: Any = None) -> Any:
        work.wait("get()")
        if out is None:
            return numpy.array(self._host, order="C" if order in "AK" else order)
        out[...] = self._host
        return out

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise TypeError(IMPLICIT)

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ValueError(f"The truth value of {self.size} elements is ambiguous")
        return bool(self._waited("bool()"))

    def _waited(self, reason: str) -> numpy.ndarray:
        work.wait(reason)
        return self._host

    def set(self, arr: numpy.ndarray, stream: Any = None) -> None:
        if type(arr) is not numpy.ndarray:
            raise TypeError("Only numpy.ndarray can be set to cupy.ndarray")
        if (self.dtype, self.shape) != (arr.dtype, arr.shape):
            raise ValueError(f"{arr.dtype}{arr.shape} set to {self.dtype}{self.shape}")
        work.copy_to_device("cupy")
        self._host[...] = arr

    # Elements.

    def __len__(self) -> int:
        return len(self._host)

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self._host)))

    def __getitem__(self, key: Any) -> "ndarray":
        where, n_arrays = indices(key)
        found = self._at(operator.getitem, where, n_arrays)
        if n_arrays:
            work.launch("getitem", _n_kernels(n_arrays))
        return wrap(found)

    def __setitem__(self, key: Any, value: Any) -> None:
        where, n_arrays = indices(key)
        array = device_array(value)
        if array is None:
            array = numpy.asarray(value, self.dtype)
            if array.ndim and not n_arrays:
                raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
            if array.ndim:
                work.host_array("cupy")
            elif n_arrays:
                work.copy_to_device("cupy")
        if n_arrays and array.ndim:
            self._check_duplicates(where, n_arrays)
        self._at(operator.setitem, where, n_arrays, array)
        work.launch("setitem", _n_kernels(n_arrays))

    def _at(self, call: Callable, where: tuple, n_arrays: int, *value: Any) -> Any:
        try:
            return call(self._host, where, *value)
        except IndexError as err:
            if n_arrays and "out of bounds" in str(err):
                raise Misuse(f"{OUT_OF_BOUNDS}: {err}") from err
            raise

    def _check_duplicates(self, where: tuple, n_arrays: int) -> None:
        numbers = numpy.arange(self.size).reshape(self.shape)
        stored = ndarray._at(wrap(numbers), operator.getitem, where, n_arrays)
        if len(numpy.unique(stored)) < stored.size:
            raise Misuse(DUPLICATES)

    # Methods.

    def astype(
        self, dtype: Any, order: Any = "K", casting: Any = None, copy: bool = True
    ) -> "ndarray":
        dtype = check_dtype(dtype)
        if dtype == self.dtype and not copy:
            return self
        work.launch("astype")
        return wrap(self._host.astype(dtype, order=order))

    def copy(self, order: Any = "C") -> "ndarray":
        work.launch("copy")
        return wrap(self._host.copy(order))

    def __copy__(self) -> "ndarray":
        return self.copy()

    def __deepcopy__(self, memo: Any) -> "ndarray":
        return self.copy()

    def __reduce__(self) -> Any:
        from . import cupy

        return cupy.array, (self.get(),)

    def fill(self, value: Any) -> None:
        value = operand(value)
        if numpy.ndim(value):
            raise ValueError("non-scalar cupy.ndarray cannot be used for fill")
        work.launch("fill")
        self._host.fill(value)

    def nonzero(self) -> Any:
        work.wait("nonzero")
        work.launch("nonzero", 3)
        return wrap_all(self._host.nonzero())

    def repeat(self, repeats: Any, axis: Any = None) -> "ndarray":
        """cupy.repeat: "repeats (int, list or tuple)"."""
        if isinstance(repeats, (ndarray, numpy.ndarray)):
            raise ValueError("repeats must be int, list or tuple")
        work.launch("repeat")
        return wrap(self._host.repeat(repeats, axis))

    def scatter_add(self, slices: Any, value: Any) -> None:
        from .cuda import scatter_add

        scatter_add(self, slices, value)

    def dot(self, b: Any, out: Any = None) -> Any:
        from . import cupy

        return cupy.dot(self, b, out)

    def __matmul__(self, other: Any) -> Any:
        from . import cupy

        return cupy.matmul(self, other)


def _to_host(name: str) -> Callable:
    def method(self: ndarray, *args: Any) -> Any:
        return getattr(self._waited(f"{name}()"), name)(*args)

    return method


TO_HOST = (
    "item tolist tobytes __int__ __float__ __complex__ __repr__ __str__ __format__"
)
for _name in TO_HOST.split():
    setattr(ndarray, _name, _to_host(_name))


def run(
    name: str, call: Callable, array: numpy.ndarray, *args: Any, **kwargs: Any
) -> Any:
    """Call a function of NumPy. A result that shares memory is a view, not a kernel."""
    found = call(array, *args, **kwargs)
    parts = found if isinstance(found, (list, tuple)) else (found,)
    if not all(part is not None and _shares(part, array) for part in parts):
        work.launch(name)
    return wrap_all(found)


def _shares(part: Any, array: numpy.ndarray) -> bool:
    return numpy.may_share_memory(part, array) or not array.size


def _method(name: str, known: str) -> Callable:
    names = known.split()

    def method(self: ndarray, *args: Any, **kwargs: Any) -> Any:
        if names and (set(kwargs) - set(names) or len(args) > len(names)):
            raise TypeError(f"ndarray.{name} takes only {known}, not {[*kwargs]}")
        kwargs.update(zip(names, args))
        args = () if names else args
        out = kwargs.pop("out", None)
        kwargs = {key: operand_or_setting(value) for key, value in kwargs.items()}
        found = run(name, getattr(numpy.ndarray, name), self._host, *args, **kwargs)
        if out is None:
            return found
        only_array(out)[...] = only_array(found)
        return out

    return method


def operand_or_setting(value: Any) -> Any:
    """An argument that is an array, or a setting such as an axis."""
    if isinstance(value, (ndarray, numpy.ndarray)) or is_device_tensor(value):
        return operand(value)
    return value


# The arguments of each; without any they are those of NumPy.
METHODS = {
    **dict.fromkeys(("sum", "prod", "mean"), "axis dtype out keepdims"),
    **dict.fromkeys(("max", "min", "any", "all"), "axis out keepdims"),
    **dict.fromkeys(("std", "var"), "axis dtype out ddof keepdims"),
    **dict.fromkeys(("argmax", "argmin"), "axis out dtype keepdims"),
    **dict.fromkeys(("cumsum", "cumprod"), "axis dtype out"),
    **dict.fromkeys(("sort", "argsort"), "axis kind"),
    "round": "decimals out",
    "clip": "min max out",
    **dict.fromkeys(("reshape", "transpose", "ravel", "flatten"), ""),
    **dict.fromkeys(("swapaxes", "squeeze", "view", "diagonal", "conj"), ""),
}
for _name, _known in METHODS.items():
    setattr(ndarray, _name, _method(_name, _known))


def _operator(ufunc: str) -> tuple[Callable, Callable, Callable]:
    def forward(self: ndarray, other: Any) -> Any:
        from . import cupy

        return getattr(cupy, ufunc)(self, other)

    def reverse(self: ndarray, other: Any) -> Any:
        from . import cupy

        return getattr(cupy, ufunc)(other, self)

    def in_place(self: ndarray, other: Any) -> Any:
        from . import cupy

        return getattr(cupy, ufunc)(self, other, out=self)

    return forward, reverse, in_place


BINARY = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "true_divide",
    "floordiv": "floor_divide",
    "mod": "remainder",
    "pow": "power",
    "lshift": "left_shift",
    "rshift": "right_shift",
    "and": "bitwise_and",
    "or": "bitwise_or",
    "xor": "bitwise_xor",
}
COMPARISONS = {
    "lt": "less",
    "le": "less_equal",
    "eq": "equal",
    "ne": "not_equal",
    "gt": "greater",
    "ge": "greater_equal",
}
for _name, _ufunc in BINARY.items():
    for _prefix, _call in zip(("__", "__r", "__i"), _operator(_ufunc)):
        setattr(ndarray, f"{_prefix}{_name}__", _call)
for _name, _ufunc in COMPARISONS.items():
    setattr(ndarray, f"__{_name}__", _operator(_ufunc)[0])


def _unary(ufunc: str) -> Callable:
    def call(self: ndarray) -> Any:
        from . import cupy

        return getattr(cupy, ufunc)(self)

    return call


for _name in ("negative", "positive", "absolute", "invert"):
    setattr(ndarray, f"__{_name[:3] if _name != 'invert' else _name}__", _unary(_name))
