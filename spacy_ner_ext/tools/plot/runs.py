"""Trainings, read from the files that the logger wrote."""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...training.logging.files import LOG, WEIGHTS, whole_lines
from ...training.logging.weights import COLUMNS as WEIGHT_COLUMNS
from ...training.logging.weights import Statistics
from ...util.errors import UserError

Numbers = NDArray[np.float64]
NAN = math.nan
GROUPS = ("losses", "scores", "rates")


@dataclass(frozen=True)
class Weights:
    """Statistics of an array of weights over a training.

    path: Where it is in the pipeline.
    steps: The steps of the evaluations.
    statistics: What it was like then, by the name of the statistic.
    """

    path: str
    steps: Numbers
    statistics: dict[str, Numbers]


@dataclass(frozen=True)
class Run:
    """A training.

    name: What it is called in plots.
    folder: Where its files are.
    columns: All numbers of its rows, such as "step" and "losses.crf_ner", NaN where a
        row has none.
    """

    name: str
    folder: Path
    columns: dict[str, Numbers]

    def column(self, name: str) -> Numbers:
        """A column, all NaN if there is none of that name."""
        missing = np.full(len(self.columns["step"]), NAN)
        return self.columns.get(name, missing)

    def names(self, group: str) -> list[str]:
        """The names in "losses", "scores" or "rates"."""
        start = f"{group}."
        return [name[len(start) :] for name in self.columns if name.startswith(start)]

    @property
    def best(self) -> int | None:
        """The row of the best score, the first of several."""
        scores = self.column("score")
        return None if np.isnan(scores).all() else int(np.nanargmax(scores))


def read_runs(folders: Sequence[Path]) -> list[Run]:
    """Read trainings.

    folders: The folders of their files.
    RETURNS: The trainings, with names that differ.
    RAISES (UserError): If a folder has no log, or that cannot be read.
    """
    unique = list({folder.resolve(): folder for folder in folders}.values())
    names = name_folders([folder.resolve() for folder in unique])
    return [Run(name, folder, _read_log(folder)) for name, folder in zip(names, unique)]


def name_folders(folders: Sequence[Path]) -> list[str]:
    """Name folders by the ends of their paths, as short as keeps them distinct."""
    names = []
    for folder in folders:
        length = 1
        others = [other for other in folders if other != folder]
        while any(o.parts[-length:] == folder.parts[-length:] for o in others):
            length += 1
        names.append("/".join(folder.parts[-length:]))
    return names


def _read_log(folder: Path) -> dict[str, Numbers]:
    path = folder / LOG
    if not path.is_file():
        what = f"has no {LOG}" if folder.is_dir() else "is no folder"
        raise UserError(
            f"{folder} {what}: give the output folder of a training whose logger is "
            "spacy_ner_ext.Logger.v1"
        )
    columns: dict[str, array[float]] = {}
    n_rows = 0
    for number, line in enumerate(whole_lines(path), 1):
        for name, value in _read_row(line, path, number):
            if name not in columns:
                columns[name] = array("d", [NAN]) * n_rows
            columns[name].append(value)
        n_rows += 1
        for column in columns.values():
            if len(column) < n_rows:
                column.append(NAN)
    if not n_rows:
        raise UserError(f"{path} is empty: wait for the first evaluation")
    return {name: np.array(column) for name, column in columns.items()}


def _read_row(line: str, path: Path, number: int) -> Iterator[tuple[str, float]]:
    try:
        row = json.loads(line)
        yield "step", float(row.pop("step"))
        for name, value in row.items():
            if name in GROUPS:
                inner = _numbers(value)
                yield from ((f"{name}.{key}", each) for key, each in inner)
        yield from _numbers(row)
    except (ValueError, TypeError, KeyError, AttributeError) as err:
        raise UserError(
            f"{path}, line {number}: is no row of a training ({line[:60]!r}); remove "
            "the line, or train again"
        ) from err


def _numbers(values: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for key, value in values.items():
        if value is None:
            yield key, NAN
        elif isinstance(value, (int, float)):
            yield key, float(value)


def read_weights(folder: Path) -> list[Weights]:
    """Read statistics of weights.

    folder: The folder of a training.
    RETURNS: The arrays; none if the training did not log them.
    RAISES (UserError): If the file cannot be read.
    """
    path = folder / WEIGHTS
    found: dict[str, list[list[float]]] = {}
    for number, line in enumerate(whole_lines(path), 1):
        cells = line.split("\t")
        if number == 1 and cells == list(WEIGHT_COLUMNS):
            continue
        try:
            step, name, *statistics = cells
            numbers = [float(cell) for cell in (step, *statistics)]
            if len(cells) != len(WEIGHT_COLUMNS):
                raise ValueError(f"{len(cells)} columns")
        except ValueError as err:
            raise UserError(
                f"{path}, line {number}: must have the columns "
                f"{', '.join(WEIGHT_COLUMNS)} ({line[:60]!r}); remove the line"
            ) from err
        found.setdefault(name, []).append(numbers)
    return [_to_weights(name, np.array(rows)) for name, rows in found.items()]


def _to_weights(name: str, rows: Numbers) -> Weights:
    statistics = dict(zip(Statistics._fields, rows[:, 1:].T))
    return Weights(name, rows[:, 0], statistics)
