"""What is measured at each evaluation of a training."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from numbers import Real
from timeit import default_timer as timer
from typing import Any

from spacy.language import Language
from thinc.api import Optimizer

from ..parameters import announced, announced_optimizer
from .gradients import Norms, take_norms
from .remaining import Remaining


@dataclass(frozen=True)
class Row:
    """An evaluation, and the steps since the one before.

    step: The step after which it was.
    epoch: The epoch of that step, from 0.
    steps: How many steps there were since the evaluation before.
    timestamp: Date and time, as ISO 8601 says.
    seconds: Time since the start of the training.
    words: Words in all steps of the training.
    words_per_second: Speed since the evaluation before, the time of this evaluation
        included.
    remaining_seconds: The time until the last step, if it is known.
    score: The score that decides which model is the best.
    scores: All scores, those of labels in dictionaries.
    losses: The sum of the loss of each component since the evaluation before.
    rates: The learning rate of each group of weights.
    gradient_norm: The mean of the norms of all gradients of a step.
    gradient_norm_max: The highest of these.
    gradient_spikes: How many of these were far above the others.
    """

    step: int
    epoch: int
    steps: int
    timestamp: str
    seconds: float
    words: int
    words_per_second: float | None
    remaining_seconds: float | None
    score: float
    scores: dict[str, Any]
    losses: dict[str, float]
    rates: dict[str, float]
    gradient_norm: float | None
    gradient_norm_max: float | None
    gradient_spikes: int | None

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON values; what is no finite
        number is None.
        """
        return {key: plain(value) for key, value in asdict(self).items()}


class Watch:
    """Makes the rows of a training from what spaCy's loop tells a logger.

    nlp: The pipeline, with the config of its training.
    first_step: The step with which this process began, once there is a row; above 0 if
        the training was resumed.
    """

    def __init__(self, nlp: Language) -> None:
        training = nlp.config.interpolate()["training"]
        self._remaining = Remaining(training["max_steps"], training["max_epochs"])
        self.first_step = 0
        self._start = self._last_time = timer()
        self._last_words: int | None = 0
        self._steps = 0
        self._begun = False
        self._nlp = nlp

    def count(self) -> None:
        """Count a step; to be called before the row of the step is made."""
        self._steps += 1

    def row(self, info: dict[str, Any]) -> Row:
        """Make the row of an evaluation.

        info: What spaCy's loop passes to a logger.
        """
        now = timer()
        if not self._begun:
            self._begin(info, now)
        optimizer = self._find_optimizer(info)
        norms = take_norms(optimizer, info["step"])
        seconds = now - self._start
        row = Row(
            step=info["step"],
            epoch=info["epoch"],
            steps=info["step"] - self._evaluated_before(info),
            timestamp=datetime.now().astimezone().isoformat(timespec="seconds"),
            seconds=round(seconds, 3),
            words=info["words"],
            words_per_second=self._speed(info["words"], now),
            remaining_seconds=self._remaining.estimate(
                info["step"], info["epoch"], seconds
            ),
            score=float(info["score"]),
            scores=_numbers(info["other_scores"]),
            losses=_numbers(info["losses"]),
            rates=rates_of(optimizer),
            **(norms or Norms())._asdict(),
        )
        self._last_time, self._last_words = now, info["words"]
        return row

    def _begin(self, info: dict[str, Any], now: float) -> None:
        self._begun = True
        self.first_step = max(0, info["step"] + 1 - self._steps)
        if self.first_step:
            # How many words the steps before this process had is not told.
            self._last_words = None
        # A loop that goes on with a training knows how long that took already.
        self._start -= max(0.0, info["seconds"] - (now - self._start))

    def _find_optimizer(self, info: dict[str, Any]) -> Optimizer | None:
        if "optimizer" in info:
            return info["optimizer"]
        # What was announced may be of an earlier training.
        return announced_optimizer() if announced() is self._nlp else None

    def _evaluated_before(self, info: dict[str, Any]) -> int:
        """The step of the evaluation before, also if an earlier process made it."""
        steps = [step for _, step in info["checkpoints"] if step < info["step"]]
        return max(steps, default=self.first_step - 1)

    def _speed(self, words: int, now: float) -> float | None:
        duration = now - self._last_time
        if self._last_words is None or duration <= 0:
            return None
        return round((words - self._last_words) / duration, 1)


def rates_of(optimizer: Optimizer | None) -> dict[str, float]:
    """Find the learning rates of an optimizer.

    optimizer: The optimizer, if it is known.
    RETURNS: The rate of each group; thinc's own optimizers have one, "default".
    """
    if optimizer is None:
        return {}
    groups = getattr(optimizer, "groups", None)
    if groups is None:
        return {"default": float(optimizer.learn_rate)}
    return {group.name: float(group.rate.value) for group in groups}


def _numbers(values: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers of a dictionary, and of dictionaries in it."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found[key] = _numbers(value)
        elif isinstance(value, Real):
            found[key] = float(value)
        elif getattr(value, "size", 0) == 1:
            found[key] = float(value.item())
    return found


def plain(value: Any) -> Any:
    """A value with None where numbers are not finite, as JSON has none.

    value: A value, or a dictionary of values.
    """
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
