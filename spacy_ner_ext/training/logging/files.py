"""The files of a training run: log.jsonl, loss.tsv and weights.tsv."""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import torch
from spacy.language import Language

from ...util.files import replacing
from ...util.weights import as_tensor, iter_weights
from .row import Row

LOG, LOSSES, WEIGHTS = "log.jsonl", "loss.tsv", "weights.tsv"
# `largest` is the largest absolute value.
WEIGHT_COLUMNS = ("step", "parameter", "mean", "standard_deviation", "norm", "largest")


def run_folder(info: dict[str, Any]) -> Path | None:
    """Find the output folder of a run from the `info` that spaCy passes to a logger."""
    model = info.get("output_path")
    return None if model is None else Path(model).parent


class LineFile:
    """A text file to which complete lines are appended, flushed one by one; of an
    earlier process those stay that `keep` accepts."""

    def __init__(self, path: Path, keep: Callable[[str], bool]) -> None:
        self.path = path
        self._stream: IO[str] | None = None
        self.rewrite(line for line in whole_lines(path) if keep(line))

    def rewrite(self, lines: Iterable[str]) -> None:
        """Replace all lines atomically."""
        self.close()
        with (
            replacing(self.path) as temporary,
            temporary.open("w", encoding="utf8", newline="\n") as stream,
        ):
            stream.writelines(f"{line}\n" for line in lines)
        self._stream = self.path.open("a", encoding="utf8", newline="\n")

    def add(self, *lines: str) -> None:
        assert self._stream is not None
        self._stream.write("".join(f"{line}\n" for line in lines))
        self._stream.flush()

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()


class RunFiles:
    """log.jsonl, which has all values of each row, and loss.tsv, a table of the same.

    Of an earlier process only the rows of steps before `first_step` stay.
    """

    def __init__(self, folder: Path, first_step: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._log = LineFile(folder / LOG, lambda line: _step_of(line) < first_step)
        self._losses = LineFile(folder / LOSSES, lambda _: False)
        self._columns: list[str] = []

    def add(self, row: Row) -> None:
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
        self._log.close()
        self._losses.close()


def loss_cells(values: dict[str, Any]) -> dict[str, str]:
    """Convert a row of log.jsonl to the cells of loss.tsv, by column; losses become
    means per step."""
    numbers = {
        f"loss_{name}": None if loss is None else loss / max(1, values["steps"])
        for name, loss in values["losses"].items()
    }
    numbers["score"] = values["score"]
    scores = values["scores"].items()
    numbers |= {name: score for name, score in scores if not isinstance(score, dict)}
    numbers |= {f"rate_{name}": rate for name, rate in values["rates"].items()}
    if values["gradient_norm_max"] is not None:
        numbers["gradient_norm"] = values["gradient_norm"]
    texts = ("step", "epoch", "timestamp", "seconds")
    return {name: str(values[name]) for name in texts} | {
        name: "nan" if number is None else f"{number:.6g}"
        for name, number in numbers.items()
    }


def _step_of(line: str) -> float:
    """The step of a row of log.jsonl, infinite if the line is damaged."""
    try:
        return int(json.loads(line)["step"])
    except (ValueError, TypeError, KeyError):
        return float("inf")


def whole_lines(path: Path) -> list[str]:
    """Read the lines of a file that may not exist, without an incomplete last one."""
    if not path.exists():
        return []
    return path.read_bytes().decode("utf8", errors="replace").split("\n")[:-1]


class WeightFile:
    """weights.tsv: statistics of each weight array at each evaluation.

    Of an earlier process only the lines of steps before `first_step` stay.
    """

    def __init__(self, folder: Path, first_step: int) -> None:
        def keep(line: str) -> bool:
            step = line.partition("\t")[0]
            return line == header or (step.isdigit() and int(step) < first_step)

        header = "\t".join(WEIGHT_COLUMNS)
        self._file = LineFile(folder / WEIGHTS, keep)
        if not (folder / WEIGHTS).stat().st_size:
            self._file.add(header)

    def add(self, step: int, nlp: Language) -> None:
        """Add a line for each array, with the weights after `step`."""
        lines = (
            "\t".join([str(step), path, *(f"{number:.6g}" for number in found)])
            for path, found in weight_statistics(nlp)
        )
        self._file.add(*lines)

    def close(self) -> None:
        self._file.close()


def weight_statistics(nlp: Language) -> Iterator[tuple[str, tuple[float, ...]]]:
    """Compute the statistics of all weights of a pipeline, by their paths."""
    for weight in iter_weights(nlp):
        if all(weight.shape):
            tensor = as_tensor(weight.array).float()
            norm = torch.linalg.vector_norm(tensor)
            deviation, largest = tensor.std(correction=0), tensor.abs().max()
            statistics = (tensor.mean(), deviation, norm, largest)
            yield weight.path, tuple(torch.stack(statistics).tolist())
