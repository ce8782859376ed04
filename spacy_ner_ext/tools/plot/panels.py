"""Select what is drawn: panels with a line for each column and run."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from .runs import Numbers, Run, read_weights

# The images, in their order, with their titles.
PLOTS = {
    "loss": "Loss",
    "scores": "Scores",
    "rates": "Learning rates",
    "gradients": "Gradients",
    "speed": "Speed",
    "weights": "Weights",
}
# Plot, panel and unit of a column.
COLUMNS = {
    "gradient_norm": ("gradients", "mean of the steps", "norm before clipping"),
    "gradient_norm_max": ("gradients", "maximum of the steps", "norm before clipping"),
    "gradient_spikes": ("gradients", "spikes", "steps"),
    "words_per_second": ("speed", "training", "words per second"),
    "scores.speed": ("speed", "evaluation", "words per second"),
    "score": ("scores", "score", "score, 0 to 1"),
}
GROUPS = {
    "losses": ("loss", "mean loss per step"),
    "scores": ("scores", "score, 0 to 1"),
    "rates": ("rates", "learning rate"),
}
STATISTICS = {
    "norm": "norm",
    "standard_deviation": "standard deviation",
    "mean": "mean",
    "largest": "largest absolute value",
}
# Lines that a reader can distinguish in one panel.
MAX_ARRAYS = 7


@dataclass(frozen=True)
class Line:
    """A line with the number of its style, and the index of the best point."""

    label: str
    x: Numbers
    y: Numbers
    style: int
    best: int | None = None


@dataclass(frozen=True)
class Panel:
    """A pair of axes in an image; `unit` labels the vertical one."""

    plot: str
    title: str
    unit: str
    x: str
    lines: list[Line]


def make_panels(runs: Sequence[Run], x: str = "step", pattern: str = "") -> list[Panel]:
    """Make all panels that have something to show, in the order of `PLOTS`."""
    label, xs = _axis(runs, x)
    panels: dict[tuple[str, str], Panel] = {}
    for column, plot, title, unit in _columns(runs):
        panel = Panel(plot, title, unit, label, [])
        panel = panels.setdefault((plot, title), panel)
        for number, run in enumerate(runs):
            y = run.column(column)
            if plot == "loss":
                y = y / np.fmax(1, run.column("steps"))
            name, style = run.name, number
            if len(runs) == 1:
                name, style = column.rpartition(".")[2], len(panel.lines)
            best = run.best if _is_main(run, column) else None
            if np.isfinite(y).any():
                panel.lines.append(Line(name, xs[number], y, style, best))
    found = [panel for panel in panels.values() if _is_shown(panel)]
    found.sort(key=lambda panel: list(PLOTS).index(panel.plot))
    return [*found, *_weights(runs, pattern)]


def _axis(runs: Sequence[Run], x: str) -> tuple[str, list[Numbers]]:
    """The label of the horizontal axis, and the positions of each run."""
    if x != "time":
        return x, [run.column(x) for run in runs]
    columns = [run.column("seconds") for run in runs]
    longest = max(np.nanmax(seconds, initial=0.0) for seconds in columns)
    units = (("seconds", 1, 300), ("minutes", 60, 10_800), ("hours", 3600, np.inf))
    unit, scale = next((u, scale) for u, scale, limit in units if longest < limit)
    return f"time ({unit})", [seconds / scale for seconds in columns]


def _columns(runs: Sequence[Run]) -> Iterator[tuple[str, str, str, str]]:
    """The columns to draw, with plot, panel and unit. Scores of a single run that
    differ only in their endings, such as ents_p and ents_r, share a panel."""
    names = list(dict.fromkeys(name for run in runs for name in run.columns))
    mains = [n for n in names if all(_is_main(run, n) for run in runs)]
    for column in names:
        group, _, name = column.partition(".")
        if column in COLUMNS and (column != "score" or mains == ["score"]):
            yield column, *COLUMNS[column]
        elif group in GROUPS and column not in COLUMNS:
            plot, unit = GROUPS[group]
            is_family = plot == "scores" and len(runs) == 1
            yield column, plot, name.rpartition("_")[0] if is_family else name, unit


def _is_main(run: Run, column: str) -> bool:
    """Whether a column is the score by which the best model is chosen."""
    return np.array_equal(run.column(column), run.column("score"), equal_nan=True)


def _is_shown(panel: Panel) -> bool:
    """Leave out the loss of a shared tok2vec, and spikes, if there are none."""
    is_empty = not any(np.nanmax(abs(line.y)) > 0 for line in panel.lines)
    hides_zeros = panel.plot == "loss" or panel.title == "spikes"
    return bool(panel.lines) and not (hides_zeros and is_empty)


def _weights(runs: Sequence[Run], pattern: str) -> Iterator[Panel]:
    """The arrays with the largest relative change of the norm in any run."""
    arrays = {
        (path, run.name): array
        for run in runs
        for path, array in read_weights(run.folder).items()
        if re.search(pattern, path)
    }
    changes: dict[str, float] = {}
    for (path, _), array in arrays.items():
        first, *_ = norms = array["norm"]
        relative = abs(norms - first) / max(abs(first), 1e-12)
        changes[path] = np.nanmax(relative, initial=changes.get(path, 0.0))
    n_paths = MAX_ARRAYS // max(1, len({name for _, name in arrays})) or 1
    ranked = sorted(changes, key=lambda path: changes[path], reverse=True)[:n_paths]
    keys = [(p, run.name) for p in ranked for run in runs if (p, run.name) in arrays]
    labels = [path if len(runs) == 1 else f"{path} ({name})" for path, name in keys]
    for statistic, title in STATISTICS.items() if keys else ():
        lines = [
            Line(label, arrays[key]["step"], arrays[key][statistic], style)
            for style, (label, key) in enumerate(zip(labels, keys))
        ]
        yield Panel("weights", title, "", "step", lines)
