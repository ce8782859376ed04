"""The stand-in refuses what CuPy and CUDA tensors refuse, and counts what they do."""

import copy
import pickle

import cupy
import cupyx
import numpy
import pytest
import torch
from thinc.api import CupyOps, get_current_ops, torch2xp, xp2torch

from tests.helpers import fake_gpu

HOST = numpy.arange(6, dtype="f").reshape(2, 3)


@pytest.fixture
def x():
    return cupy.array(HOST)


@pytest.fixture
def t():
    return torch.ones(2, 3, device="cuda")


def test_thinc_computes_on_it():
    ops = get_current_ops()
    assert isinstance(ops, CupyOps)
    assert ops.gemm(ops.asarray(HOST), ops.asarray(HOST), trans2=True).shape == (2, 2)
    assert ops.alloc1f(3).get().tolist() == [0, 0, 0]


# --- Arrays --------------------------------------------------------------------

HOST_CALLS = {
    "numpy function": lambda x: numpy.sum(x),
    "numpy ufunc": lambda x: numpy.exp(x),
    "numpy list": lambda x: numpy.concatenate([x, x]),
    "implicit": lambda x: numpy.asarray(x),
    "implicit, of elements": lambda x: numpy.array([x[0], x[1]]),
    "host operand": lambda x: x + HOST,
    "host operand first": lambda x: HOST * x,
    "host operand in place": lambda x: x.__iadd__(HOST),
    "into a host array": lambda x: HOST.copy().__iadd__(x),
    "host in a product": lambda x: x @ HOST.T,
    "host argument": lambda x: cupy.exp(HOST),
    "list": lambda x: cupy.exp([1.0, 2.0]),
    "list of numbers": lambda x: cupy.median([1.0, 2.0]),
    "host array in where": lambda x: cupy.where(x > 1, HOST, x),
    "host array in concatenate": lambda x: cupy.concatenate([x, HOST]),
    "host output": lambda x: cupy.add(x, x, out=HOST.copy()),
    "host array in a kernel": lambda x: get_current_ops().maxout(HOST[None]),
    "unknown argument": lambda x: x.sum(where=x > 1),
    "tensor of the CPU": lambda x: x + torch.ones(3),
    "seeds": lambda x: cupy.random.seed([1, 2]),
}


@pytest.mark.parametrize("call", HOST_CALLS.values(), ids=HOST_CALLS)
def test_arrays_do_not_meet_numpy(call, x):
    with pytest.raises(TypeError):
        call(x)


VALUES = {
    "strings": lambda x: cupy.array(["a"]),
    "objects": lambda x: x.astype(object),
    "fill": lambda x: x.__setitem__(0, HOST[0]),
    "shape": lambda x: cupy.add(x, x, out=cupy.empty((3, 2), "f")),
    "repeats": lambda x: cupy.repeat(x, cupy.array([1, 2]), 0),
    "truth": lambda x: bool(x),
    "product into a transposed array": lambda x: cupy.dot(
        x, x.T, out=cupy.empty((2, 2), "f").T[:, ::-1]
    ),
}


@pytest.mark.parametrize("call", VALUES.values(), ids=VALUES)
def test_values_that_cupy_refuses(call, x):
    with pytest.raises(ValueError):
        call(x)


@pytest.mark.parametrize("name", ["matrix", "float128", "nanargsort", "busday_count"])
def test_what_is_not_in_cupy_is_not_there(name):
    with pytest.raises(AttributeError, match=name):
        getattr(cupy, name)


def test_methods_of_universal_functions_that_cupy_lacks(x):
    for method in (cupy.maximum.reduce, cupy.logaddexp.accumulate):
        with pytest.raises(NotImplementedError):
            method(x)
    with pytest.raises(NotImplementedError):
        cupy.add.reduceat(x, cupy.array([0, 1]))


