"""pytest -p tests.helpers.fake_gpu.plugin: a process that sees a GPU.

The environment variable TEST_GPU_ID selects a real one.
"""

import os
from typing import Any

import pytest

from . import count, install

GPU_ID = os.environ.get("TEST_GPU_ID")
if GPU_ID is None:
    install()


@pytest.fixture(autouse=True)
def gpu() -> Any:
    """The GPU is the current device. Afterwards the test fails if the package indexed
    device arrays by arrays of the host, or summed in any order."""
    from thinc.api import require_cpu, require_gpu

    require_gpu(int(GPU_ID or 0))
    with count() as work:
        yield work
    require_cpu()
    faults = [*work.host_arrays, *work.unordered]
    assert [fault for fault in faults if not is_known(fault)] == []


# thinc's sums of the gradients of hashed embeddings.
KNOWN = ("thinc/",)


def is_known(fault: str) -> bool:
    return any(part in fault for part in KNOWN)
