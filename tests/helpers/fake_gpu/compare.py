"""Run a function on the CPU and on the GPU, and compare the results."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy
from thinc.api import fix_random_seed, get_current_ops, require_cpu, require_gpu


def on_cpu_and_gpu(call: Callable[[], Any]) -> tuple[Any, Any]:
    """The results of a function on the CPU and on the GPU, with the same seed."""
    results = []
    for device in (require_cpu, require_gpu):
        device()
        fix_random_seed(0)
        results.append(to_host(call()))
    return results[0], results[1]


def to_host(x: Any) -> Any:
    """Results with all arrays and tensors as lists, to be compared by pytest.approx."""
    if isinstance(x, dict):
        return {key: to_host(value) for key, value in x.items()}
    if isinstance(x, (list, tuple)):
        return [to_host(value) for value in x]
    if hasattr(x, "detach"):
        return x.detach().cpu().numpy()
    return x.get() if hasattr(x, "get") else x


def to_ops(x: Any) -> Any:
    """An array, or a dataclass with arrays, on the current device."""
    if isinstance(x, numpy.ndarray):
        return get_current_ops().asarray(x)
    if not dataclasses.is_dataclass(x):
        return x
    fields = {name: to_ops(value) for name, value in vars(x).items()}
    return dataclasses.replace(x, **fields)


def assert_close(left: Any, right: Any, tolerance: float = 1e-4) -> None:
    """The results are equal; numbers to a tolerance, relative above 1."""
    if isinstance(left, dict):
        assert left.keys() == right.keys()
        left, right = list(left.values()), [right[key] for key in left]
    if isinstance(left, list):
        assert len(left) == len(right)
        for one, other in zip(left, right):
            assert_close(one, other, tolerance)
    elif isinstance(left, (float, numpy.ndarray, numpy.floating)):
        numpy.testing.assert_allclose(left, right, rtol=tolerance, atol=tolerance)
    else:
        assert left == right


def assert_equal_on_gpu(call: Callable[[], Any], tolerance: float = 1e-4) -> None:
    """A function has the same result on the CPU and on the GPU."""
    assert_close(*on_cpu_and_gpu(call), tolerance)
