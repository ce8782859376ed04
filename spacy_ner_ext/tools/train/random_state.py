"""The states of all random number generators that training draws from."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy
import torch
from thinc.util import has_cupy_gpu

State = dict[str, Any]


def capture() -> State:
    """The states of Python, NumPy and torch, on all devices; can be
    written as JSON.
    """
    state = capture_data()
    state["torch"] = _to_text(torch.get_rng_state())
    if torch.cuda.is_available():
        state["cuda"] = [_to_text(each) for each in torch.cuda.get_rng_state_all()]
    return state


def restore(state: State) -> None:
    """Go on where the generators were."""
    restore_data(state)
    torch.set_rng_state(_from_text(state["torch"]))
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state_all([_from_text(each) for each in state["cuda"]])


def capture_data() -> State:
    """The states of those that data is shuffled and sampled by: Python
    and NumPy.
    """
    version, numbers, gauss = random.getstate()
    name, keys, place, has_gauss, cached = numpy.random.get_state()
    return {
        "python": [version, list(numbers), gauss],
        "numpy": [name, numpy.asarray(keys).tolist(), place, has_gauss, cached],
    }


def restore_data(state: State) -> None:
    """Go on where Python and NumPy were.

    state: What `capture` or `capture_data` returned.
    """
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
    name, keys, place, has_gauss, cached = state["numpy"]
    keys = numpy.array(keys, dtype="uint32")
    numpy.random.set_state((name, keys, place, has_gauss, cached))


def renew_cupy(seed: int) -> None:
    """Seed CuPy, whose state cannot be saved, so that a run that goes on from here and
    one that begins here draw the same numbers.

    seed: The seed, of this place in training.
    """
    if has_cupy_gpu:
        import cupy

        cupy.random.seed(seed)


class Stream:
    """A stream of random numbers of Python and NumPy that nothing else draws from."""

    def __init__(self) -> None:
        self._state = _raw()

    @contextmanager
    def used(self) -> Iterator[None]:
        """Draw from this stream for a while."""
        others = _raw()
        _set_raw(self._state)
        try:
            yield
        finally:
            self._state = _raw()
            _set_raw(others)


def _raw() -> tuple[Any, Any]:
    return random.getstate(), numpy.random.get_state()


def _set_raw(state: tuple[Any, Any]) -> None:
    random.setstate(state[0])
    numpy.random.set_state(state[1])


def _to_text(state: torch.Tensor) -> str:
    return bytes(state.cpu().numpy()).hex()


def _from_text(text: str) -> torch.Tensor:
    return torch.frombuffer(bytearray.fromhex(text), dtype=torch.uint8)
