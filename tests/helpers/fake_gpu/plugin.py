"""pytest -p tests.helpers.fake_gpu.plugin: a process that sees a GPU."""

from collections.abc import Callable
from typing import Any

import pytest

from . import count, install

install()


@pytest.fixture(autouse=True)
def gpu() -> Any:
    """The GPU is the current device. Afterwards the test fails if the package indexed
    device arrays by arrays of the host, or summed in any order."""
    from thinc.api import require_cpu, require_gpu

    require_gpu(0)
    with count() as work:
        yield work
    require_cpu()
    faults = [*work.host_arrays, *work.unordered]
    assert [fault for fault in faults if not is_known(fault)] == []


# thinc's sums of the gradients of hashed embeddings.
KNOWN = ("thinc/",)


def is_known(fault: str) -> bool:
    return any(part in fault for part in KNOWN)


def on_cpu_and_gpu(call: Callable[[], Any]) -> tuple[Any, Any]:
    """The results of a function on the CPU and on the GPU, with the same seed."""
    from thinc.api import fix_random_seed, require_cpu, require_gpu

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


def assert_close(left: Any, right: Any, tolerance: float = 1e-4) -> None:
    """The results are equal; numbers to a tolerance, relative above 1."""
    import numpy

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
