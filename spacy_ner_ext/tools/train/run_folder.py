"""The output folder of a run: its pipelines, its checkpoints and run.json."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.training.loop import (
    DIR_MODEL_BEST,
    DIR_MODEL_LAST,
    create_before_to_disk_callback,
    update_meta,
)
from thinc.api import Optimizer

from ...encoder.shim import EncoderShim
from ...training.logging.row import plain
from ...util.errors import UserError
from ...util.files import remove_leftovers, replacing
from ...util.weights import iter_shims
from .checkpoint import FOLDER, Stateful, find_checkpoints, to_plain, write_checkpoint
from .progress import Progress

RUN_FILE = "run.json"
RUNNING, STOPPED, FINISHED, FAILED = "running", "stopped", "finished", "failed"


def check_output(output: Path, overwrite: bool) -> None:
    """Check that a new run may use a folder.

    RAISES (UserError): If it has checkpoints and `overwrite` is not set, or if a file
        is in the way.
    """
    for path in (*reversed(output.parents), output, output / FOLDER):
        if path.exists() and not path.is_dir():
            what = "The output" if path == output else f"The output {output}:"
            raise UserError(f"{what} {path} is a file: name a folder.")
    if (found := find_checkpoints(output)) and not overwrite:
        raise UserError(
            f"{output} has a run with checkpoints ({found[-1].name}): resume it with "
            "--resume, or start again with --overwrite."
        )


def prepare_output(output: Path) -> None:
    """Create the folder of a new run and remove an older run, as spaCy does."""
    for path in (output / n for n in (DIR_MODEL_BEST, DIR_MODEL_LAST, FOLDER)):
        if path.is_symlink():
            path.unlink()
        elif path.is_dir():
            shutil.rmtree(path)
    (output / RUN_FILE).unlink(missing_ok=True)
    output.mkdir(parents=True, exist_ok=True)
    remove_leftovers(output)


class RunFolder:
    """Writes the pipelines and checkpoints of a run.

    path: The folder; None to write nothing.
    optimizer: Its averages are saved in place of the weights.
    training: The resolved section [training].
    """

    def __init__(
        self,
        path: Path | None,
        nlp: Language,
        optimizer: Optimizer,
        training: Mapping[str, Any],
        keep_checkpoints: int,
    ) -> None:
        self.path, self.nlp, self.optimizer = path, nlp, optimizer
        self.training, self.keep_checkpoints = training, keep_checkpoints
        self.before_to_disk = create_before_to_disk_callback(training["before_to_disk"])

    def clean(self) -> None:
        """Remove the incomplete files of a run that was killed."""
        if self.path is not None:
            remove_leftovers(self.path)
            remove_leftovers(self.path / FOLDER)

    def save(self, info: dict[str, Any]) -> Path | None:
        """Save the pipeline after an evaluation, whose results are in `info`."""
        with self.nlp.select_pipes(disable=self.training["frozen_components"]):
            update_meta(self.training, self.nlp, info)  # type: ignore[arg-type]
        path = self._save_last()
        if path is not None and info["is_best"]:
            with replacing(path.with_name(DIR_MODEL_BEST)) as folder:
                shutil.copytree(path, folder)
        return path

    def end(self, progress: Progress, status: str) -> None:
        """Save the pipeline after the last step, and write how the run ended."""
        try:
            if progress.step >= 0:
                self._save_last()
        except BaseException:
            status = FAILED
            raise
        finally:
            self.write_status(progress, status)

    def _save_last(self) -> Path | None:
        if self.path is None:
            return None
        path = self.path / DIR_MODEL_LAST
        averages = self.optimizer.averages
        with (
            self.nlp.use_params(averages) if averages else nullcontext(),
            replacing(path) as folder,
        ):
            self.before_to_disk(self.nlp).to_disk(folder)
        return path

    def save_checkpoint(
        self, progress: Progress, stateful: Mapping[str, Stateful]
    ) -> None:
        """Write a checkpoint, unless there was no step yet."""
        if self.path is None or progress.step < 0:
            return
        _drop_caches(self.nlp)
        step, keep = progress.step, self.keep_checkpoints
        write_checkpoint(self.path, step, self.nlp, stateful, keep)

    def write_status(self, progress: Progress, status: str) -> None:
        """Write run.json."""
        if self.path is None:
            return
        best = progress.saved
        facts = {
            "status": status,
            "step": progress.step,
            "epoch": progress.epoch,
            "epochs": round(progress.epochs, 4),
            "seconds": round(progress.seconds, 1),
            "best_score": None if best is None else best.score,
            "best_step": None if best is None else best.step,
            "scores": {} if best is None else best.scores,
            "config": self.nlp.config.interpolate(),
        }
        with replacing(self.path / RUN_FILE) as path:
            text = json.dumps(plain(facts), indent=2, default=to_plain)
            path.write_text(text, encoding="utf8")


def _drop_caches(nlp: Language) -> None:
    """Forget the cached vectors of frozen encoders. A resumed run has none, and in
    other batches the last digits of vectors differ."""
    for shim in iter_shims(nlp):
        if isinstance(shim, EncoderShim):
            shim.cache = None