def test_what_cupy_does_otherwise_without_an_error(x):
    with pytest.raises(fake_gpu.Misuse, match="wraps around"):
        x[cupy.array([0, 2])]
    with pytest.raises(fake_gpu.Misuse, match="multiple times"):
        x[cupy.array([0, 0])] = x
    with pytest.raises(fake_gpu.Misuse, match="gaps"):
        get_current_ops().maxout(cupy.ones((2, 3, 4), "f")[:, :, ::2])
    assert numpy.isnan(cupy.empty(3, "f").get()).all()


def test_results_are_arrays_of_the_device(x):
    for found in (x.sum(), x[0, 0], x.argmax(), cupy.where(x > 1)[0], x.T, x.max(0)):
        assert isinstance(found, cupy.ndarray)
    assert float(x.sum()) == 15
    assert (numpy.float32(2) * x).dtype == "float32"
    x[0] += 1
    x[:, 1] = 9
    assert x.get().tolist() == [[1, 9, 3], [3, 9, 5]]
    assert copy.deepcopy(x).tolist() == pickle.loads(pickle.dumps(x)).tolist()


def test_views_share_memory_and_are_not_launched(x):
    with fake_gpu.count() as work:
        x.reshape(3, 2)[:, ::2].T[...] = 0
        row = x[1]
    assert work.totals() == {"launches": 1, "waits": 0, "copies": 0}
    x.fill(4)
    assert row.tolist() == [4, 4, 4]


# --- Counts --------------------------------------------------------------------


def test_launches_waits_and_copies_are_counted(x):
    with fake_gpu.count(where=True) as work:
        y = cupy.exp(x) * 2 + 1
        z = cupy.asarray(HOST)
        float(y.sum())
        bool((z > 1).any())
        z.get()
    assert work.launches == {"exp": 1, "multiply": 1, "add": 1, "sum": 1} | {
        "greater": 1,
        "any": 1,
    }
    assert work.waits == {"__float__()": 1, "bool()": 1, "get()": 1}
    assert work.copies == {"cupy": 1}
    assert set(work.places) == {"launches", "waits", "copies"}
    with fake_gpu.count() as after:
        pass
    assert after.totals() == {"launches": 0, "waits": 0, "copies": 0}


def test_host_indices_and_sums_in_any_order_are_noted(x, gpu):
    with fake_gpu.count() as work:
        x[numpy.array([1, 0])]
        x[[0, 1]]
        cupyx.scatter_add(x, cupy.array([0, 0]), x)
        cupy.bincount(cupy.array([0, 1]), cupy.array([0.5, 0.5]))
        torch.ones(2, device="cuda").index_add_(
            0, torch.zeros(2, dtype=torch.int64, device="cuda"), torch.ones(2).cuda()
        )
        torch.ones(2, device="cuda")[torch.tensor([0])]
    assert work.host_arrays.total() == 3
    assert [name.partition(" at ")[0] for name in work.unordered] == [
        *("scatter_add", "bincount with weights", "torch index_add_")
    ]
    gpu.host_arrays.clear()
    gpu.unordered.clear()


def test_random_numbers_of_the_device_have_their_own_state():
    def draw():
        return cupy.random.uniform(size=3).tolist(), torch.rand(
            3, device="cuda"
        ).tolist()

    state = numpy.random.get_state()
    with fake_gpu.own_generators():
        cupy.random.seed(1)
        torch.cuda.manual_seed(1)
        before = torch.cuda.get_rng_state_all()
        first = draw()
        assert draw() != first
        cupy.random.seed(1)
        torch.cuda.set_rng_state_all(before)
        assert draw() == first
    assert (numpy.random.get_state()[1] == state[1]).all()


# --- Tensors -------------------------------------------------------------------

