"""Checkpoints: the state of a run, from which another process continues bit for bit."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy
import safetensors.numpy
from spacy.language import Language
from spacy.pipeline._edit_tree_internals.edit_trees import EditTrees
from spacy.pipeline.edit_tree_lemmatizer import EditTreeLemmatizer
from spacy.util import dict_to_dot
from thinc.api import Config

from ...util.errors import UserError, one_line
from ...util.files import replacing
from .ranks import Ranks
from .settings import SECTION

FOLDER, COMPONENTS = "checkpoints", "components"
STATE, ARRAYS, CONFIG = "state.json", "state.safetensors", "config.cfg"
# Changes whenever older checkpoints can no longer be read.
LAYOUT = 2
# Stands for an array in STATE, with its name in ARRAYS.
ARRAY = "array"
# The parser's actions that have not been in an example yet.
UNSEEN = "unseen_classes"
# The states of ranks after the first.
OTHERS = "others"
# May change when a run is resumed: how long it takes, and where files are.
FREE_SECTIONS = ("paths", SECTION)
FREE_SETTINGS = {
    *("max_steps", "max_epochs", "patience", "eval_frequency", "logger"),
    *("gpu_allocator", "before_to_disk"),
}


class Stateful(Protocol):
    """An object that a checkpoint saves: `restore` continues from what `state`
    returned, a tree of dictionaries of JSON values and numpy arrays."""

    def state(self) -> dict[str, Any]: ...

    def restore(self, state: dict[str, Any]) -> None: ...


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint without the weights and arrays: the states of all objects by name,
    and the config of the run, not interpolated."""

    path: Path
    state: dict[str, Any]
    config: str


def find_checkpoints(output: Path) -> list[Path]:
    """Find the complete checkpoints in the folder of a run, oldest first."""
    found = [p for p in (output / FOLDER).glob("step-*") if p.name[5:].isdigit()]
    return sorted(found, key=lambda path: int(path.name[5:]))


def write_checkpoint(
    output: Path, step: int, nlp: Language, stateful: Mapping[str, Stateful], keep: int
) -> None:
    """Write a checkpoint atomically, and remove all but the last ones."""
    path = output / FOLDER / f"step-{step:08}"
    if path.exists():
        return
    arrays: dict[str, numpy.ndarray] = {}
    with replacing(path) as folder:
        (folder / COMPONENTS).mkdir(parents=True)
        for name, component in nlp.pipeline:
            if hasattr(component, "to_disk"):
                component.to_disk(folder / COMPONENTS / name, exclude=["vocab"])
        states = {name: each.state() for name, each in stateful.items()}
        state = {"layout": LAYOUT, **_take_arrays(states, arrays)}
        safetensors.numpy.save_file(arrays, folder / ARRAYS)
        # srsly rounds numbers.
        text = json.dumps(state, default=to_plain)
        (folder / STATE).write_text(text, encoding="utf8")
        config = nlp.config.to_str(interpolate=False)
        (folder / CONFIG).write_text(config, encoding="utf8")
    for old in find_checkpoints(output)[:-keep]:
        shutil.rmtree(old)


def read_checkpoint(output: Path) -> Checkpoint:
    """Read the last checkpoint in the folder of a run."""
    found = find_checkpoints(output)
    if not found:
        raise UserError(
            f"{output} has no checkpoint to resume from: train with --checkpoint-every "
            "first, or leave out --resume."
        )
    path = found[-1]
    try:
        state = json.loads((path / STATE).read_text(encoding="utf8"))
        layout = state.pop("layout", 1)
        config = (path / CONFIG).read_text(encoding="utf8")
    except (OSError, ValueError, AttributeError) as err:
        raise UserError(
            f"The checkpoint {path} cannot be read ({one_line(err)}): remove it to "
            "resume from the one before."
        ) from err
    if layout != LAYOUT:
        raise UserError(
            f"The checkpoint {path} was written by another version of spacy_ner_ext "
            f"(layout {layout}, not {LAYOUT}): resume the run with that version, or "
            "train again from the start with --overwrite."
        )
    return Checkpoint(path, state, config)


