"""The norms of gradients, for all loggers of a training."""

from __future__ import annotations

from typing import NamedTuple
from weakref import WeakKeyDictionary

from thinc.api import Optimizer


class Norms(NamedTuple):
    """Norms of all gradients of a step: their mean over some steps, the highest, and
    how many were far above the others."""

    gradient_norm: float | None = None
    gradient_norm_max: float | None = None
    gradient_spikes: int | None = None


_taken: WeakKeyDictionary[Optimizer, tuple[int, Norms]] = WeakKeyDictionary()


def take_norms(optimizer: Optimizer | None, step: int) -> Norms | None:
    """Take what an optimizer has measured since this was last called for another step.

    An optimizer gives it once; all loggers of a chain get the same.

    optimizer: The optimizer, if it is known.
    RETURNS: The norms; None if the optimizer does not measure them.
    """
    gradients = getattr(optimizer, "gradients", None)
    if optimizer is None or gradients is None:
        return None
    if optimizer not in _taken or _taken[optimizer][0] != step:
        _taken[optimizer] = step, Norms(*gradients.take())
    return _taken[optimizer][1]
