"""How long a training will still take."""

from __future__ import annotations

import math


class Remaining:
    """Estimates the time until the last step from the steps so far.

    max_steps: The last step; 0 for no such limit.
    max_epochs: How many epochs there are; 0 or less for no such limit.
    """

    def __init__(self, max_steps: int, max_epochs: int) -> None:
        self._max_steps = max_steps
        self._max_epochs = max_epochs
        self._first: tuple[int, float] | None = None
        self._shortest_epoch, self._longest_epoch = 0.0, math.inf

    def estimate(self, step: int, epoch: int, seconds: float) -> float | None:
        """Estimate the time.

        step: The step that was just made, from 0.
        seconds: The time since the start of the training.
        RETURNS: Seconds until the last step, None if not known.
        """
        self._narrow(step, epoch)
        if self._first is None:
            self._first = step, seconds
        first_step, first_seconds = self._first
        last = self._last_step()
        if last is None or step == first_step:
            return None
        per_step = (seconds - first_seconds) / (step - first_step)
        return round(max(0.0, last - step) * per_step, 1)

    def _narrow(self, step: int, epoch: int) -> None:
        """Narrow down how many steps an epoch has: all steps so far are in `epoch + 1`
        epochs, and `epoch` of these are over."""
        self._shortest_epoch = max(self._shortest_epoch, (step + 1) / (epoch + 1))
        if epoch:
            self._longest_epoch = min(self._longest_epoch, step / epoch)

    def _last_step(self) -> float | None:
        last = []
        if self._max_steps > 0:
            last.append(float(self._max_steps))
        if self._max_epochs > 0 and self._longest_epoch < math.inf:
            steps_of_epoch = (self._shortest_epoch + self._longest_epoch) / 2
            last.append(self._max_epochs * steps_of_epoch)
        return min(last, default=None)