def restore_checkpoint(
    checkpoint: Checkpoint, nlp: Language, stateful: Mapping[str, Stateful]
) -> None:
    """Restore the weights of a pipeline, initialized with the config of the run, and
    the state of all objects, in their order."""
    path = checkpoint.path
    try:
        for name, component in nlp.pipeline:
            if isinstance(component, EditTreeLemmatizer):
                # `from_disk` would only add to its trees.
                component.trees = EditTrees(nlp.vocab.strings)
            if hasattr(component, "from_disk"):
                component.from_disk(path / COMPONENTS / name, exclude=["vocab"])
        arrays = safetensors.numpy.load_file(path / ARRAYS)
        states = _put_arrays(checkpoint.state, arrays)
        for name, each in stateful.items():
            each.restore(states[name])
    except (OSError, ValueError, KeyError, safetensors.SafetensorError) as err:
        raise UserError(
            f"The checkpoint {path} does not fit the config ({one_line(err)}): use the "
            "config that the run started with."
        ) from err


def _take_arrays(value: Any, arrays: dict[str, numpy.ndarray], place: str = "") -> Any:
    """A state with names in place of arrays, which are added to `arrays`."""
    if isinstance(value, numpy.ndarray):
        arrays[place] = value
        return {ARRAY: place}
    if isinstance(value, dict):
        places = {key: f"{place}/{key}" if place else key for key in value}
        return {k: _take_arrays(v, arrays, places[k]) for k, v in value.items()}
    return value


def _put_arrays(value: Any, arrays: dict[str, numpy.ndarray]) -> Any:
    if isinstance(value, dict):
        if value.keys() == {ARRAY} and isinstance(value[ARRAY], str):
            return arrays[value[ARRAY]]
        return {key: _put_arrays(each, arrays) for key, each in value.items()}
    return value


def to_plain(value: Any) -> Any:
    """Convert a value that JSON lacks, such as a number of NumPy."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


class PipelineState:
    """What a pipeline keeps in training and does not save: the actions that parsers
    have not seen in an example yet, and the scores of the last evaluation."""

    def __init__(self, nlp: Language) -> None:
        self.nlp = nlp

    def state(self) -> dict[str, Any]:
        unseen = {name: sorted(attrs[UNSEEN]) for name, attrs in self._parsers()}
        performance = self.nlp.meta.get("performance", {})
        return {"unseen": unseen, "performance": performance}

    def restore(self, state: dict[str, Any]) -> None:
        for name, attrs in self._parsers():
            attrs[UNSEEN] = set(state["unseen"].get(name, attrs[UNSEEN]))
        self.nlp.meta["performance"] = state["performance"]

    def _parsers(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for name, component in self.nlp.pipeline:
            attrs = getattr(getattr(component, "model", None), "attrs", {})
            if UNSEEN in attrs:
                yield name, attrs


class OfEachRank:
    """What differs between the ranks of a run. `collect` gathers it for a checkpoint;
    ranks that the checkpoint lacks continue from the state of the first."""

    def __init__(self, ranks: Ranks, own: Stateful) -> None:
        self.ranks, self.own = ranks, own
        self._states: list[dict[str, Any]] = []

    def collect(self) -> None:
        self._states = self.ranks.gather(self.own.state())

    def state(self) -> dict[str, Any]:
        first, *others = self._states
        return {**first, OTHERS: others} if others else first

    def restore(self, state: dict[str, Any]) -> None:
        states = [state, *state.get(OTHERS, ())]
        rank = self.ranks.rank
        self.own.restore(states[rank if rank < len(states) else 0])


def n_ranks(checkpoint: Checkpoint) -> int:
    """The number of processes that wrote a checkpoint."""
    return 1 + len(checkpoint.state["random"].get(OTHERS, ()))


def check_config(before: str, now: Config) -> None:
    """Raise UserError if a setting differs from the config that the run started with,
    except for those that can change."""
    # Both as text, which rounds numbers.
    texts = (before, now.to_str(interpolate=False))
    old, new = (dict_to_dot(Config().from_str(t, interpolate=False)) for t in texts)
    for name in sorted(old.keys() | new.keys()):
        section, setting, *_ = name.split(".")
        if section in FREE_SECTIONS or (
            section in ("training", "system") and setting in FREE_SETTINGS
        ):
            continue
        if old.get(name) != new.get(name):
            raise UserError(
                f"The run started with {name} = {old.get(name)!r}, now it is "
                f"{new.get(name)!r}: set it back, or train again from the start with "
                "--overwrite."
            )
