"""The values that are logged at each evaluation of a training run."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from numbers import Real
from timeit import default_timer as timer
from typing import Any
from weakref import WeakKeyDictionary

from spacy.language import Language
from thinc.api import Optimizer

from ..parameters import announced, announced_optimizer

# Mean and maximum of the gradient norms, and the number of spikes.
Norms = tuple[float | None, float | None, int | None]
_norms: WeakKeyDictionary[Optimizer, tuple[int, Norms]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Row:
    """An evaluation, and the steps since the previous one.

    words: Words in all steps so far.
    words_per_second: Speed since the previous evaluation, including the time of this
        evaluation.
    scores: All scores; scores per label are dictionaries.
    losses: Sum of each component's loss over the steps.
    gradient_norm: Mean norm of all gradients over the steps.
    gradient_spikes: Number of steps whose norm was far above the others.
    exchange_seconds: Time over the steps in which gradients were summed over several
        processes; None for a single one.
    exchange_wait_seconds: The part of it that the slowest process was waited for.
    exchange_bytes: Size of the gradients of a step.
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
    exchange_seconds: float | None = None
    exchange_wait_seconds: float | None = None
    exchange_bytes: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Convert to JSON values; numbers that are not finite become None."""
        return {key: plain(value) for key, value in asdict(self).items()}


class RowBuilder:
    """Builds rows from the `info` that spaCy's training loop passes to a logger.

    After the first row, `first_step` is the first step of this process; it is above 0
    if training was resumed.
    """

    def __init__(self, nlp: Language) -> None:
        training = nlp.config.interpolate()["training"]
        self._max_steps = training["max_steps"]
        self._max_epochs = training["max_epochs"]
        self.first_step = self.n_rows = 0
        self._start = self._last_time = timer()
        self._last_words: int | None = 0
        self._steps = 0
        self._first: tuple[int, float] | None = None
        self._exchanged = 0.0, 0.0
        self._nlp = nlp

    def count(self) -> None:
        """Count a step; call this before building the row of the step."""
        self._steps += 1

    def build(self, info: dict[str, Any]) -> Row:
        """Build the row of an evaluation."""
        now = timer()
        self.n_rows += 1
        if self._first is None:
            self._begin(info, now)
        optimizer = self._find_optimizer(info)
        norm, norm_max, spikes = gradient_norms(optimizer, info["step"])
        seconds = now - self._start
        # Also the evaluations of an earlier process.
        earlier = [step for _, step in info["checkpoints"] if step < info["step"]]
        row = Row(
            step=info["step"],
            epoch=info["epoch"],
            steps=info["step"] - max(earlier, default=self.first_step - 1),
            timestamp=datetime.now().astimezone().isoformat(timespec="seconds"),
            seconds=round(seconds, 3),
            words=info["words"],
            words_per_second=self._speed(info["words"], now),
            remaining_seconds=self._remaining(info["step"], info["epoch"], seconds),
            score=float(info["score"]),
            scores=_numbers(info["other_scores"]),
            losses=_numbers(info["losses"]),
            rates=learning_rates(optimizer),
            gradient_norm=norm,
            gradient_norm_max=norm_max,
            gradient_spikes=spikes,
            **self._exchange(info),
        )
        self._last_time, self._last_words = now, info["words"]
        return row

    def _exchange(self, info: dict[str, Any]) -> dict[str, Any]:
        exchange = info.get("exchange")
        if exchange is None:
            return {}
        before = self._exchanged
        self._exchanged = exchange.seconds, exchange.seconds_waited
        seconds, waited = (round(n - b, 3) for n, b in zip(self._exchanged, before))
        return {
            "exchange_seconds": seconds,
            "exchange_wait_seconds": waited,
            "exchange_bytes": exchange.n_bytes,
        }

    def _begin(self, info: dict[str, Any], now: float) -> None:
        self.first_step = max(0, info["step"] + 1 - self._steps)
        if self.first_step:
            # The number of words before this process is unknown.
            self._last_words = None
        # A loop that resumes passes the seconds that training took so far.
        self._start -= max(0.0, info["seconds"] - (now - self._start))
        self._first = info["step"], now - self._start

    def _find_optimizer(self, info: dict[str, Any]) -> Optimizer | None:
        if "optimizer" in info:
            return info["optimizer"]
        # The announced optimizer may belong to an earlier training run.
        return announced_optimizer() if announced() is self._nlp else None

    def _speed(self, words: int, now: float) -> float | None:
        duration = now - self._last_time
        if self._last_words is None or duration <= 0:
            return None
        return round((words - self._last_words) / duration, 1)

    def _remaining(self, step: int, epoch: int, seconds: float) -> float | None:
        """Estimate the seconds until the last step from the mean time of a step."""
        assert self._first is not None
        first_step, first_seconds = self._first
        ends = [self._max_steps] if self._max_steps > 0 else []
        if self._max_epochs > 0 and epoch:
            # On average, half of the current epoch is done.
            ends.append(self._max_epochs * step / (epoch + 0.5))
        if not ends or step == first_step:
            return None
        per_step = (seconds - first_seconds) / (step - first_step)
        return round(max(0.0, min(ends) - step) * per_step, 1)


def learning_rates(optimizer: Optimizer | None) -> dict[str, float]:
    """The learning rate of each parameter group; "default" for thinc's optimizers."""
    if optimizer is None:
        return {}
    groups = getattr(optimizer, "groups", None)
    if groups is None:
        return {"default": float(optimizer.learn_rate)}
    return {group.name: float(group.rate.value) for group in groups}


def gradient_norms(optimizer: Optimizer | None, step: int) -> Norms:
    """Take the gradient norms that an optimizer has measured since another step.

    An optimizer returns them once; all loggers of a chain get the same values.
    """
    gradients = getattr(optimizer, "gradients", None)
    if optimizer is None or gradients is None:
        return None, None, None
    if optimizer not in _norms or _norms[optimizer][0] != step:
        _norms[optimizer] = step, gradients.take()
    return _norms[optimizer][1]


def _numbers(values: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers of a dictionary and of the dictionaries in it."""
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
    """Replace numbers that are not finite, which JSON lacks, by None."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
