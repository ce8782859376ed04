"""torch tensors that say that they are on cuda:0, and refuse to meet others.

A CudaTensor wraps a tensor of the CPU. For torch's own code in C++ it is a tensor of
the device "meta:1": so autograd needs no CUDA, its formulas make tensors of the same
kind, and no tensor of the CPU passes for one. "cuda" becomes "meta:1" on the way in
(the function mode) and "cuda:0" on the way out (the property `device`). What autocast
does is written here, as torch has none for "meta".
"""

import math
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from . import generators, work
from .array import Capsule

CUDA = torch.device("cuda:0")
INNER = torch.device("meta:1")
MIXED = (
    "Expected all tensors to be on the same device, but found at least two devices, "
    "cuda:0 and cpu! (when checking argument in method {})"
)
VIEWS = {
    *("view", "slice", "select", "transpose", "t", "permute", "expand", "unsqueeze"),
    *("squeeze", "detach", "alias", "as_strided", "_unsafe_view", "split", "unbind"),
    *("split_with_sizes", "diagonal", "_reshape_alias", "lift_fresh", "unfold"),
    *("unsafe_split", "_conj", "view_as_real", "is_same_size", "empty", "set_"),
}
WAITING = {
    *("_local_scalar_dense", "nonzero", "masked_select", "equal", "_unique2"),
    *("unique_dim", "unique_consecutive", "repeat_interleave"),
}
INDEXED = {"index", "index_put_", "index_put", "_index_put_impl_"}
# torch.use_deterministic_algorithms: "The following normally-nondeterministic
# operations will act deterministically when mode=True", and those that "will throw a
# RuntimeError when mode=True".
UNORDERED = {"index_add_", "index_add", "scatter_add_", "scatter_add", "scatter_reduce"}
NEVER_ORDERED = {"cumsum", "cumsum_", "bincount"}
RANDOM = ("native_dropout", "bernoulli", "normal", "uniform", "rand", "multinomial")
# One kernel for about 100 tensors.
FUSED = ("_foreach_", "_fused_", "_amp_foreach_")


