"""The states of all random number generators that training draws from."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy
import torch
from thinc.api import fix_random_seed
from thinc.util import has_cupy_gpu

State = dict[str, Any]


def capture() -> State:
    """The states of Python, NumPy and torch on all devices, as JSON values."""
    state = capture_data()
    state["torch"] = torch.get_rng_state().tolist()
    if torch.cuda.is_available():
        state["cuda"] = [each.tolist() for each in torch.cuda.get_rng_state_all()]
    if torch.backends.mps.is_available():
        state["mps"] = torch.mps.get_rng_state().tolist()
    return state


def restore(state: State) -> None:
    restore_data(state)
    torch.set_rng_state(_tensor(state["torch"]))
    if torch.cuda.is_available():
        # The run may resume on a machine with fewer GPUs.
        for i, each in zip(range(torch.cuda.device_count()), state.get("cuda", [])):
            torch.cuda.set_rng_state(_tensor(each), i)
    if "mps" in state and torch.backends.mps.is_available():
        torch.mps.set_rng_state(_tensor(state["mps"]))


def _tensor(state: list[int]) -> torch.Tensor:
    return torch.tensor(state, dtype=torch.uint8)


def capture_data() -> State:
    """The states of Python and NumPy, by which data is shuffled and sampled."""
    version, numbers, gauss = random.getstate()
    name, keys, place, has_gauss, cached = numpy.random.get_state()
    return {
        "python": [version, list(numbers), gauss],
        "numpy": [name, numpy.asarray(keys).tolist(), place, has_gauss, cached],
    }


def restore_data(state: State) -> None:
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
    name, keys, place, has_gauss, cached = state["numpy"]
    keys = numpy.array(keys, dtype="uint32")
    numpy.random.set_state((name, keys, place, has_gauss, cached))


class RandomState:
    """The random number generators in a checkpoint, except for CuPy's."""

    def state(self) -> State:
        return capture()

    def restore(self, state: State) -> None:
        restore(state)


def seed_rank(rank: int, seed: int) -> None:
    """Seed each rank but the first differently, for other dropout."""
    if rank:
        fix_random_seed((seed + 7919 * rank) % 2**32)


def seed_cupy(seed: int) -> None:
    """Seed CuPy's generator, whose state cannot be read, for a step of training."""
    if has_cupy_gpu:
        import cupy

        cupy.random.seed(seed)


class Stream:
    """A separate stream of random numbers of Python and NumPy."""

    def __init__(self, state: State | None = None) -> None:
        self._state = capture_data() if state is None else state

    @contextmanager
    def used(self) -> Iterator[None]:
        """Draw from this stream inside the block."""
        others = capture_data()
        restore_data(self._state)
        try:
            yield
        finally:
            self._state = capture_data()
            restore_data(others)
