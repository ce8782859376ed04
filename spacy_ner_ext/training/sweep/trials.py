"""Trials, and the file that remembers those that have ended."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ...errors import UserError
from ..watch.files import replacing
from .space import Settings, write_value

FILE = "trials.jsonl"
FINISHED, FAILED = "finished", "failed"


@dataclass(frozen=True)
class Trial:
    """A run of the training that has ended.

    number (int): Its number, from 1 on.
    settings (Dict[str, Any]): The settings that were tried, by full names.
    seed (Optional[int]): The seed, if several are tried.
    status (str): "finished" or "failed".
    score (Optional[float]): The score; None if it failed.
    step (Optional[int]): The step of the best evaluation.
    seconds (float): How long the training took.
    scores (Dict[str, Any]): All scores of that evaluation.
    error (str): Why it failed.
    """

    number: int
    settings: Settings
    seed: int | None
    status: str
    score: float | None = None
    step: int | None = None
    seconds: float = 0.0
    scores: dict[str, Any] = field(default_factory=dict)
    error: str = ""

    @property
    def folder(self) -> str:
        """RETURNS (str): The name of its folder."""
        return folder_name(self.number)


def folder_name(number: int) -> str:
    """RETURNS (str): The name of the folder of a trial."""
    return f"trial-{number:03}"


def describe(settings: Settings, seed: int | None) -> str:
    """Name the settings of a trial in one line.

    settings (Dict[str, Any]): The settings.
    seed (Optional[int]): The seed, if several are tried.
    RETURNS (str): Such as "training.dropout=0.1 seed 2".
    """
    parts = [f"{name}={write_value(value)}" for name, value in settings.items()]
    return " ".join([*parts, *([] if seed is None else [f"seed {seed}"])])


class Record:
    """The trials of a sweep that have ended.

    folder (Path): The folder of the sweep.
    RAISES (UserError): If its file cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self.trials = {trial.number: trial for trial in self._read()}

    def _read(self) -> Sequence[Trial]:
        if not self.path.is_file():
            return []
        lines = self.path.read_text(encoding="utf8").splitlines()
        try:
            return [Trial(**json.loads(line)) for line in lines]
        except (ValueError, TypeError) as err:
            raise UserError(
                f"{self.path} cannot be read ({err}): remove the line, and its trial "
                "is run again."
            ) from err

    def add(self, trial: Trial) -> None:
        """Remember a trial.

        trial (Trial): The trial.
        """
        self.trials[trial.number] = trial
        lines = [json.dumps(asdict(each)) for each in self.trials.values()]
        with replacing(self.path) as stream:
            stream.writelines(f"{line}\n".encode() for line in lines)
