"""The table of a training in the console."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Literal

from spacy.language import Language
from spacy.training.loggers import setup_table
from wasabi import row as format_row

from .row import Row

SPACING = 2
MISSING = "-"


class Table:
    """spaCy's table of a training, and speed, learning rates, norms of gradients, and
    the time that is left.

    The columns are those of the first row, since only then the optimizer is known.

    nlp: The pipeline, with the config of its training.
    write: Prints a line.
    """

    def __init__(self, nlp: Language, write: Callable[[str], object]) -> None:
        self._write = write
        self._components = [
            name
            for name, component in nlp.pipeline
            if getattr(component, "is_trainable", False)
        ]
        weights = nlp.config["training"]["score_weights"]
        self._scores = [name for name, weight in weights.items() if weight is not None]
        self._widths: list[int] = []

    def add(self, row: Row) -> None:
        """Print a row, below a header if it is the first."""
        cells = self._cells(row)
        if not self._widths:
            header, self._widths, _ = setup_table(
                cols=[column for column, _, _ in cells],
                widths=[width for _, width, _ in cells],
            )
            self._print(header, "l")
            self._print(["-" * width for width in self._widths], "l")
        self._print([cell for _, _, cell in cells], "r")

    def _print(self, cells: list[str], align: Literal["l", "r"]) -> None:
        aligns = [align for _ in cells]
        self._write(format_row(cells, self._widths, spacing=SPACING, aligns=aligns))

    def _cells(self, row: Row) -> list[tuple[str, int, str]]:
        """The name, the width and the content of each column."""
        losses = [
            (f"Loss {name}", 8, _number(row.losses.get(name)))
            for name in self._components
        ]
        rates = [
            ("Rate" if len(row.rates) == 1 else f"Rate {name}", 8, f"{rate:.2e}")
            for name, rate in row.rates.items()
        ]
        norms = []
        if row.gradient_norm_max is not None:
            norms = [("Grad norm", 9, _number(row.gradient_norm))]
        return [
            ("E", 3, str(row.epoch)),
            ("#", 6, str(row.step)),
            *losses,
            *((name, 6, self._percent(row, name)) for name in self._scores),
            ("Score", 6, _number(row.score)),
            ("Words/s", 7, _number(row.words_per_second, 0)),
            *rates,
            *norms,
            ("Left", 8, format_duration(row.remaining_seconds)),
        ]

    def _percent(self, row: Row, name: str) -> str:
        return _number(row.scores.get(name, 0.0) * (1 if name == "speed" else 100))


def _number(value: float | None, digits: int = 2) -> str:
    return MISSING if value is None else f"{value:.{digits}f}"


def format_duration(seconds: float | None) -> str:
    """Make a duration readable.

    RETURNS: Such as "1:02:03", or "2d 03h" if it is longer than a day; "-" for None.
    """
    if seconds is None:
        return MISSING
    duration = timedelta(seconds=round(seconds))
    if duration.days:
        return f"{duration.days}d {duration.seconds // 3600:02}h"
    return str(duration)
