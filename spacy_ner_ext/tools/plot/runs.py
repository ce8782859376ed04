"""Read the log files of training runs."""

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...training.logging.files import LOG, WEIGHT_COLUMNS, WEIGHTS, whole_lines
from ...util.errors import UserError

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Run:
    """A training run, with the numbers of all rows by column, such as "step" and
    "losses.crf_ner"; NaN where a row lacks one."""

    name: str
    folder: Path
    columns: dict[str, Numbers]

    def column(self, name: str) -> Numbers:
        """A column; all NaN if the run lacks it."""
        missing = np.full(len(self.columns["step"]), math.nan)
        return self.columns.get(name, missing)

    @property
    def best(self) -> int | None:
        """The first row with the best score."""
        scores = self.column("score")
        return None if np.isnan(scores).all() else int(np.nanargmax(scores))


def read_runs(folders: Sequence[Path]) -> list[Run]:
    """Read training runs, each folder once, and give them distinct names."""
    unique = list(dict.fromkeys(folder.resolve() for folder in folders))
    start = os.path.commonpath([folder.parent for folder in unique])
    return [Run(str(f.relative_to(start)), f, _read_log(f)) for f in unique]


def _read_log(folder: Path) -> dict[str, Numbers]:
    path = folder / LOG
    if not path.is_file():
        what = f"has no {LOG}" if folder.is_dir() else "is not a folder"
        raise UserError(
            f"{folder} {what}: give the output folder of a training run whose logger "
            "is spacy_ner_ext.Logger.v1"
        )
    rows = [_read_row(line, path, n) for n, line in enumerate(whole_lines(path), 1)]
    if not rows:
        raise UserError(f"{path} is empty: wait for the first evaluation")
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: np.array([row.get(name, math.nan) for row in rows]) for name in names}


def _read_row(line: str, path: Path, number: int) -> dict[str, float]:
    try:
        row = json.loads(line)
        numbers = {"step": float(row["step"]), **_numbers(row)}
        for group in ("scores", "losses", "rates"):
            numbers |= _numbers(row.get(group, {}), f"{group}.")
        return numbers
    except (ValueError, TypeError, KeyError, AttributeError) as err:
        what = f"is not a row of a training log ({line[:60]!r}); remove the line"
        raise UserError(f"{what}, or train again", path, number) from err


def _numbers(values: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    return {
        f"{prefix}{key}": math.nan if value is None else float(value)
        for key, value in values.items()
        if value is None or isinstance(value, (int, float))
    }


def read_weights(folder: Path) -> dict[str, dict[str, Numbers]]:
    """Read the weight statistics of a run, if it logged them: by the path of an array,
    its "step" and statistics."""
    path = folder / WEIGHTS
    found: dict[str, list[list[float]]] = {}
    for number, line in enumerate(whole_lines(path), 1):
        cells = line.split("\t")
        if number == 1 and cells == list(WEIGHT_COLUMNS):
            continue
        try:
            step, name, mean, deviation, norm, largest = cells
            numbers = [*map(float, (step, mean, deviation, norm, largest))]
        except ValueError as err:
            what = f"must have the columns {', '.join(WEIGHT_COLUMNS)} ({line[:60]!r})"
            raise UserError(f"{what}; remove the line", path, number) from err
        found.setdefault(name, []).append(numbers)
    columns = [column for column in WEIGHT_COLUMNS if column != "parameter"]
    return {
        name: dict(zip(columns, np.array(rows).T, strict=True))
        for name, rows in found.items()
    }
