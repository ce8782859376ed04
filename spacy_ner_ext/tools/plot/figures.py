"""Draw panels with matplotlib, without a window."""

import math
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

from ...util.figures import COLORS, LINE_STYLES, chart_style, mark_best, shorten_label
from .panels import Line, Panel

N_COLUMNS, PANEL_SIZE, SINGLE_SIZE = 2, (5.4, 3.2), (8.0, 3.8)
# Characters of a legend entry in the width of a panel.
LEGEND_WIDTH = 62
MARKED_POINTS = 15
MARKERS = "osD^vPX"
# From this ratio of the maximum to the minimum, an axis is logarithmic.
LOG_RATIO = 20
SETTINGS: dict[str, Any] = {
    "figure__constrained_layout__h_pad": 0.1,
    "figure__constrained_layout__w_pad": 0.1,
    # Points of long lines that would look the same are left out.
    "path__simplify_threshold": 1.0,
}


def draw(panels: Sequence[Panel], image_format: str) -> bytes:
    """Draw the panels of an image as "png" or "svg"."""
    with chart_style(**SETTINGS):
        image = BytesIO()
        metadata = {"Date": None} if image_format == "svg" else {}
        _figure(panels).savefig(image, format=image_format, dpi=110, metadata=metadata)
    return image.getvalue()


def _figure(panels: Sequence[Panel]) -> Figure:
    n_columns = min(N_COLUMNS, len(panels))
    n_rows = math.ceil(len(panels) / n_columns)
    width, height = PANEL_SIZE if n_columns > 1 else SINGLE_SIZE
    lines = {line.label: line for panel in panels for line in panel.lines}
    legend = sorted(lines.values(), key=lambda line: line.style) * (len(lines) > 1)
    extra = 0.25 * math.ceil(len(legend) / n_columns)
    figure = Figure((width * n_columns, height * n_rows + extra), layout="constrained")
    grid = figure.add_gridspec(n_rows, n_columns)
    for number, panel in enumerate(panels):
        _draw_panel(figure.add_subplot(grid[divmod(number, n_columns)]), panel)
    if legend:
        handles = [Line2D([], [], **_look(line)) for line in legend]
        labels = [shorten_label(line.label, LEGEND_WIDTH, tail=30) for line in legend]
        place: Any = {"loc": "outside upper left", "ncols": n_columns}
        figure.legend(handles, labels, handlelength=3, **place)
    return figure


def _look(line: Line) -> dict[str, Any]:
    cycles = {"color": COLORS, "linestyle": LINE_STYLES, "marker": MARKERS}
    look = {name: values[line.style % len(values)] for name, values in cycles.items()}
    return {**look, "linewidth": 1.6, "markersize": 4}


def _draw_panel(axes: Axes, panel: Panel) -> None:
    for line in panel.lines:
        look = _look(line)
        every = max(1, len(line.x) // MARKED_POINTS)
        axes.plot(line.x, line.y, markevery=every, **look)
        if line.best is not None:
            mark_best(axes, line.x[line.best], line.y[line.best], look["color"], 11)
    axes.set(title=panel.title, xlabel=panel.x, ylabel=panel.unit)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.10g}"))
    if panel.plot in ("loss", "gradients") and has_wide_range(panel):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.10g}"))


def has_wide_range(panel: Panel) -> bool:
    """Whether the maximum is many times the minimum, which is positive."""
    numbers = np.concatenate([line.y[np.isfinite(line.y)] for line in panel.lines])
    return bool(0 < numbers.min() * LOG_RATIO <= numbers.max())