class CudaTensor(torch.Tensor):
    _fake_cuda: torch.Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore

    @staticmethod
    def __new__(cls: Any, inner: torch.Tensor) -> Any:
        work.memory.check(inner.nbytes, torch.OutOfMemoryError)
        made = torch.Tensor._make_wrapper_subclass(
            cls,
            inner.size(),
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=INNER,
        )
        made._fake_cuda = inner.detach()
        return made

    device = property(lambda self: CUDA)  # type: ignore[assignment]
    is_cuda = property(lambda self: True)  # type: ignore[assignment]
    is_meta = property(lambda self: False)  # type: ignore[assignment]
    nbytes = property(lambda self: self._fake_cuda.nbytes)  # type: ignore[assignment]

    @property
    def data(self) -> Any:  # type: ignore[override]
        return self.detach()

    @data.setter
    def data(self, new: Any) -> None:
        if not isinstance(new, CudaTensor) or new.dtype != self.dtype:
            raise RuntimeError("set_data: incompatible tensor type")
        self._fake_cuda = new._fake_cuda

    def data_ptr(self) -> int:
        return self._fake_cuda.data_ptr()

    def numpy(self, *, force: bool = False) -> Any:
        if not force:
            raise TypeError(
                "can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() to "
                "copy the tensor to host memory first."
            )
        return self.detach().cpu().numpy()

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.numpy()

    def tolist(self) -> Any:
        return self.detach().cpu().tolist()

    def __repr__(self) -> str:  # type: ignore[override]
        return f"{repr(self._fake_cuda)[:-1]}, device='cuda:0')"

    def __deepcopy__(self, memo: dict) -> Any:
        if id(self) not in memo:
            made = CudaTensor(self._fake_cuda.clone()).requires_grad_(
                self.requires_grad
            )
            if isinstance(self, torch.nn.Parameter):
                made = torch.nn.Parameter(made, self.requires_grad)
            memo[id(self)] = made
        return memo[id(self)]

    def __reduce_ex__(self, protocol: Any) -> Any:
        work.wait("torch.save")
        return _rebuild, (self._fake_cuda, self.requires_grad)

    @classmethod
    def __torch_dispatch__(
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return dispatch(func, args, kwargs or {})


def _rebuild(inner: torch.Tensor, requires_grad: bool) -> Any:
    return CudaTensor(inner).requires_grad_(requires_grad)


# Operations, below autograd.


class Dispatch(TorchDispatchMode):
    """Catches what makes tensors on the device out of nothing."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return dispatch(func, args, kwargs or {})


def dispatch(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Run an operation of torch on the tensors inside, and count it."""
    name = func._schema.name.partition("::")[2]
    if name == "_fused_sdp_choice":
        return 0  # Attention by matrix products.
    leaves = list(_leaves((args, kwargs)))
    tensors = [x for x in leaves if isinstance(x, torch.Tensor)]
    inside = [x for x in tensors if isinstance(x, CudaTensor)]
    devices = [x for x in leaves if isinstance(x, torch.device)]
    to_cuda = INNER in devices if devices else bool(inside)
    if not inside and not to_cuda:
        return func(*args, **kwargs)
    if name in ("_to_copy", "to", "copy_"):
        _count_copy(name, args, to_cuda)
    else:
        _check_mixed(name, args, tensors)
        _count(name, args)
    with _inference_of(name, args), _generator_of(name):
        found = func(*_unwrap(args), **_unwrap(kwargs))
        written = _written(func, args, kwargs)
        if written is not None:
            return written
        return _map(_wrap, found) if to_cuda else found


def _map(call: Callable, x: Any) -> Any:
    """Call a function on all that is in lists, tuples and dictionaries."""
    if type(x) in (list, tuple):
        return type(x)([_map(call, each) for each in x])
    if type(x) is dict:
        return {key: _map(call, each) for key, each in x.items()}
    return call(x)


def _leaves(x: Any) -> Iterator[Any]:
    if isinstance(x, (list, tuple, dict)):
        for each in x.values() if isinstance(x, dict) else x:
            yield from _leaves(each)
    else:
        yield x


def _wrap(x: Any) -> Any:
    return CudaTensor(x) if type(x) is torch.Tensor else x


def _unwrap(x: Any) -> Any:
    def unwrap(x: Any) -> Any:
        if isinstance(x, torch.device) and x == INNER:
            return torch.device("cpu")
        return x._fake_cuda if isinstance(x, CudaTensor) else x

    return _map(unwrap, x)


def _inference_of(name: str, args: Any) -> Any:
    """A view of a tensor is an inference tensor if that is one."""
    first = args[0] if args else None
    is_view = name in VIEWS and isinstance(first, CudaTensor)
    on = first.is_inference() if is_view else torch.is_inference_mode_enabled()
    return torch.inference_mode(on)


def _generator_of(name: str) -> Any:
    own = generators.are_own and name.startswith(RANDOM)
    return generators.of_torch() if own else nullcontext()


def _count_copy(name: str, args: Any, to_cuda: bool) -> None:
    if name == "copy_":
        from_cuda, to_cuda = (isinstance(x, CudaTensor) for x in reversed(args[:2]))
    else:
        from_cuda = isinstance(args[0], CudaTensor)
    if from_cuda and to_cuda:
        work.launch(f"torch {name}")
    elif from_cuda:
        work.wait("torch copy to the host")
    else:
        work.copy_to_device("torch")


def _check_mixed(name: str, args: Any, tensors: list) -> None:
    """torch's operations take tensors of one device; indices and numbers in a tensor
    without dimensions may be on the CPU."""
    strangers = [x for x in tensors if not isinstance(x, CudaTensor) and x.dim()]
    if name in INDEXED and isinstance(args[0], CudaTensor):
        hosts = [x for x in args[1] if x is not None and not isinstance(x, CudaTensor)]
        for _ in hosts:
            work.host_array("torch")
        strangers = [x for x in strangers if not any(x is y for y in hosts)]
    if strangers and len(strangers) < len(tensors):
        raise RuntimeError(MIXED.format(f"wrapper_CUDA_{name}"))


def _count(name: str, args: Any) -> None:
    is_mask = name in INDEXED and any(
        x is not None and x.dtype in (torch.bool, torch.uint8) for x in args[1]
    )
    if name in WAITING or is_mask:
        work.wait(f"torch {name}")
    if _is_unordered(name, args):
        if not torch.are_deterministic_algorithms_enabled():
            work.unordered_sum(f"torch {name}")
        elif name in NEVER_ORDERED:
            raise RuntimeError(
                f"{name}_cuda_kernel has no deterministic implementation"
            )
    if name in VIEWS or name == "_local_scalar_dense":
        return
    is_list = name.startswith(FUSED) and isinstance(args[0], (list, tuple))
    work.launch(f"torch {name}", math.ceil(len(args[0]) / 100) if is_list else 1)


def _is_unordered(name: str, args: Any) -> bool:
    if name.startswith("index_add"):
        # Each row gets one number.
        return bool(_unwrap(args[2]).unique(return_counts=True)[1].gt(1).any())
    is_float = (
        args and isinstance(args[0], torch.Tensor) and args[0].is_floating_point()
    )
    is_never = name in NEVER_ORDERED and (is_float or name == "bincount")
    return name in UNORDERED or is_never


def _written(func: Any, args: Any, kwargs: dict) -> Any:
    """What an operation in place returns: the tensors that it wrote to."""
    found = []
    for result in func._schema.returns:
        alias = result.alias_info
        if alias is None or not alias.is_write:
            return None
        for i, argument in enumerate(func._schema.arguments):
            own = argument.alias_info
            if own is not None and own.before_set == alias.before_set:
                found.append(args[i] if i < len(args) else kwargs[argument.name])
    return None if not found else found[0] if len(found) == 1 else tuple(found)


# Functions, above autograd.

F = torch.nn.functional
# The operations that autocast runs in the lower precision, and those in float32.
LOWER = {
    *(F.linear, F.conv1d, F.scaled_dot_product_attention, torch.matmul, torch.mm),
    *(torch.bmm, torch.addmm, torch.baddbmm, torch.einsum, torch.Tensor.matmul),
    *(torch.Tensor.__matmul__, torch.Tensor.mm, torch.Tensor.bmm),
}
FLOAT32 = {
    *(F.layer_norm, F.softmax, F.log_softmax, F.cross_entropy, F.nll_loss),
    *(F.binary_cross_entropy_with_logits, torch.softmax, torch.log_softmax),
    *(torch.Tensor.softmax, torch.Tensor.log_softmax, torch.Tensor.sum, torch.sum),
    *(torch.exp, torch.log, torch.norm, torch.cumsum, torch.Tensor.cumsum),
    *(torch.Tensor.exp, torch.Tensor.log, torch.Tensor.norm, torch.Tensor.pow),
}


class Functions(TorchFunctionMode):
    """Every function of torch that is called from Python."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is torch.Tensor.backward:
            with self:  # Layers that are computed again are on the device too.
                return _backward(*args, **kwargs)
        if func is torch.Tensor.cuda:
            return args[0].to(_inner_device(torch.device("cuda", *args[1:2])))
        if func is torch.device:
            return func(*args, **kwargs)
        if torch.is_autocast_enabled("cuda"):
            args, kwargs = _autocast(func, args), _autocast(func, kwargs)
        args = tuple(map(_inner_device, args))
        kwargs = {key: _inner_device(x) for key, x in kwargs.items()}
        if func in (torch.tensor, torch.as_tensor):
            return _new_tensor(func, args, kwargs)
        return func(*args, **kwargs)


def _inner_device(x: Any) -> Any:
    if isinstance(x, str) and x.partition(":")[0] == "cuda":
        x = torch.device(x)
    if not isinstance(x, torch.device) or x.type != "cuda":
        return x
    if x.index not in (None, 0):
        raise RuntimeError("CUDA error: invalid device ordinal")
    return INNER


def _autocast(func: Any, args: Any) -> Any:
    if func in LOWER:
        dtype = torch.get_autocast_dtype("cuda")
    elif func in FLOAT32:
        dtype = torch.float32
    else:
        return args

    def cast(x: Any) -> Any:
        if isinstance(x, CudaTensor) and x.is_floating_point():
            return x if x.dtype == torch.float64 else x.to(dtype)
        return x

    return _map(cast, args)


def _backward(self: Any, gradient: Any = None, *args: Any, **kwargs: Any) -> None:
    torch.autograd.backward(self, gradient, *args, **kwargs)


def _new_tensor(func: Any, args: Any, kwargs: Any) -> Any:
    """torch.tensor, which bypasses the dispatch mode, or torch.as_tensor."""
    device = kwargs.pop("device", None)
    if hasattr(args[0], "toDlpack"):
        # An array of CuPy, which stays on the device.
        args = (from_dlpack(args[0]), *args[1:])
        device = INNER if device is None else device
    if device != INNER:
        return func(*args, device=device, **kwargs)
    requires_grad = kwargs.pop("requires_grad", False)
    return func(*args, **kwargs).to(INNER).requires_grad_(requires_grad)


# To and from CuPy.

_to_dlpack, _from_dlpack = torch.utils.dlpack.to_dlpack, torch.utils.dlpack.from_dlpack


def to_dlpack(tensor: torch.Tensor) -> Any:
    if not isinstance(tensor, CudaTensor):
        return _to_dlpack(tensor)
    if tensor.dtype == torch.bfloat16:
        raise NotImplementedError("CuPy does not support bfloat16")
    return Capsule(tensor._fake_cuda.numpy())


def from_dlpack(external: Any, **kwargs: Any) -> torch.Tensor:
    capsule = external.toDlpack() if hasattr(external, "toDlpack") else external
    if isinstance(capsule, Capsule):
        return CudaTensor(torch.from_numpy(capsule.take()))
    return _from_dlpack(external, **kwargs)
