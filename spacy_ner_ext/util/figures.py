"""The one style of all charts, drawn by matplotlib without a window."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes

PAGE, TEXT, GRID = "#ffffff", "#1c1e21", "#d9dde1"
# Okabe and Ito's colors, which color-blind people can distinguish ("Color Universal
# Design", 2008), without yellow.
COLORS = (
    *("#0072b2", "#d55e00", "#009e73", "#cc79a7"),
    *("#56b4e9", "#e69f00", "#000000"),
)
LINE_STYLES = ("-", "--", "-.", ":")


@contextmanager
def chart_style(
    page: str = PAGE, text: str = TEXT, grid: str = GRID, **more: Any
) -> Iterator[None]:
    """Draw and save figures in the style of the package.

    page: The color of the background, or "none".
    **more: More settings of matplotlib, with "__" in place of the dot.
    """
    settings: Any = {
        "axes.edgecolor": grid,
        "axes.facecolor": page,
        "axes.grid": True,
        "axes.labelcolor": text,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlecolor": text,
        "axes.titlelocation": "left",
        "axes.titlesize": 11,
        "axes.titleweight": "bold",
        "figure.facecolor": page,
        "font.size": 10,
        "grid.color": grid,
        "grid.linewidth": 0.7,
        "legend.frameon": False,
        "legend.labelcolor": text,
        "savefig.facecolor": page,
        "svg.hashsalt": "spacy_ner_ext",
        "text.color": text,
        # A dollar sign in a label does not start a formula.
        "text.parse_math": False,
        "xtick.color": text,
        "ytick.color": text,
        **{name.replace("__", "."): value for name, value in more.items()},
    }
    with rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        yield


def mark_best(axes: Axes, x: float, y: float, color: str, size: float) -> None:
    """Draw a ring around the best point of a line."""
    axes.plot(x, y, "o", markersize=size, fillstyle="none", color=color)


def shorten_label(label: str, most: int, tail: int = 0) -> str:
    """Cut a long label, and show one that starts with an underscore, which matplotlib
    leaves out of legends.

    most: The longest label that is not cut.
    tail: How many characters of the end are kept.
    """
    if len(label) > most:
        label = f"{label[: most - tail - 1]}…{label[len(label) - tail :]}"
    return f"\N{ZERO WIDTH SPACE}{label}" if label.startswith("_") else label
