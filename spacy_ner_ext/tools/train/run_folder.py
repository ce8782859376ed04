"""The output folder of a run: its pipelines, its checkpoints and run.json."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
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
from .ranks import Ranks

RUN_FILE = "run.json"
RUNNING, STOPPED, FINISHED, FAILED = "running", "stopped", "finished", "failed"


def check_output(output: Path, overwrite: bool) -> None:
    """Raise UserError if a new run would overwrite checkpoints, or a file is in the
    way."""
    for path in (*reversed(output.parents), output, output / FOLDER):
        if path.exists() and not path.is_dir():
            raise UserError(f"{path} is a file: name a folder for the output.")
    if (found := find_checkpoints(output)) and not overwrite:
        raise UserError(
            f"{output} has a run with checkpoints ({found[-1].name}): resume it with "
            "--resume, or start again with --overwrite."
        )


def prepare_output(output: Path, is_new: bool) -> None:
    """Create the folder of a run, and remove incomplete files and, before a new run,
    an older one."""
    old = (DIR_MODEL_BEST, DIR_MODEL_LAST, FOLDER, RUN_FILE) if is_new else ()
    for path in (output / name for name in old):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    output.mkdir(parents=True, exist_ok=True)
    remove_leftovers(output)
    remove_leftovers(output / FOLDER)


@dataclass
class RunFolder:
    """Writes the pipelines and checkpoints of a run, which has the resolved section
    [training]; of several ranks, only the first writes. The averages of the optimizer
    are saved in place of the weights."""

    path: Path
    nlp: Language
    optimizer: Optimizer
    training: Mapping[str, Any]
    keep_checkpoints: int
    ranks: Ranks

    def save(self, info: dict[str, Any]) -> Path:
        """Save the pipeline after an evaluation, whose results are in `info`."""
        with self.nlp.select_pipes(disable=self.training["frozen_components"]):
            update_meta(self.training, self.nlp, info)  # type: ignore[arg-type]
        path = self.path / DIR_MODEL_LAST
        if not self.ranks.is_first:
            return path
        self._save_last()
        if info["is_best"]:
            with replacing(path.with_name(DIR_MODEL_BEST)) as folder:
                shutil.copytree(path, folder)
        return path

    def end(self, progress: Progress, status: str) -> None:
        """Save the pipeline after the last step, and write how the run ended."""
        if not self.ranks.is_first:
            return
        try:
            if progress.step >= 0:
                self._save_last()
        except BaseException:
            status = FAILED
            raise
        finally:
            self.write_status(progress, status)

    def _save_last(self) -> None:
        path = self.path / DIR_MODEL_LAST
        convert = create_before_to_disk_callback(self.training["before_to_disk"])
        averages = self.optimizer.averages
        with (
            self.nlp.use_params(averages) if averages else nullcontext(),
            replacing(path) as folder,
        ):
            convert(self.nlp).to_disk(folder)

    def save_checkpoint(
        self, progress: Progress, stateful: Mapping[str, Stateful]
    ) -> None:
        """Write a checkpoint, unless there was no step yet."""
        if progress.step < 0:
            return
        for shim in iter_shims(self.nlp):
            if isinstance(shim, EncoderShim):
                # A resumed run has no cached vectors of frozen encoders, and in other
                # batches their last digits differ.
                shim.cache = None
        step, keep = progress.step, self.keep_checkpoints
        if self.ranks.is_first:
            write_checkpoint(self.path, step, self.nlp, stateful, keep)

    def write_status(self, progress: Progress, status: str) -> None:
        """Write run.json."""
        if not self.ranks.is_first:
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
