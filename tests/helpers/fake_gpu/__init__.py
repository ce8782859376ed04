"""A GPU that is none: CuPy and CUDA tensors on the CPU, as strict as the real ones.

`install()` has to be called before thinc is imported, in a process of its own (pytest
with `-p tests.helpers.fake_gpu.plugin`). Afterwards `thinc.api.require_gpu(0)` works.

    with fake_gpu.count() as work:
        nlp.update(examples)
    print(work.totals())
"""

import sys

from .generators import own_generators
from .work import Misuse, Work, count, memory

__all__ = ["Misuse", "Work", "count", "install", "memory", "own_generators"]


def install() -> None:
    """Make this process see a GPU."""
    if "thinc" in sys.modules:
        raise RuntimeError("install() has to be called before thinc is imported")
    from . import cuda, torch_cuda

    sys.modules.update(cuda.modules())
    torch_cuda.install()
