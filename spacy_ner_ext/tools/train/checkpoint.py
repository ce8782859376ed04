"""Checkpoints: all that a run needs to go on as if it had never stopped."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.numpy
from spacy.language import Language
from thinc.api import Config, Optimizer

from ...training.optimizer_state import restore_optimizer, save_optimizer
from ...util.errors import UserError
from .batches import Position
from .progress import Progress
from .random_state import State
from .settings import SECTION
from .transient_state import collect_unsaved, empty, restore_unsaved

FOLDER = "checkpoints"
COMPONENTS = "components"
STATE = "state.json"
NAME = re.compile(r"step-(\d{8,})\Z")
# What may change when a run goes on: how long it takes, and where files are.
FREE_SECTIONS = ("paths", SECTION)
FREE_SETTINGS = {
    *("max_steps", "max_epochs", "patience", "eval_frequency", "logger"),
    *("gpu_allocator", "before_to_disk"),
}


@dataclass(frozen=True)
class Checkpoint:
    """What is saved beside weights and optimizer.

    progress: How far training is.
    position: Where the data goes on.
    random: The random numbers of all but the data.
    config: The config, not interpolated.
    """

    progress: Progress
    position: Position
    random: State
    config: str


def find_checkpoints(output: Path) -> list[Path]:
    """Find the checkpoints of a run.

    output: The folder of the run.
    RETURNS: The whole ones, the oldest first.
    """
    folder = output / FOLDER
    found = folder.iterdir() if folder.is_dir() else ()
    numbered = [
        (int(match[1]), path) for path in found if (match := NAME.match(path.name))
    ]
    return [path for _, path in sorted(numbered)]


def write_checkpoint(
    output: Path,
    nlp: Language,
    optimizer: Optimizer,
    checkpoint: Checkpoint,
    keep: int,
) -> Path:
    """Write a checkpoint, which is there as a whole or not at all, and remove old ones.

    output: The folder of the run.
    """
    path = output / FOLDER / f"step-{checkpoint.progress.step:08}"
    if path.exists():
        return path
    half = path.with_name(f"{path.name}.writing")
    shutil.rmtree(half, ignore_errors=True)
    (half / COMPONENTS).mkdir(parents=True)
    for name, component in nlp.pipeline:
        if hasattr(component, "to_disk"):
            component.to_disk(half / COMPONENTS / name, exclude=["vocab"])
    arrays, facts = save_optimizer(optimizer, nlp)
    safetensors.numpy.save_file(arrays, half / "optimizer.safetensors")
    state = {
        "progress": checkpoint.progress.to_json(),
        "position": checkpoint.position.to_json(),
        "random": checkpoint.random,
        "optimizer": facts,
        "performance": nlp.meta.get("performance", {}),
        "unsaved": collect_unsaved(nlp),
    }
    # srsly rounds numbers.
    text = json.dumps(state, default=to_plain)
    (half / STATE).write_text(text, encoding="utf8")
    (half / "config.cfg").write_text(checkpoint.config, encoding="utf8")
    half.rename(path)
    for old in find_checkpoints(output)[:-keep]:
        shutil.rmtree(old)
    return path


def to_plain(value: Any) -> Any:
    """What JSON has for a score that it lacks, such as numbers of NumPy."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


def replace(new: Path, path: Path) -> None:
    """Put a folder in the place of another, which then is gone."""
    old = path.with_name(f"{path.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if path.exists():
        path.rename(old)
    new.rename(path)
    shutil.rmtree(old, ignore_errors=True)


def read_checkpoint(output: Path) -> tuple[Path, Checkpoint]:
    """Read the last checkpoint of a run, without weights and optimizer.

    output: The folder of the run.
    RETURNS: The checkpoint's folder, and what it says.
    RAISES (UserError): If there is none, or it cannot be read.
    """
    found = find_checkpoints(output)
    if not found:
        raise UserError(
            f"{output} has no checkpoint to go on from: train with --checkpoint-every "
            "first, or leave out --resume."
        )
    path = found[-1]
    try:
        state = json.loads((path / STATE).read_text(encoding="utf8"))
        return path, Checkpoint(
            Progress.from_json(state["progress"]),
            Position(**state["position"]),
            state["random"],
            (path / "config.cfg").read_text(encoding="utf8"),
        )
    except (OSError, ValueError, KeyError, TypeError) as err:
        raise UserError(
            f"The checkpoint {path} cannot be read ({err}): remove it to go on from "
            "the one before."
        ) from err


def restore_weights(path: Path, nlp: Language, optimizer: Optimizer) -> None:
    """Give a pipeline and its optimizer the state of a checkpoint, and the pipeline the
    scores of its last evaluation.

    nlp: The pipeline, initialized with the config of the run.
    optimizer: The optimizer, as it is made.
    RAISES (UserError): If the checkpoint does not fit.
    """
    try:
        for name, component in nlp.pipeline:
            empty(component, nlp)
            if hasattr(component, "from_disk"):
                component.from_disk(path / COMPONENTS / name, exclude=["vocab"])
        arrays = safetensors.numpy.load_file(path / "optimizer.safetensors")
        state = json.loads((path / STATE).read_text(encoding="utf8"))
        restore_optimizer(optimizer, nlp, arrays, state["optimizer"])
        nlp.meta["performance"] = state.get("performance", {})
        restore_unsaved(nlp, state["unsaved"])
    except (OSError, ValueError, KeyError, safetensors.SafetensorError) as err:
        raise UserError(
            f"The checkpoint {path} does not fit the config ({err}): give the config "
            "that the run began with."
        ) from err


def check_config(before: str, now: Config) -> None:
    """Check that a run goes on with what it began with.

    before: The config of the checkpoint.
    RAISES (UserError): If a setting differs that cannot change.
    """
    # Both as text, which rounds numbers.
    texts = (before, now.to_str(interpolate=False))
    old, new = (flatten(Config().from_str(t, interpolate=False)) for t in texts)
    for name in sorted(old.keys() | new.keys()):
        section, _, setting = name.partition(".")
        first = setting.partition(".")[0]
        if section in FREE_SECTIONS or (
            section in ("training", "system") and first in FREE_SETTINGS
        ):
            continue
        if old.get(name) != new.get(name):
            raise UserError(
                f"The run began with {name} = {old.get(name)!r}, now it is "
                f"{new.get(name)!r}: set it back, or train anew with --overwrite."
            )


def find_lost_paths(before: str, now: Config) -> dict[str, str]:
    """Find the paths that a run began with and that it has no more.

    before: The config of the checkpoint.
    RETURNS: What they were, by their full names.
    """
    old = Config().from_str(before, interpolate=False).get("paths", {})
    new = now.get("paths", {})
    return {
        f"paths.{name}": str(path)
        for name, path in old.items()
        if path is not None and new.get(name) is None
    }


def flatten(config: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """The settings of a config by their full names.

    config: The config or a part of it.
    before: The name of the part.
    """
    found: dict[str, Any] = {}
    for key, value in config.items():
        name = f"{before}.{key}" if before else key
        if isinstance(value, Mapping) and value:
            found.update(flatten(value, name))
        else:
            found[name] = value
    return found
