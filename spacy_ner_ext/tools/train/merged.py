"""What a run writes: pipelines, checkpoints, and how far it is."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.training.loop import create_before_to_disk_callback, update_meta
from thinc.api import Optimizer

from ...encoder.shim import EncoderShim
from ...training.nodes import find_nodes
from .batches import Position
from .checkpoint import Checkpoint, restore_weights, write_checkpoint
from .progress import Progress
from .random_state import capture, renew_cupy
from .run_folder import (
    FAILED,
    RUNNING,
    clean_output,
    keep_as_best,
    save_last,
    write_run,
)
from .settings import RunSettings


@dataclass(frozen=True)
class Start:
    """Where a run goes on.

    path: The folder of the checkpoint.
    checkpoint: What it says.
    """

    path: Path
    checkpoint: Checkpoint

    @property
    def progress(self) -> Progress:
        """How far training is."""
        return self.checkpoint.progress


class Saving:
    """Writes the pipelines and checkpoints of a run.

    nlp: The pipeline.
    optimizer: The optimizer, whose averages are what is saved.
    settings: How many checkpoints stay.
    training: The block [training], resolved.
    output: The folder; None to write nothing.
    """

    def __init__(
        self,
        nlp: Language,
        optimizer: Optimizer,
        settings: RunSettings,
        training: Mapping[str, Any],
        output: Path | None,
    ) -> None:
        self.nlp, self.optimizer, self.output = nlp, optimizer, output
        self.keep = settings.keep_checkpoints
        self.training = training
        self.before_to_disk = create_before_to_disk_callback(training["before_to_disk"])

    def begin(self, progress: Progress) -> None:
        """Write that the run has begun."""
        self._write_run(progress, RUNNING)

    def save(self, info: dict[str, Any]) -> Path | None:
        """Save the pipeline after an evaluation.

        info: What is known of the step, as loggers get it.
        """
        with self.nlp.select_pipes(disable=self.training["frozen_components"]):
            update_meta(self.training, self.nlp, info)  # type: ignore[arg-type]
        path = self._save_last()
        if self.output is not None and info["is_best"]:
            keep_as_best(self.output)
        return path

    def end(self, progress: Progress, status: str) -> None:
        """Save the pipeline as it is, and write how the run has ended."""
        try:
            if progress.step >= 0:
                self._save_last()
        except BaseException:
            status = FAILED
            raise
        finally:
            self._write_run(progress, status)

    def _save_last(self) -> Path | None:
        if self.output is None:
            return None
        averages = self.optimizer.averages
        with self.nlp.use_params(averages) if averages else nullcontext():
            return save_last(self.output, self.nlp, self.before_to_disk)

    def _write_run(self, progress: Progress, status: str) -> None:
        if self.output is not None:
            write_run(self.output, progress, status, self.nlp.config.interpolate())

    # --- Checkpoints ----------------------------------------------------------

    def save_checkpoint(self, progress: Progress, position: Position | None) -> None:
        """Write a checkpoint.

        position: Where the data goes on; None before the first step, of which there is
            nothing to write.
        """
        if self.output is None or position is None:
            return
        renew_cupy(self._seed_of(progress))
        drop_caches(self.nlp)
        config = self.nlp.config.to_str(interpolate=False)
        state = Checkpoint(progress, position, capture(), config)
        write_checkpoint(self.output, self.nlp, self.optimizer, state, self.keep)

    def restore(self, start: Start) -> None:
        """Give the pipeline and the optimizer the state of a checkpoint.

        RAISES (UserError): If it does not fit.
        """
        if self.output is not None:
            clean_output(self.output)
        for _ in range(start.progress.step + 1):
            self.optimizer.step_schedules()
        restore_weights(start.path, self.nlp, self.optimizer)
        renew_cupy(self._seed_of(start.progress))

    def _seed_of(self, progress: Progress) -> int:
        return (self.training["seed"] or 0) * 1_000_003 + progress.step


def drop_caches(nlp: Language) -> None:
    """Forget the vectors that frozen encoders keep. A run that goes on has none, and
    makes them in other batches, where they differ in their last digits.
    """
    for node in find_nodes(nlp):
        for shim in node.shims:
            if isinstance(shim, EncoderShim):
                shim.cache = None
