"""The progress of a run, when it evaluates, and when it ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from math import floor
from typing import Any

from ...util.errors import UserError
from .batches import Batch, Position
from .settings import EPOCHS, EVALUATIONS, STEPS, Amount


@dataclass(frozen=True)
class Result:
    """The main score and all scores of an evaluation, and when it was made."""

    score: float
    step: int
    epochs: float
    scores: dict[str, Any] = field(default_factory=dict)


@dataclass
class Progress:
    """The progress of a run after its last step, the first being 0.

    seconds: Time in training, without breaks between processes.
    losses: The losses since the last evaluation.
    steps_per_epoch: The steps of the first epoch; None before its end.
    results: The evaluations; only the saved one has all scores.
    extended_to: The end to which --resume-to extended the run.
    extended_at: When it was extended; patience restarts there.
    max_docs: The most docs that fit into the memory of the GPU, once more did not.
    """

    step: int = -1
    epoch: int = 0
    epochs: float = 0.0
    words: int = 0
    seconds: float = 0.0
    losses: dict[str, float] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)
    steps_per_epoch: int | None = None
    extended_to: str | None = None
    extended_at: Result | None = None
    max_docs: int | None = None
    position: Position | None = None

    @property
    def best(self) -> Result | None:
        """The first of the best evaluations, from which patience counts."""
        return max(self.results, key=lambda r: (r.score, -r.step), default=None)

    @property
    def saved(self) -> Result | None:
        """The last of the best evaluations, whose pipeline is saved."""
        return max(self.results, key=lambda r: (r.score, r.step), default=None)

    def advance(self, batch: Batch, losses: Mapping[str, float]) -> None:
        self.step += 1
        self.epoch, self.epochs = batch.epoch, batch.epochs
        self.position = batch.position
        if self.steps_per_epoch is None and batch.epochs >= 1:
            # The end of a stream is seen in the first step of the next epoch.
            self.steps_per_epoch = self.step + (batch.epoch == 0)
        self.words += batch.words
        for name, loss in losses.items():
            self.losses[name] = self.losses.get(name, 0.0) + float(loss)

    def add(self, result: Result) -> bool:
        """Add an evaluation, and return whether it is as good as the best."""
        self.results.append(result)
        saved = self.saved
        self.results = [
            each if each is saved else replace(each, scores={}) for each in self.results
        ]
        return result is saved

    def state(self) -> dict[str, Any]:
        return asdict(self)

    def restore(self, state: Mapping[str, Any]) -> None:
        fields = dict(state)
        fields["results"] = [Result(**each) for each in fields["results"]]
        for name, kind in (("extended_at", Result), ("position", Position)):
            if fields[name] is not None:
                fields[name] = kind(**fields[name])
        vars(self).update(fields)


class EvaluationSchedule:
    """Decides which steps are followed by an evaluation; the first always is."""

    def __init__(self, frequency: Amount | None, default: int, is_stream: bool) -> None:
        self.by_epochs = frequency is not None and frequency.unit == EPOCHS
        self.every = default if frequency is None else frequency.number
        if self.by_epochs and is_stream and self.every % 1:
            raise UserError(
                f'[spacy_ner_ext] eval_frequency = "{float(self.every):g} epochs": the '
                "length of an epoch is unknown with training.max_epochs = -1; set it "
                "to whole epochs, or to steps."
            )

    def __call__(self, step: int, before: float, after: float) -> bool:
        """Whether to evaluate after a step, given the epochs before and after it."""
        if not self.by_epochs or step == 0:
            return step % self.every == 0
        # The end of an epoch is a whole number; fractions are sums of rounded ones.
        n_before, n_after = (
            floor(epochs / float(self.every) + 1e-9) for epochs in (before, after)
        )
        return n_after > n_before


class StopCriterion:
    """Decides when training ends; patience and `max_steps` of 0 set no limit."""

    def __init__(self, patience: Amount | None, default: int, max_steps: int) -> None:
        self.unit = STEPS if patience is None else patience.unit
        self.patience = default if patience is None else patience.number
        self.max_steps = max_steps

    def __call__(self, progress: Progress) -> str | None:
        """The reason to stop; None to continue."""
        if self.patience and self._waited(progress) >= self.patience:
            return f"no better score for {float(self.patience):g} {self.unit}"
        if self.max_steps and progress.step >= self.max_steps:
            return f"step {self.max_steps} was reached"
        return None

    def _waited(self, progress: Progress) -> float:
        known = [r for r in (progress.best, progress.extended_at) if r is not None]
        if not known:
            return 0
        since = max(known, key=lambda result: result.step)
        if self.unit == EVALUATIONS:
            return sum(result.step > since.step for result in progress.results)
        if self.unit == EPOCHS:
            return progress.epochs - since.epochs + 1e-9
        return progress.step - since.step