MIXES = {
    "sum": lambda t: t + torch.ones(3),
    "product": lambda t: torch.nn.functional.linear(t, torch.ones(4, 3)),
    "module": lambda t: torch.nn.Linear(3, 3)(t),
    "mask": lambda t: t.masked_fill(torch.ones(3, dtype=torch.bool), 0),
    "in place": lambda t: torch.ones(2, 3).add_(t),
    "stack": lambda t: torch.stack([t, torch.ones(2, 3)]),
    "embedding": lambda t: torch.nn.functional.embedding(
        torch.zeros(2, dtype=torch.int64), t
    ),
    "attention": lambda t: torch.nn.functional.scaled_dot_product_attention(
        t, t, torch.ones(2, 3)
    ),
    "index of a host tensor": lambda t: torch.ones(4)[t.long()],
    "into a list of both": lambda t: torch._foreach_add([t], [torch.ones(2, 3)]),
    "other device": lambda t: t.to("cuda:1"),
}


@pytest.mark.parametrize("call", MIXES.values(), ids=MIXES)
def test_tensors_do_not_meet_those_of_the_cpu(call, t):
    with pytest.raises(RuntimeError):
        call(t)


def test_tensors_are_not_converted_implicitly(t):
    for call in (
        lambda: t.numpy(),
        lambda: numpy.asarray(t),
        lambda: t.tolist and t[0].numpy(),
    ):
        with pytest.raises(TypeError, match="host memory first"):
            call()
    assert t.cpu().numpy().shape == (2, 3)


def test_what_tensors_are(t):
    assert t.is_cuda and t.device == torch.device("cuda:0") and t.cuda() is t
    assert t.to(t.device) is t and not t.cpu().is_cuda
    assert torch.zeros_like(t).is_cuda and t.new_zeros(2).is_cuda
    assert torch.arange(3, device=t.device).is_cuda
    assert torch.tensor([1.0], device="cuda").is_cuda
    assert not torch.empty(2, device="meta").is_cuda
    assert not torch.ones(2).is_cuda
    assert float(t.sum()) == 6


def test_gradients_are_on_the_device():
    module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.LayerNorm(4)).cuda()
    given = torch.ones(2, 3, device="cuda", requires_grad=True)
    module(given).pow(2).sum().backward()
    assert given.grad.is_cuda
    assert all(weight.grad.is_cuda for weight in module.parameters())
    copied = copy.deepcopy(module)
    assert all(isinstance(weight, torch.nn.Parameter) for weight in copied.parameters())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_autocast_chooses_the_precision(dtype):
    module = torch.nn.Linear(3, 4).cuda()
    given = torch.ones(2, 3, device="cuda")
    with torch.autocast("cuda", dtype=dtype):
        product = module(given)
        norm = torch.nn.functional.layer_norm(product, (4,))
    assert (product.dtype, norm.dtype) == (dtype, torch.float32)
    norm.sum().backward()
    assert module.weight.grad.dtype == torch.float32


def test_cupy_and_torch_share_memory(x):
    tensor = xp2torch(x)
    tensor += 1
    assert tensor.is_cuda and x.tolist() == (HOST + 1).tolist()
    assert torch2xp(tensor * 2).tolist() == ((HOST + 1) * 2).tolist()
    with pytest.raises(NotImplementedError, match="bfloat16"):
        torch2xp(tensor.bfloat16())
    capsule = x.toDlpack()
    torch.from_dlpack(capsule)
    with pytest.raises(ValueError, match="multiple times"):
        torch.from_dlpack(capsule)


def test_deterministic_algorithms_refuse_what_has_none(t, gpu):
    torch.use_deterministic_algorithms(True)
    try:
        with pytest.raises(RuntimeError, match="deterministic"):
            t.cumsum(0)
        t.index_add_(0, torch.zeros(2, dtype=torch.int64).cuda(), t.clone())
    finally:
        torch.use_deterministic_algorithms(False)
    assert not gpu.unordered


def test_memory_runs_out():
    fake_gpu.memory.largest = 100
    try:
        with pytest.raises(torch.cuda.OutOfMemoryError):
            torch.zeros(100, device="cuda")
        with pytest.raises(cupy.cuda.memory.OutOfMemoryError):
            cupy.zeros(100)
        torch.zeros(100)
    finally:
        fake_gpu.memory.largest = None
