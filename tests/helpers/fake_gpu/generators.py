"""The generators of random numbers of the device."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy
import torch

# Numbers from the CPU's generators are those that a run on the CPU draws. Generators of
# the device, as a GPU has them, show whether a state is not saved.
are_own = False
_numpy = numpy.random.RandomState(0)
_torch = torch.Generator().manual_seed(0).get_state()


@contextmanager
def own_generators() -> Iterator[None]:
    """Draw random numbers on the device from generators of its own."""
    global are_own
    are_own = True
    try:
        yield
    finally:
        are_own = False


def of_cupy() -> numpy.random.RandomState:
    return _numpy if are_own else numpy.random.mtrand._rand


def seed_cupy(seed: int) -> None:
    """ "Random seed arrays are hashed to scalars": only numbers are taken here."""
    if not isinstance(seed, (int, numpy.integer)):
        raise TypeError(f"Seed must be an integer, not {type(seed)}")
    _numpy.seed(int(seed) % 2**32)


@contextmanager
def of_torch() -> Iterator[None]:
    """Draw from the device's generator instead of the CPU's."""
    global _torch
    before = torch.get_rng_state()
    torch.set_rng_state(_torch)
    try:
        yield
    finally:
        _torch = torch.get_rng_state()
        torch.set_rng_state(before)


class TorchGenerator:
    """torch.cuda.default_generators[0]."""

    def get_state(self) -> torch.Tensor:
        return _torch.clone()

    def set_state(self, state: torch.Tensor) -> None:
        global _torch
        if state.device.type != "cpu" or state.dtype != torch.uint8:
            raise TypeError("RNG state must be a torch.ByteTensor")
        _torch = state.clone()

    def manual_seed(self, seed: int) -> None:
        self.set_state(torch.Generator().manual_seed(seed).get_state())
