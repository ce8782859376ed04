"""Training: the loop of spaCy, with what it takes to stop and go on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, nullcontext
from itertools import islice
from pathlib import Path
from timeit import default_timer as timer
from typing import IO, Any

from spacy.language import Language
from spacy.schemas import ConfigSchemaTraining
from spacy.training.loop import create_evaluation_callback
from spacy.util import registry, resolve_dot_names
from thinc.api import constant, fix_random_seed, set_gpu_allocator
from wasabi import Printer

from ...training.averages import warn_about_torch
from .batches import Batch, train_batches
from .merged import Saving, Start
from .prefetch import prefetch
from .progress import Evaluating, Progress, Result, Stopping
from .random_state import restore
from .run_folder import FAILED, FINISHED, STOPPED
from .settings import RunSettings
from .signals import Stops
from .update import Updating

Info = dict[str, Any]
Callback = Callable[[Info], Any]
STOPPING = "Stopping after this step; once more stops at once"


class Run:
    """The training of a pipeline.

    nlp: The pipeline, initialized, with the full config.
    settings: The settings of [spacy_ner_ext].
    output: The folder of the run; None to save nothing.
    start: Where to go on.
    callbacks: Called after each step with spaCy's info about it; one that returns True
        ends training.
    use_gpu: The GPU, or -1.
    stdout: Where the log is printed.
    stderr: Where progress bars are.
    RAISES (UserError): If a setting or the checkpoint cannot be used.
    """

    def __init__(
        self,
        nlp: Language,
        settings: RunSettings,
        output: Path | None = None,
        *,
        start: Start | None = None,
        callbacks: Sequence[Callback] = (),
        use_gpu: int = -1,
        stdout: IO = sys.stdout,
        stderr: IO = sys.stderr,
    ) -> None:
        self.nlp, self.settings, self.callbacks = nlp, settings, callbacks
        self.stdout, self.stderr, self.start = stdout, stderr, start
        config = nlp.config.interpolate()
        _seed(config["training"], use_gpu)
        schema: Any = ConfigSchemaTraining
        training = registry.resolve(config["training"], schema=schema)
        corpora = [training["train_corpus"], training["dev_corpus"]]
        self.train_corpus, dev_corpus = resolve_dot_names(config, corpora)
        weights = training["score_weights"]
        self.evaluate = create_evaluation_callback(nlp, dev_corpus, weights)
        self.training, self.optimizer = training, training["optimizer"]
        self.progress = Progress() if start is None else start.progress
        self.position = None if start is None else start.checkpoint.position
        self.saving = Saving(nlp, self.optimizer, settings, training, output)
        if start is not None:
            self.saving.restore(start)
        self.dropouts = self._make_dropouts()
        # Nothing is said where the output goes elsewhere.
        self.stops = Stops(STOPPING if stderr is sys.stderr else None)
        self._make_parts()

    def _make_dropouts(self) -> Iterator[float]:
        dropout = self.training["dropout"]
        dropouts = constant(dropout) if isinstance(dropout, float) else dropout
        return islice(dropouts, self.progress.step + 1, None)

    def _make_parts(self) -> None:
        training, settings = self.training, self.settings
        self.update = Updating(
            self.nlp,
            self.optimizer,
            training["frozen_components"],
            training["annotating_components"],
            training["accumulate_gradient"],
            settings.sub_batch,
            self.progress.max_docs,
        )
        is_stream = training["max_epochs"] == -1
        self.is_evaluated = Evaluating(
            settings.eval_frequency, training["eval_frequency"], is_stream
        )
        patience, max_steps = training["patience"], training["max_steps"]
        self.why_stop = Stopping(settings.patience, patience, max_steps)

    # --- The loop -------------------------------------------------------------

    def __call__(self) -> str:
        """Train to the end, or until a signal stops it."""
        warn_about_torch(self.nlp)
        self._introduce()
        with self.nlp.select_pipes(disable=self.training["frozen_components"]):
            make_logger = self.training["logger"]
            log, finalize = make_logger(self.nlp, self.stdout, self.stderr)
        status, began = FAILED, self.progress.step
        ended = None if self.start is None else self.why_stop(self.progress)
        self.saving.begin(self.progress)
        try:
            with self.stops, closing(self._batches()) as batches:
                for batch in batches if ended is None else ():
                    info = self._step(batch)
                    log(None if info["score"] is None else info)
                    if ended := self._finish_step(batch, info):
                        break
                # Whoever stops a run wants to go on with it, or with its end later.
                if self.stops.signal or self.settings.checkpoint_every:
                    self.saving.save_checkpoint(self.progress, self.position)
            status = STOPPED if self.stops.signal else FINISHED
        finally:
            try:
                finalize()
            finally:
                self.saving.end(self.progress, status)
        ended = ended or "all epochs were made"
        if self.progress.step == began and not self.stops.signal:
            self._tell_how_to_extend(ended)
        return ended

    def _introduce(self) -> None:
        training = self.training
        self._say(f"Pipeline: {self.nlp.pipe_names}")
        if training["frozen_components"]:
            self._say(f"Frozen components: {training['frozen_components']}")
        if training["annotating_components"]:
            names = training["annotating_components"]
            self._say(f"Set annotations on update for: {names}")
        self._say(f"Initial learn rate: {self.optimizer.learn_rate}")
        if self.start is not None:
            self._say(f"Going on after step {self.progress.step}")

    def _batches(self) -> Generator[Batch, None, None]:
        self._began = timer() - self.progress.seconds
        # A schedule may be in a section of its own.
        config = self.nlp.config.interpolate()
        batches = train_batches(
            self.nlp,
            self.train_corpus,
            self.training["batcher"],
            self.training["max_epochs"],
            self.position,
            from_start="@schedules" in str(config["training"]["batcher"]),
        )
        if self.start is not None:
            restore(self.start.checkpoint.random)
        ahead = prefetch(batches, self.nlp, self.settings.num_workers)
        # Its threads end with the loop, also by an error.
        with closing(ahead):
            yield from ahead

    def _step(self, batch: Batch) -> Info:
        """A step and, where it is time, an evaluation."""
        progress = self.progress
        step, before = progress.step + 1, progress.epochs
        if self.training["before_update"]:
            where = {"step": step, "epoch": batch.epoch}
            self.training["before_update"](self.nlp, where)
        losses = self.update(batch.examples, next(self.dropouts), step)
        progress.advance(batch.epoch, batch.epochs, batch.examples, losses)
        progress.max_docs = self.update.max_docs
        info = {"score": None, "other_scores": None, "is_best": None}
        if self.is_evaluated(step, before, batch.epochs):
            info = self._evaluate()
        progress.seconds = timer() - self._began
        info = {**info, **self._describe()}
        if info["score"] is not None:
            path = self.saving.save(info)
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
        """What loggers and callbacks get, in the words of spaCy's own loop."""
        progress = self.progress
        return {
            "epoch": progress.epoch,
            "step": progress.step,
            "losses": progress.losses,
            "checkpoints": [(each.score, each.step) for each in progress.results],
            "seconds": progress.seconds,
            "words": progress.words,
            "optimizer": self.optimizer,
            "resumed": self.start is not None,
        }

    def _finish_step(self, batch: Batch, info: Info) -> str | None:
        """Why training ends here, if it does."""
        progress, every = self.progress, self.settings.checkpoint_every
        wishes = [callback(info) for callback in self.callbacks]
        if info["score"] is not None:
            progress.losses = {}
        ended = self.why_stop(progress)
        if any(wish is True for wish in wishes):
            ended = "a callback ended it"
        if self.stops.signal:
            ended = "it was stopped"
        self.position = batch.position
        if every and progress.step and progress.step % every == 0:
            self.saving.save_checkpoint(progress, batch.position)
        return ended

    # --- Output ---------------------------------------------------------------

    def _tell_how_to_extend(self, ended: str) -> None:
        # In one line, to be copied.
        more = f'--resume-to "{2 * self.progress.step} steps"'
        self.stdout.write(f"The run had ended already: {ended}; extend it by {more}\n")

    def _say(self, text: str) -> None:
        self.stdout.write(f"{Printer(no_print=True).info(text)}\n")


def _seed(training: Any, use_gpu: int) -> None:
    if training["seed"] is not None:
        fix_random_seed(training["seed"])
    if use_gpu >= 0 and training["gpu_allocator"]:
        set_gpu_allocator(training["gpu_allocator"])
