"""The training loop: spaCy's, with checkpoints, signals and sub-batches."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, nullcontext
from itertools import islice
from pathlib import Path
from timeit import default_timer as timer
from types import FrameType
from typing import IO, Any

from spacy.language import Language
from spacy.schemas import ConfigSchemaTraining
from spacy.training.loop import create_evaluation_callback
from spacy.util import registry, resolve_dot_names
from thinc.api import constant, fix_random_seed, set_gpu_allocator
from wasabi import Printer

from ...training.averages import warn_about_torch
from ...training.optimizer_state import OptimizerState, ScalerState
from .batches import Batch, train_batches
from .checkpoint import Checkpoint, PipelineState, Stateful, restore_checkpoint
from .prefetch import prefetch
from .progress import EvaluationSchedule, Progress, Result, StopCriterion
from .random_state import RandomState
from .run_folder import FAILED, FINISHED, RUNNING, STOPPED, RunFolder
from .settings import RunSettings
from .update import Updater

Info = dict[str, Any]
Callback = Callable[[Info], Any]
SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


class Run:
    """The training of an initialized pipeline.

    output: The folder of the run; None to save nothing.
    checkpoint: Where to resume; None to start.
    callbacks: Called after each step with spaCy's info about it; one that returns True
        ends training.
    stdout: Where the log is printed.
    stderr: Where progress bars are printed.
    """

    def __init__(
        self,
        nlp: Language,
        settings: RunSettings,
        output: Path | None = None,
        *,
        checkpoint: Checkpoint | None = None,
        callbacks: Sequence[Callback] = (),
        use_gpu: int = -1,
        stdout: IO = sys.stdout,
        stderr: IO = sys.stderr,
    ) -> None:
        self.nlp, self.settings, self.callbacks = nlp, settings, callbacks
        self.stdout, self.stderr, self.checkpoint = stdout, stderr, checkpoint
        config = nlp.config.interpolate()
        _seed(config["training"], use_gpu)
        schema: Any = ConfigSchemaTraining
        training = registry.resolve(config["training"], schema=schema)
        corpora = [training["train_corpus"], training["dev_corpus"]]
        self.train_corpus, dev_corpus = resolve_dot_names(config, corpora)
        weights = training["score_weights"]
        self.evaluate = create_evaluation_callback(nlp, dev_corpus, weights)
        self.training, self.optimizer = training, training["optimizer"]
        self.progress = Progress()
        keep = settings.keep_checkpoints
        self.folder = RunFolder(output, nlp, self.optimizer, training, keep)
        # All that a checkpoint saves except for weights, in the order of restoring.
        self.stateful: dict[str, Stateful] = {
            "progress": self.progress,
            "optimizer": OptimizerState(self.optimizer, nlp),
            "scalers": ScalerState(nlp),
            "pipeline": PipelineState(nlp),
            "random": RandomState(self._cupy_seed),
        }
        # Silent where the output goes elsewhere.
        self.signals = Signals(is_silent=stderr is not sys.stderr)

    def _cupy_seed(self) -> int:
        return (self.training["seed"] or 0) * 1_000_003 + self.progress.step

    def __call__(self) -> str:
        """Train until the end, or until a signal, and return the reason why it ended.

        RAISES (UserError): If a setting or the checkpoint cannot be used.
        """
        warn_about_torch(self.nlp)
        self._introduce()
        with self.nlp.select_pipes(disable=self.training["frozen_components"]):
            make_logger = self.training["logger"]
            log, finalize = make_logger(self.nlp, self.stdout, self.stderr)
        # After the logger, which may draw random numbers.
        self._restore()
        self._make_parts()
        status, started = FAILED, self.progress.step
        ended = None if self.checkpoint is None else self.why_stop(self.progress)
        self.folder.write_status(self.progress, RUNNING)
        try:
            with self.signals:
                ended = ended or self._loop(log)
                # A stopped run can be resumed, and a finished one extended.
                if self.signals.received or self.settings.checkpoint_every:
                    self.folder.save_checkpoint(self.progress, self.stateful)
            status = STOPPED if self.signals.received else FINISHED
        finally:
            try:
                finalize()
            finally:
                self.folder.end(self.progress, status)
        if self.progress.step == started and not self.signals.received:
            self._explain_extension(ended)
        return ended

    # --- Before the first step ------------------------------------------------

    def _introduce(self) -> None:
        training = self.training
        self._say(f"Pipeline: {self.nlp.pipe_names}")
        if training["frozen_components"]:
            self._say(f"Frozen components: {training['frozen_components']}")
        if training["annotating_components"]:
            names = training["annotating_components"]
            self._say(f"Set annotations on update for: {names}")
        self._say(f"Initial learn rate: {self.optimizer.learn_rate}")
        if self.checkpoint is not None:
            step = self.checkpoint.state["progress"]["step"]
            self._say(f"Resuming after step {step}")

    def _restore(self) -> None:
        if self.checkpoint is None:
            return
        self.folder.clean()
        for _ in range(self.checkpoint.state["progress"]["step"] + 1):
            self.optimizer.step_schedules()
        restore_checkpoint(self.checkpoint, self.nlp, self.stateful)

    def _make_parts(self) -> None:
        training, settings = self.training, self.settings
        dropout = training["dropout"]
        dropouts = constant(dropout) if isinstance(dropout, float) else dropout
        self.dropouts = islice(dropouts, self.progress.step + 1, None)
        self.update = Updater(
            self.nlp,
            self.optimizer,
            training["frozen_components"],
            training["annotating_components"],
            training["accumulate_gradient"],
            settings.sub_batch,
            self.progress.max_docs,
        )
        is_stream = training["max_epochs"] == -1
        self.is_evaluated = EvaluationSchedule(
            settings.eval_frequency, training["eval_frequency"], is_stream
        )
        patience, max_steps = training["patience"], training["max_steps"]
        self.why_stop = StopCriterion(settings.patience, patience, max_steps)
        self._started = timer() - self.progress.seconds

    # --- The loop -------------------------------------------------------------

    def _loop(self, log: Callable[[Info | None], None]) -> str:
        with closing(self._batches()) as batches:
            for batch in batches:
                info = self._step(batch)
                log(None if info["score"] is None else info)
                if ended := self._finish_step(info):
                    return ended
        return "all epochs are done"

    def _batches(self) -> Generator[Batch, None, None]:
        # A schedule may be in its own section.
        config = self.nlp.config.interpolate()
        batches = train_batches(
            self.nlp,
            self.train_corpus,
            self.training["batcher"],
            self.training["max_epochs"],
            self.progress.position,
            from_start="@schedules" in str(config["training"]["batcher"]),
        )
        # The threads end with the loop, also by an error.
        with closing(prefetch(batches, self.nlp, self.settings.num_workers)) as ahead:
            yield from ahead

    def _step(self, batch: Batch) -> Info:
        """Make a step and, where it is time, evaluate and save."""
        progress = self.progress
        step, before = progress.step + 1, progress.epochs
        if self.training["before_update"]:
            where = {"step": step, "epoch": batch.epoch}
            self.training["before_update"](self.nlp, where)
        losses = self.update(batch.examples, next(self.dropouts), step)
        progress.advance(batch, losses)
        progress.max_docs = self.update.max_docs
        info: Info = dict.fromkeys(("score", "other_scores", "is_best"))
        if self.is_evaluated(step, before, batch.epochs):
            info = self._evaluate()
        progress.seconds = timer() - self._started
        info = {**info, **self._describe()}
        if info["score"] is not None:
            path = self.folder.save(info)
            info.update({} if path is None else {"output_path": str(path)})
        return info

    def _evaluate(self) -> Info:
        averages = self.optimizer.averages
        with self.nlp.use_params(averages) if averages else nullcontext():
            score, scores = self.evaluate()
        progress = self.progress
        result = Result(float(score), progress.step, progress.epochs, scores)
        is_best = progress.add(result)
        return {"score": score, "other_scores": scores, "is_best": is_best}

    def _describe(self) -> Info:
        """The info that loggers and callbacks get, with the keys of spaCy's loop."""
        progress = self.progress
        return {
            "epoch": progress.epoch,
            "step": progress.step,
            "losses": progress.losses,
            "checkpoints": [(each.score, each.step) for each in progress.results],
            "seconds": progress.seconds,
            "words": progress.words,
            "optimizer": self.optimizer,
            "resumed": self.checkpoint is not None,
        }

    def _finish_step(self, info: Info) -> str | None:
        """Call the callbacks and save a checkpoint; return why training ends here."""
        progress, every = self.progress, self.settings.checkpoint_every
        results = [callback(info) for callback in self.callbacks]
        if info["score"] is not None:
            progress.losses = {}
        ended = self.why_stop(progress)
        if any(result is True for result in results):
            ended = "a callback ended it"
        if self.signals.received:
            ended = "it was stopped"
        if every and progress.step and progress.step % every == 0:
            self.folder.save_checkpoint(progress, self.stateful)
        return ended

    def _explain_extension(self, ended: str) -> None:
        # On one line, to be copied.
        more = f'--resume-to "{2 * self.progress.step} steps"'
        self.stdout.write(f"The run had ended already: {ended}; extend it by {more}\n")

    def _say(self, text: str) -> None:
        self.stdout.write(f"{Printer(no_print=True).info(text)}\n")


def _seed(training: Any, use_gpu: int) -> None:
    if training["seed"] is not None:
        fix_random_seed(training["seed"])
    if use_gpu >= 0 and training["gpu_allocator"]:
        set_gpu_allocator(training["gpu_allocator"])


class Signals:
    """Inside the block, records the first Ctrl-C or termination signal, so that a step
    can finish; the second has its usual effect. Without `is_silent`, the first prints
    a message on stderr."""

    message = b"Stopping after this step; press Ctrl-C again to stop at once\n"

    def __init__(self, is_silent: bool) -> None:
        self.received: int | None = None
        self._is_silent = is_silent
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        # Python delivers signals to the main thread only.
        if threading.current_thread() is threading.main_thread():
            for number in (getattr(signal, n) for n in SIGNALS if hasattr(signal, n)):
                # nohup ignores signals.
                if signal.getsignal(number) != signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._record)
        return self

    def __exit__(self, *error: object) -> None:
        self._reset()

    def _reset(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _record(self, number: int, frame: FrameType | None) -> None:
        self.received = number
        self._reset()
        if not self._is_silent:
            # Python's stderr may be in the middle of a write.
            os.write(2, self.message)
