"""The training loop: spaCy's, with checkpoints, signals and sub-batches."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, nullcontext
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
from ...util.weights import digest
from .batches import Batch, train_batches
from .checkpoint import (
    Checkpoint,
    OfEachRank,
    PipelineState,
    Stateful,
    n_ranks,
    restore_checkpoint,
)
from .prefetch import prefetch
from .progress import EvaluationSchedule, Progress, Result, StopCriterion
from .random_state import RandomState, Stream, capture_data, seed_rank
from .ranks import Ranks
from .run_folder import FAILED, FINISHED, RUNNING, STOPPED, RunFolder
from .settings import RunSettings
from .shares import DividedEvaluation, divide_corpus, redivided
from .update import Updater

Info = dict[str, Any]
Callback = Callable[[Info], Any]
STOPPING = b"Stopping after this step; press Ctrl-C again to stop at once\n"
SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


class Run:
    """The training of an initialized pipeline, which calls the callbacks after each
    step with spaCy's info about it."""

    def __init__(
        self,
        nlp: Language,
        settings: RunSettings,
        output: Path,
        checkpoint: Checkpoint | None,
        callbacks: Sequence[Callback],
        use_gpu: int,
        is_silent: bool,
        ranks: Ranks | None = None,
    ) -> None:
        self.nlp, self.settings, self.callbacks = nlp, settings, callbacks
        self.ranks = ranks = ranks or Ranks()
        is_silent = is_silent or not ranks.is_first
        self.checkpoint, self.signals = checkpoint, Signals(is_silent)
        self.stdout: IO = io.StringIO() if is_silent else sys.stdout
        self.stderr: IO = io.StringIO() if is_silent else sys.stderr
        config = nlp.config.interpolate()
        if config["training"]["seed"] is not None:
            fix_random_seed(config["training"]["seed"])
        if use_gpu >= 0 and config["training"]["gpu_allocator"]:
            set_gpu_allocator(config["training"]["gpu_allocator"])
        schema: Any = ConfigSchemaTraining
        training = registry.resolve(config["training"], schema=schema)
        corpora = [training["train_corpus"], training["dev_corpus"]]
        self.train_corpus, dev_corpus = resolve_dot_names(config, corpora)
        self.is_divided = divide_corpus(
            self.train_corpus, training["max_epochs"], ranks
        )
        weights = training["score_weights"]
        divided: Any = nlp if ranks.size == 1 else DividedEvaluation(ranks, nlp)
        self.evaluate = create_evaluation_callback(
            divided, lambda _: dev_corpus(nlp), weights
        )
        self.training, self.optimizer = training, training["optimizer"]
        # A schedule of batch sizes may be in its own section.
        self.has_schedule = "@schedules" in str(config["training"]["batcher"])
        self.progress = Progress()
        keep = settings.keep_checkpoints
        self.folder = RunFolder(output, nlp, self.optimizer, training, keep, ranks)
        self.random_states = OfEachRank(ranks, RandomState())
        # All that a checkpoint saves except for weights, in the order of restoring.
        self.stateful: dict[str, Stateful] = {
            "progress": self.progress,
            "optimizer": OptimizerState(self.optimizer, nlp),
            "scalers": ScalerState(nlp),
            "pipeline": PipelineState(nlp),
            "random": self.random_states,
        }

    def __call__(self) -> str:
        """Train until the end or a signal, and return the reason why it ended."""
        warn_about_torch(self.nlp)
        self._introduce()
        log, finalize = self._make_logger()
        # After the logger, which may draw random numbers.
        self._prepare()
        status, started = FAILED, self.progress.step
        ended = None if self.checkpoint is None else self.why_stop(self.progress)
        self.folder.write_status(self.progress, RUNNING)
        try:
            with self.signals:
                ended = ended or self._loop(log)
                # A stopped run can be resumed, and a finished one extended.
                _, received = self._agree(False)
                if received or self.settings.checkpoint_every:
                    self._save_checkpoint()
            status = STOPPED if received else FINISHED
        finally:
            try:
                finalize()
            finally:
                self.folder.end(self.progress, status)
        if self.progress.step == started and not self.signals.received:
            # On one line, to be copied.
            more = f'--resume-to "{2 * started} steps"'
            text = f"The run had ended already: {ended}; extend it by {more}\n"
            self.stdout.write(text)
        return ended

    def _make_logger(self) -> tuple[Callable[[Info | None], Any], Callable[[], Any]]:
        if not self.ranks.is_first:
            return (lambda info: None), (lambda: None)
        with self.nlp.select_pipes(disable=self.training["frozen_components"]):
            return self.training["logger"](self.nlp, self.stdout, self.stderr)

    def _introduce(self) -> None:
        training = self.training
        lines = [f"Pipeline: {self.nlp.pipe_names}"]
        if self.ranks.size > 1:
            how = "read other shards each" if self.is_divided else "share each batch"
            lines.append(f"Processes: {self.ranks.size}, which {how}")
        if names := training["frozen_components"]:
            lines.append(f"Frozen components: {names}")
        if names := training["annotating_components"]:
            lines.append(f"Set annotations on update for: {names}")
        lines.append(f"Initial learn rate: {self.optimizer.learn_rate}")
        if self.checkpoint is not None:
            step = self.checkpoint.state["progress"]["step"]
            lines.append(f"Resuming after step {step}")
            if (n_before := n_ranks(self.checkpoint)) != self.ranks.size:
                lines.append(
                    f"The checkpoint is of {n_before} process(es), now there are "
                    f"{self.ranks.size}: dropout draws other random numbers"
                    + (", and the epoch starts again" if self.is_divided else "")
                )
        for line in lines:
            self.stdout.write(f"{Printer(no_print=True).info(line)}\n")

    def _prepare(self) -> None:
        """Restore the checkpoint, and make the parts that depend on the progress."""
        training, settings = self.training, self.settings
        if self.checkpoint is not None:
            for _ in range(self.checkpoint.state["progress"]["step"] + 1):
                self.optimizer.step_schedules()
            restore_checkpoint(self.checkpoint, self.nlp, self.stateful)
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
            training["seed"] or 0,
            self.ranks,
            divides=not self.is_divided,
        )
        is_stream = training["max_epochs"] == -1
        self.is_evaluated = EvaluationSchedule(
            settings.eval_frequency, training["eval_frequency"], is_stream
        )
        patience, max_steps = training["patience"], training["max_steps"]
        self.why_stop = StopCriterion(settings.patience, patience, max_steps)
        self._started = timer() - self.progress.seconds
        self._prepare_ranks()

    def _prepare_ranks(self) -> None:
        """Draw the same batches on all ranks, and everything else differently."""
        ranks, seed = self.ranks, self.training["seed"] or 0
        self.stream = Stream(ranks.broadcast(capture_data()))
        if self.checkpoint is None:
            seed_rank(ranks.rank, seed)
        elif ranks.rank >= n_ranks(self.checkpoint):
            seed_rank(ranks.rank, seed + self.progress.step + 1)
        if ranks.size > 1:
            ranks.check_same("pipeline at the start", digest(self.nlp))

    def _loop(self, log: Callable[[Info | None], None]) -> str:
        position = self.progress.position
        if self.is_divided and self.checkpoint is not None:
            n_before = n_ranks(self.checkpoint)
            position = redivided(position, n_before, self.ranks, self.has_schedule)
        drawn = train_batches(
            self.nlp,
            self.train_corpus,
            self.training["batcher"],
            self.training["max_epochs"],
            position,
            stream=self.stream,
            from_start=self.has_schedule,
            ranks=self.ranks if self.is_divided else None,
        )
        # The threads end with the loop, also by an error.
        with closing(prefetch(drawn, self.nlp, self.settings.num_workers)) as batches:
            for batch in batches:
                info = self._step(batch)
                log(None if info["score"] is None else info)
                if ended := self._finish_step(info):
                    return ended
        return "all epochs are done"

    def _step(self, batch: Batch) -> Info:
        """Make a step and, where it is time, evaluate and save. Returns the info that
        loggers and callbacks get, with the keys of spaCy's loop."""
        progress = self.progress
        step, before = progress.step + 1, progress.epochs
        if progress.position is None:
            self.ranks.check_same("training data", batch.position.checksum)
        if self.training["before_update"]:
            where = {"step": step, "epoch": batch.epoch}
            self.training["before_update"](self.nlp, where)
        losses = self.update(batch.examples, next(self.dropouts), step)
        progress.advance(batch, losses)
        progress.max_docs = self.update.max_docs
        info: Info = dict.fromkeys(("score", "other_scores", "is_best"))
        if self.is_evaluated(step, before, batch.epochs):
            averages = self.optimizer.averages
            with self.nlp.use_params(averages) if averages else nullcontext():
                score, scores = self.evaluate()
            result = Result(float(score), step, batch.epochs, scores)
            is_best = progress.add(result)
            info = {"score": score, "other_scores": scores, "is_best": is_best}
        progress.seconds = timer() - self._started
        info.update(
            epoch=progress.epoch,
            step=progress.step,
            losses=progress.losses,
            checkpoints=[(each.score, each.step) for each in progress.results],
            seconds=progress.seconds,
            words=progress.words,
            optimizer=self.optimizer,
            resumed=self.checkpoint is not None,
            exchange=self.update.exchange if self.ranks.size > 1 else None,
        )
        if info["score"] is not None:
            info["output_path"] = str(self.folder.save(info))
        return info

    def _finish_step(self, info: Info) -> str | None:
        """Call the callbacks and save a checkpoint; return why training ends here."""
        progress, every = self.progress, self.settings.checkpoint_every
        callbacks = self.callbacks if self.ranks.is_first else ()
        results = [callback(info) for callback in callbacks]
        for result in results:
            if isinstance(result, signal.Signals):
                self.signals.received = result.value
        if info["score"] is not None:
            progress.losses = {}
        ended = self.why_stop(progress)
        is_ended, received = self._agree(any(result is True for result in results))
        if is_ended:
            ended = "a callback ended it"
        if received:
            ended = "it was stopped"
        if every and progress.step and progress.step % every == 0:
            self._save_checkpoint()
        return ended

    def _agree(self, is_ended: bool) -> tuple[bool, int | None]:
        """Whether a callback ends training on any rank, and the signal of any."""
        numbers = [0.0] * (self.ranks.size + 1)
        numbers[0] = float(is_ended)
        numbers[self.ranks.rank + 1] = self.signals.received or 0
        ended, *signals = self.ranks.sum(numbers)
        if received := int(max(signals)):
            self.signals.received = received
        return ended > 0, received or None

    def _save_checkpoint(self) -> None:
        self.random_states.collect()
        self.folder.save_checkpoint(self.progress, self.stateful)


class Signals:
    """Inside the block, records the first Ctrl-C or termination signal, so that a step
    can finish; the second has its usual effect."""

    def __init__(self, is_silent: bool) -> None:
        self.received: int | None = None
        self._is_silent = is_silent
        self._before = ExitStack()

    def __enter__(self) -> Signals:
        # Python delivers signals to the main thread only.
        if threading.current_thread() is threading.main_thread():
            for number in (getattr(signal, n) for n in SIGNALS if hasattr(signal, n)):
                # nohup ignores signals.
                if signal.getsignal(number) != signal.SIG_IGN:
                    before = signal.signal(number, self._record)
                    self._before.callback(signal.signal, number, before)
        return self

    def __exit__(self, *error: object) -> None:
        self._before.close()

    def _record(self, number: int, frame: FrameType | None) -> None:
        self.received = number
        self._before.close()
        if not self._is_silent:
            # Python's stderr may be in the middle of a write.
            os.write(2, STOPPING)
