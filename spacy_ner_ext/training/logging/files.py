"""The files that tell how a training went: log.jsonl, loss.tsv and weights.tsv."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from .row import Row

LOG, LOSSES, WEIGHTS = "log.jsonl", "loss.tsv", "weights.tsv"


def run_folder(info: dict[str, Any]) -> Path | None:
    """Find out where a training writes its models.

    info: What spaCy's loop passes to a logger.
    RETURNS: The folder; None if the training has none.
    """
    model = info.get("output_path")
    return None if model is None else Path(model).parent


class LineFile:
    """A text file to which whole lines are added, so that a process that is killed
    leaves whole lines.

    path: The file.
    keep: Which lines of an earlier process stay.
    """

    def __init__(self, path: Path, keep: Callable[[str], bool]) -> None:
        self.path = path
        self.rewrite(line for line in whole_lines(path) if keep(line))

    def rewrite(self, lines: Iterable[str]) -> None:
        """Replace all lines at once."""
        self.close()
        with replacing(self.path) as stream:
            stream.writelines(f"{line}\n".encode() for line in lines)
        self._stream = self.path.open("a", encoding="utf8", newline="\n")

    def add(self, *lines: str) -> None:
        """Add lines at the end."""
        self._stream.write("".join(f"{line}\n" for line in lines))
        self._stream.flush()

    def close(self) -> None:
        """Close the file."""
        if hasattr(self, "_stream"):
            self._stream.close()


class RunFiles:
    """log.jsonl, with all of each row, and loss.tsv, a table of the same.

    folder: Where they are written.
    first_step: The step with which this process began: rows of earlier steps stay, all
        others go.
    """

    def __init__(self, folder: Path, first_step: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._log = LineFile(folder / LOG, lambda line: _step_of(line) < first_step)
        self._losses = LineFile(folder / LOSSES, lambda _: False)
        self._columns: list[str] = []

    def add(self, row: Row) -> None:
        """Add a row to both files."""
        values = row.to_dict()
        self._log.add(json.dumps(values, ensure_ascii=False))
        cells = loss_cells(values)
        if set(cells) <= set(self._columns):
            self._losses.add(self._line(cells))
        else:
            self._rewrite_losses()

    def _rewrite_losses(self) -> None:
        """Write loss.tsv from log.jsonl, with the columns of all rows."""
        rows = [loss_cells(json.loads(line)) for line in whole_lines(self._log.path)]
        self._columns = list(dict.fromkeys(column for row in rows for column in row))
        self._losses.rewrite(["\t".join(self._columns), *map(self._line, rows)])

    def _line(self, cells: dict[str, str]) -> str:
        return "\t".join(cells.get(column, "") for column in self._columns)

    def close(self) -> None:
        """Close the files."""
        self._log.close()
        self._losses.close()


def loss_cells(values: dict[str, Any]) -> dict[str, str]:
    """Make the cells of loss.tsv.

    RETURNS: The cells by the names of their columns. Losses are means of a step;
        numbers that are not finite are "nan".
    """
    losses = {f"loss_{name}": loss for name, loss in values["losses"].items()}
    means = {
        name: None if loss is None else loss / max(1, values["steps"])
        for name, loss in losses.items()
    }
    scores = {k: v for k, v in values["scores"].items() if not isinstance(v, dict)}
    rates = {f"rate_{name}": rate for name, rate in values["rates"].items()}
    cells = {
        **{key: str(values[key]) for key in ("step", "epoch", "timestamp", "seconds")},
        **_format({**means, "score": values["score"], **scores, **rates}),
    }
    if values["gradient_norm_max"] is not None:
        cells |= _format({"gradient_norm": values["gradient_norm"]})
    return cells


def _format(numbers: dict[str, float | None]) -> dict[str, str]:
    return {
        key: "nan" if number is None else f"{number:.6g}"
        for key, number in numbers.items()
    }


def _step_of(line: str) -> float:
    """The step of a row; that of a line that is none comes after all others."""
    try:
        return int(json.loads(line)["step"])
    except (ValueError, TypeError, KeyError):
        return float("inf")


def whole_lines(path: Path) -> Iterator[str]:
    """Read the lines of a file; without the last if it was not written to its end.

    path: The file; one that does not exist has no lines.
    """
    if not path.exists():
        return
    with path.open(encoding="utf8", errors="replace", newline="\n") as stream:
        for line in stream:
            if line.endswith("\n"):
                yield line[:-1]


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Write a file whole or not at all.

    YIELDS: What is written to takes its place at the end.
    """
    half = path.with_name(f"{path.name}.writing")
    try:
        with half.open("wb") as stream:
            yield stream
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)
