"""One trial: `python -m spacy_ner_ext train` in a process of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from spacy.training.loop import DIR_MODEL_BEST, DIR_MODEL_LAST

from ...errors import UserError
from ..loop.checkpoint import FOLDER, find_checkpoints
from ..loop.output import FINISHED as RUN_FINISHED
from ..loop.output import RUN_FILE
from .space import Settings, write_value
from .trials import FAILED, FINISHED, Trial, folder_name

LOG = "output.log"
MAX_ERROR = 500
Keep = Literal["best", "all", "none"]


@dataclass(frozen=True)
class TrainCommand:
    """How trials are run.

    config (Path): The config.
    folder (Path): The folder of the sweep.
    options (Sequence[str]): Options of the command `train`.
    metric (Optional[str]): The score to compare; None for that of the training.
    keep (str): Which pipelines stay: the "best" of each trial, "all", with
        checkpoints, or "none".
    """

    config: Path
    folder: Path
    options: Sequence[str] = ()
    metric: str | None = None
    keep: Keep = "best"

    def __call__(
        self, number: int, settings: Settings, seed: int | None, overrides: Settings
    ) -> Trial:
        """Run a trial, or what is left of it.

        number (int): Its number.
        settings (Dict[str, Any]): The settings that are tried.
        seed (Optional[int]): The seed, if several are tried.
        overrides (Dict[str, Any]): All settings that differ from the config.
        RETURNS (Trial): The trial, ended.
        RAISES (UserError): If the training gives no such score.
        """
        output = self.folder / folder_name(number)
        code = 0
        if _read_run(output).get("status") != RUN_FINISHED:
            code = self._run(output, overrides)
        run = _read_run(output)
        if code or run.get("status") != RUN_FINISHED:
            trial = Trial(
                number, settings, seed, FAILED, error=_find_error(output, code)
            )
        else:
            trial = Trial(
                *(number, settings, seed, FINISHED, self._score(run)),
                *(run["best_step"], run["seconds"], run["scores"]),
            )
        self._clean(output)
        return trial

    def _run(self, output: Path, overrides: Settings) -> int:
        output.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "spacy_ner_ext", "train", str(self.config)]
        command += ["--output", str(output), *self.options]
        if find_checkpoints(output):
            command.append("--resume")
        command += [f"--{k}={write_value(value)}" for k, value in overrides.items()]
        with (output / LOG).open("ab") as log:
            return _wait(command, log)

    def _score(self, run: dict[str, Any]) -> float:
        if self.metric is None:
            return float(run["best_score"])
        scores = run["scores"]
        numbers = sorted(k for k, value in scores.items() if _is_number(value))
        if self.metric not in scores:
            raise UserError(
                f"the training gives no score {self.metric}; choose --metric among "
                f"{', '.join(numbers)}"
            )
        # As in training, None is the score where there is nothing to find.
        return float(scores[self.metric] or 0.0)

    def _clean(self, output: Path) -> None:
        unwanted = {"all": (), "best": (DIR_MODEL_LAST, FOLDER)}.get(
            self.keep, (DIR_MODEL_BEST, DIR_MODEL_LAST, FOLDER)
        )
        for name in unwanted:
            shutil.rmtree(output / name, ignore_errors=True)


def _wait(command: Sequence[str], log: Any) -> int:
    # In a process group of its own: Ctrl-C reaches it through us alone, and once.
    with subprocess.Popen(
        command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
    ) as process:
        try:
            return process.wait()
        finally:
            # If we are asked to end it saves a checkpoint first.
            process.terminate()


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _read_run(output: Path) -> dict[str, Any]:
    file = output / RUN_FILE
    return json.loads(file.read_text(encoding="utf8")) if file.is_file() else {}


def _find_error(output: Path, code: int) -> str:
    """The line that says why a run failed, or the last one that it wrote."""
    text = (output / LOG).read_text(encoding="utf8", errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("Error: ")]
    if code < 0:
        return f"ended by signal {-code}"
    line = (errors or lines or [f"exit code {code}"])[-1]
    return line.removeprefix("Error: ")[:MAX_ERROR]
