"""Plots drawn by matplotlib, without a window."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from .panels import Line, Panel, Plot
from .runs import Numbers

PNG, SVG = "png", "svg"
N_COLUMNS, PANEL_SIZE, ALONE_SIZE = 2, (5.4, 3.2), (8.0, 3.8)
# Characters of a legend beside each other in a panel's width.
LEGEND_WIDTH = 62
# Points that are far enough apart to be marked.
MARKED_POINTS = 15
# Parts of a long line that are drawn by two points each.
N_PARTS = 500
LINE_STYLES = ("-", "--", "-.", ":")
MARKERS = "osD^vPX"
DOTS = 110


@dataclass(frozen=True)
class Theme:
    """Colours: those of lines are Okabe and Ito's, which people who are blind to some
    colours can tell apart ("Color Universal Design", 2008), without yellow."""

    page: str
    text: str
    grid: str
    lines: tuple[str, ...]


LIGHT = Theme(
    *("#ffffff", "#1c1e21", "#d9dde1"),
    ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000"),
)
DARK = Theme(
    *("#16181b", "#e6e8ea", "#363b41"),
    ("#3d9bd6", "#ef7d2d", "#1fbf92", "#d894b8", "#8fd0f5", "#f2b63c", "#ffffff"),
)


def draw(plot: Plot, image_format: str, theme: Theme = LIGHT) -> bytes:
    """Draw a plot."""
    with rc_context(_settings(theme)), warnings.catch_warnings():
        # Trainings and components may be called in any script.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure = _figure(plot, theme)
        image = BytesIO()
        metadata = {"Date": None} if image_format == SVG else {}
        figure.savefig(image, format=image_format, dpi=DOTS, metadata=metadata)
    return image.getvalue()


def _settings(theme: Theme) -> Any:
    return {
        "axes.edgecolor": theme.grid,
        "axes.facecolor": theme.page,
        "axes.grid": True,
        "axes.labelcolor": theme.text,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlecolor": theme.text,
        "axes.titlelocation": "left",
        "axes.titlesize": 11,
        "axes.titleweight": "bold",
        "figure.constrained_layout.h_pad": 0.1,
        "figure.constrained_layout.w_pad": 0.1,
        "figure.facecolor": theme.page,
        "font.size": 10,
        "grid.color": theme.grid,
        "grid.linewidth": 0.7,
        "legend.frameon": False,
        "legend.labelcolor": theme.text,
        "savefig.facecolor": theme.page,
        "svg.hashsalt": "spacy_ner_ext",
        "text.color": theme.text,
        # A dollar in a name is no formula.
        "text.parse_math": False,
        "xtick.color": theme.text,
        "ytick.color": theme.text,
    }


def _figure(plot: Plot, theme: Theme) -> Figure:
    n_columns = min(N_COLUMNS, len(plot.panels))
    n_rows = math.ceil(len(plot.panels) / n_columns)
    width, height = PANEL_SIZE if n_columns > 1 else ALONE_SIZE
    legend = _legend_lines(plot)
    n_beside = _fit_beside(legend, n_columns)
    extra = 0.25 * math.ceil(len(legend) / n_beside)
    figure = Figure((width * n_columns, height * n_rows + extra), layout="constrained")
    grid = figure.add_gridspec(n_rows, n_columns)
    for number, panel in enumerate(plot.panels):
        axes = figure.add_subplot(grid[divmod(number, n_columns)])
        _draw_panel(axes, panel, plot.x, theme)
    if legend:
        handles = [_handle(line, theme) for line in legend]
        labels = [_shorten(line.label) for line in legend]
        figure.legend(
            handles, labels, loc="outside upper left", ncols=n_beside, handlelength=3
        )
    return figure


def _legend_lines(plot: Plot) -> list[Line]:
    """Lines as the legend shows them, each label once; none if all have one label."""
    by_label = {line.label: line for p in plot.panels for line in p.lines}
    return sorted(by_label.values(), key=lambda line: line.style) * (len(by_label) > 1)


def _fit_beside(legend: list[Line], n_columns: int) -> int:
    longest = max((len(_shorten(line.label)) for line in legend), default=1)
    return max(1, min(len(legend), LEGEND_WIDTH * n_columns // (longest + 9)))


def _shorten(label: str, most: int = 90) -> str:
    half = most // 2
    short = label if len(label) <= most else f"{label[:half]}…{label[-half:]}"
    # matplotlib leaves out what starts with an underscore.
    return f"\N{ZERO WIDTH SPACE}{short}" if short.startswith("_") else short


def _look(line: Line, theme: Theme) -> dict[str, Any]:
    number = line.style
    return {
        "color": theme.lines[number % len(theme.lines)],
        "linestyle": LINE_STYLES[number % len(LINE_STYLES)],
        "marker": MARKERS[number % len(MARKERS)],
        "linewidth": 1.6,
        "markersize": 4,
    }


def _handle(line: Line, theme: Theme) -> Line2D:
    return Line2D([], [], **_look(line, theme))


def _draw_panel(axes: Axes, panel: Panel, x: str, theme: Theme) -> None:
    for line in panel.lines:
        x_values, y_values = _thin(line)
        every = max(1, len(x_values) // MARKED_POINTS)
        axes.plot(x_values, y_values, markevery=every, **_look(line, theme))
        if line.marked is not None:
            _mark(axes, line, theme)
    axes.set_title(panel.title)
    axes.set_xlabel(x)
    axes.set_ylabel(panel.unit)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(_format_position))
    if panel.is_logarithmic:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(FuncFormatter(_format_number))


def _thin(line: Line) -> tuple[Numbers, Numbers]:
    """Of a long line the lowest and the highest point of each of many parts: more is
    not to be seen."""
    if len(line.x) <= 4 * N_PARTS:
        return line.x, line.y
    kept = set()
    for part in np.array_split(np.arange(len(line.x)), N_PARTS):
        finite = part[np.isfinite(line.y[part])]
        if len(finite):
            y = line.y[finite]
            kept |= {int(finite[y.argmin()]), int(finite[y.argmax()])}
        else:
            kept.add(int(part[0]))
    places = sorted(kept)
    return line.x[places], line.y[places]


def _mark(axes: Axes, line: Line, theme: Theme) -> None:
    """A ring around the best point."""
    x, y = line.x[line.marked], line.y[line.marked]
    color = _look(line, theme)["color"]
    axes.plot(x, y, "o", markersize=11, fillstyle="none", color=color)


def _format_position(x: float, _: object) -> str:
    return f"{x / 1e6:g}M" if x >= 1e6 else f"{x:,.10g}"


def _format_number(y: float, _: object) -> str:
    return f"{y:,.0f}" if abs(y) >= 1000 else f"{y:.5g}"
