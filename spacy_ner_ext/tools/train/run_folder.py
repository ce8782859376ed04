"""The folder of a run: its pipelines, and what is known of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.training.loop import DIR_MODEL_BEST, DIR_MODEL_LAST

from ...training.logging.row import plain
from ...util.errors import UserError
from .checkpoint import FOLDER, find_checkpoints, replace, to_plain
from .progress import Progress

RUN_FILE = "run.json"
RUNNING, STOPPED, FINISHED, FAILED = "running", "stopped", "finished", "failed"


def check_output(output: Path, overwrite: bool) -> None:
    """Check that a new run may have a folder.

    overwrite: Whether the checkpoints of an older run may go.
    RAISES (UserError): If there are some that may not, or it is a file, or has one in
        the place of a folder.
    """
    for path in (*reversed(output.parents), output, output / FOLDER):
        if path.exists() and not path.is_dir():
            what = "The output" if path == output else f"The output {output}:"
            raise UserError(f"{what} {path} is a file: name a folder.")
    if (found := find_checkpoints(output)) and not overwrite:
        raise UserError(
            f"{output} has a run with checkpoints ({found[-1].name}): go on with it by "
            "--resume, or begin anew with --overwrite."
        )


def prepare_output(output: Path) -> None:
    """Make the folder of a new run, without the pipelines of an older one, as spaCy
    does.
    """
    for name in (DIR_MODEL_BEST, DIR_MODEL_LAST, FOLDER):
        # Not all that begins like these: others may be copies that someone keeps.
        for path in (output / f"{name}{end}" for end in ("", ".old", ".writing")):
            if path.is_symlink():
                path.unlink()
            elif path.is_dir():
                shutil.rmtree(path)
    (output / RUN_FILE).unlink(missing_ok=True)
    output.mkdir(parents=True, exist_ok=True)


def clean_output(output: Path) -> None:
    """Remove what a run that was killed has left half-written.

    output: The folder of the run.
    """
    for name in (DIR_MODEL_BEST, DIR_MODEL_LAST):
        old = output / f"{name}.old"
        if old.exists() and not (output / name).exists():
            old.rename(output / name)
    left = [*output.glob("model-*.old"), *output.glob("model-*.writing")]
    for path in (*left, *(output / FOLDER).glob("*.writing")):
        shutil.rmtree(path)


def save_last(
    output: Path, nlp: Language, before_to_disk: Callable[[Language], Language]
) -> Path:
    """Save a pipeline as the last one.

    output: The folder of the run.
    """
    path = output / DIR_MODEL_LAST
    half = path.with_name(f"{path.name}.writing")
    shutil.rmtree(half, ignore_errors=True)
    before_to_disk(nlp).to_disk(half)
    replace(half, path)
    return path


def keep_as_best(output: Path) -> Path:
    """Make the last pipeline the best one, too.

    output: The folder of the run.
    """
    path = output / DIR_MODEL_BEST
    half = path.with_name(f"{path.name}.writing")
    shutil.rmtree(half, ignore_errors=True)
    shutil.copytree(output / DIR_MODEL_LAST, half)
    replace(half, path)
    return path


def write_run(
    output: Path, progress: Progress, status: str, config: dict[str, Any]
) -> None:
    """Write what is known of a run.

    status: "running", "stopped", "finished" or "failed".
    """
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
        "config": config,
    }
    half = output / f"{RUN_FILE}.writing"
    text = json.dumps(plain(facts), indent=2, default=to_plain)
    half.write_text(text, encoding="utf8")
    half.replace(output / RUN_FILE)
