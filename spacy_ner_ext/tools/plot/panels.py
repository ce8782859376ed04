"""What is drawn: which numbers of which trainings are lines of which panel."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from .runs import Numbers, Run, Weights, read_weights

# Lines that can still be told apart in a panel.
MOST_ARRAYS = 7
# From this ratio of the highest to the lowest an axis is logarithmic.
LOG_RATIO = 20
STEP, WORDS, TIME = "step", "words", "time"
STATISTICS = {
    "norm": "norm",
    "standard_deviation": "standard deviation",
    "mean": "mean",
    "largest": "largest absolute value",
}


@dataclass(frozen=True)
class Line:
    """A line of a panel.

    label: What it is called in the legend.
    x: Where it is on the axis.
    y: Its numbers.
    style: Lines of one number look the same in all panels.
    marked: A point that is marked as the best.
    """

    label: str
    x: Numbers
    y: Numbers
    style: int
    marked: int | None = None


@dataclass(frozen=True)
class Panel:
    """A pair of axes with lines.

    title: What is shown.
    unit: What the numbers are.
    lines: The lines.
    is_logarithmic: Whether the vertical axis is.
    """

    title: str
    unit: str
    lines: list[Line]
    is_logarithmic: bool = False


@dataclass(frozen=True)
class Plot:
    """An image with panels that share what the horizontal axis is.

    name: The name of its file, without an ending.
    title: Its title.
    x: What the horizontal axis is.
    panels: The panels.
    note: What else is to be known.
    """

    name: str
    title: str
    x: str
    panels: list[Panel] = field(default_factory=list)
    note: str = ""


def make_plots(runs: Sequence[Run], x: str = STEP, pattern: str = "") -> list[Plot]:
    """Find out what there is to be drawn.

    x: The horizontal axis: "step", "words" or "time".
    pattern: A regular expression that chooses arrays of weights by their paths.
    RETURNS: All plots that have something to show.
    """
    axis, scale = _axis(runs, x)
    lines = _Lines(runs, x, scale)
    plots = [
        Plot("loss", "Loss", axis, _scaled(_losses(lines))),
        Plot("scores", "Scores", axis, list(_scores(lines))),
        Plot("rates", "Learning rates", axis, list(_rates(lines))),
        Plot("gradients", "Gradients", axis, _scaled(_gradients(lines))),
        Plot("speed", "Speed", axis, list(_speed(lines))),
        _weights(runs, pattern),
    ]
    return [plot for plot in plots if plot.panels]


def _scaled(panels: Iterable[Panel]) -> list[Panel]:
    """Panels with logarithmic axes, if the numbers of one range that far."""
    found = [(panel, _ratio(panel)) for panel in panels]
    is_wide = any(ratio >= LOG_RATIO for _, ratio in found)
    return [replace(p, is_logarithmic=is_wide and ratio > 0) for p, ratio in found]


def _ratio(panel: Panel) -> float:
    """The ratio of the highest number to the lowest; 0 if some are not above 0."""
    numbers = np.concatenate([line.y[np.isfinite(line.y)] for line in panel.lines])
    return float(numbers.max() / numbers.min()) if numbers.min() > 0 else 0.0


def _axis(runs: Sequence[Run], x: str) -> tuple[str, float]:
    """The label of the horizontal axis, and what its numbers are divided by."""
    if x != TIME:
        return x, 1.0
    longest = max(np.nanmax(run.column("seconds"), initial=0.0) for run in runs)
    if longest < 300:
        return "time (seconds)", 1.0
    if longest < 3 * 3600:
        return "time (minutes)", 60.0
    return "time (hours)", 3600.0


class _Lines:
    """Makes the lines of trainings: a column is a line for each training that has it,
    and several columns of one training are lines of a panel."""

    def __init__(self, runs: Sequence[Run], x: str, scale: float) -> None:
        self.runs = runs
        self._x = [run.column("seconds" if x == TIME else x) / scale for run in runs]

    def names(self, group: str) -> list[str]:
        """What some training has in a group of columns, in the order of the first."""
        return list(dict.fromkeys(n for run in self.runs for n in run.names(group)))

    def of(
        self, column: str, label: str = "", style: int = 0, per_step: bool = False
    ) -> list[Line]:
        """The lines of a column.

        label: What it is called if there is one training; otherwise lines are called
            after their trainings.
        per_step: Whether its numbers are sums of steps, and means are drawn.
        """
        lines = []
        for number, (run, x) in enumerate(zip(self.runs, self._x)):
            y = run.column(column)
            is_main = np.array_equal(y, run.column("score"), equal_nan=True)
            if per_step:
                y = y / np.fmax(1, run.column("steps"))
            if np.isfinite(y).any():
                alone = len(self.runs) == 1
                name, look = (label, style) if alone else (run.name, number)
                lines.append(Line(name, x, y, look, run.best if is_main else None))
        return lines

    def panels(self, columns: dict[str, str], unit: str, title: str) -> Iterator[Panel]:
        """One panel with a line for each column, by its label, if there is one
        training; otherwise a panel for each column.

        title: The title of the one panel.
        """
        if len(self.runs) > 1:
            for column, label in columns.items():
                yield from _panel(label, unit, self.of(column))
            return
        lines = [
            line
            for style, (column, label) in enumerate(columns.items())
            for line in self.of(column, label, style)
        ]
        yield from _panel(title, unit, lines)


def _panel(title: str, unit: str, lines: list[Line]) -> Iterator[Panel]:
    if lines:
        yield Panel(title, unit, lines)


def _losses(lines: _Lines) -> Iterator[Panel]:
    for name in lines.names("losses"):
        drawn = lines.of(f"losses.{name}", per_step=True)
        # A tok2vec that others listen to has no loss of its own.
        if any(np.nanmax(abs(line.y)) > 0 for line in drawn):
            yield Panel(name, "mean loss a step", drawn)


def _scores(lines: _Lines) -> Iterator[Panel]:
    """A panel for scores that differ in their endings only, such as ents_p and ents_r;
    before these the main score, if it is none of them."""
    unit = "score, 0 to 1"
    names = [name for name in lines.names("scores") if name != "speed"]
    if not any(_is_main(lines.runs, f"scores.{name}") for name in names):
        yield from _panel("score", unit, lines.of("score", "score"))
    families: dict[str, dict[str, str]] = {}
    for name in names:
        families.setdefault(name.rpartition("_")[0], {})[f"scores.{name}"] = name
    for family, columns in families.items():
        yield from lines.panels(columns, unit, family)


def _is_main(runs: Sequence[Run], column: str) -> bool:
    return all(
        np.array_equal(run.column(column), run.column("score"), equal_nan=True)
        for run in runs
    )


def _rates(lines: _Lines) -> Iterator[Panel]:
    """A panel for each group, since one rate is often ten times another."""
    for name in lines.names("rates"):
        yield from _panel(name, "learning rate", lines.of(f"rates.{name}"))


def _gradients(lines: _Lines) -> Iterator[Panel]:
    unit = "norm before clipping"
    yield from _panel("mean of the steps", unit, lines.of("gradient_norm"))
    yield from _panel("highest of the steps", unit, lines.of("gradient_norm_max"))
    spikes = lines.of("gradient_spikes")
    if any(np.nanmax(line.y) > 0 for line in spikes):
        yield Panel("spikes", "steps", spikes)


def _speed(lines: _Lines) -> Iterator[Panel]:
    unit = "words a second"
    yield from _panel("training", unit, lines.of("words_per_second"))
    yield from _panel("evaluation", unit, lines.of("scores.speed"))


def _weights(runs: Sequence[Run], pattern: str) -> Plot:
    """The arrays whose norm has changed most, in parts of what it was, of all runs."""
    kept = {run.name: _arrays_of(run, pattern) for run in runs}
    changes: dict[str, float] = {}
    for path, array in (pair for arrays in kept.values() for pair in arrays.items()):
        changes[path] = max(_change(array), changes.get(path, 0.0))
    n_lines = max(1, MOST_ARRAYS // max(1, sum(map(bool, kept.values()))))
    ranked = sorted(changes, key=lambda path: changes[path], reverse=True)[:n_lines]
    # Lines of an array stand together in the legend.
    chosen = [
        (path if len(runs) == 1 else f"{path} ({name})", arrays[path])
        for path in ranked
        for name, arrays in kept.items()
        if path in arrays
    ]
    note = (
        f"{len(ranked)} of {len(changes)} arrays: those whose norm changed most, in "
        "parts of what it was. --weights PATTERN chooses others."
    )
    panels = [
        Panel(title, "", _lines_of(chosen, statistic))
        for statistic, title in STATISTICS.items()
        if chosen
    ]
    return Plot("weights", "Weights", STEP, panels, note)


def _arrays_of(run: Run, pattern: str) -> dict[str, Weights]:
    arrays = read_weights(run.folder)
    return {a.path: a for a in arrays if re.search(pattern, a.path)}


def _lines_of(chosen: Sequence[tuple[str, Weights]], statistic: str) -> list[Line]:
    return [
        Line(label, array.steps, array.statistics[statistic], style)
        for style, (label, array) in enumerate(chosen)
    ]


def _change(array: Weights) -> float:
    norms = array.statistics["norm"]
    change = abs(norms - norms[0]) / max(abs(norms[0]), 1e-12)
    return float(np.nanmax(change, initial=0.0))
