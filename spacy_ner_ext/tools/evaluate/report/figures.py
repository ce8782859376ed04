"""Charts drawn by matplotlib, as SVG that takes its colours from the page."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .charts import MOST_LINES

SIZE, RELIABILITY_SIZE = (4.8, 3.7), (4.8, 4.3)
SCORES = {"p": "precision", "r": "recall", "f": "F1"}
LINE_STYLES = ("-", "--", "-.", ":")
# Colours that no chart has, each the number of a custom property of the page.
TEXT, GRID, FIRST_LINE = "#f0f000", "#f0f001", 2
COLOR = re.compile("#f0f0(0[0-9])")
Point = Mapping[str, Any]


def draw_thresholds(curve: Sequence[Point], best: Point | None, name: str) -> Markup:
    """Draw precision, recall and F over the threshold.

    curve: Points with "threshold", "p", "r" and "f".
    best: The one that is marked.
    name: What tells it from other charts of the page.
    """

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for number, (key, label) in enumerate(SCORES.items()):
            points = [p for p in curve if p[key] is not None]
            axes.plot(
                [p["threshold"] for p in points],
                [100 * p[key] for p in points],
                label=label,
                **_look(number),
            )
        if best is not None and best["f"] is not None:
            _mark(axes, best["threshold"], 100 * best["f"], 2)
        _finish(axes, "threshold", "percent", (0, 1))

    return _drawn(name, SIZE, draw)


def draw_precision_recall(
    curves: Mapping[str, Sequence[Point]], best: Mapping[str, Point], name: str
) -> Markup:
    """Draw precision over recall, a line a label.

    curves: Points by label, at most MOST_LINES.
    best: The point of a label that is marked.
    name: What tells it from other charts of the page.
    """

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for number, (label, curve) in enumerate(curves.items()):
            points = [p for p in curve if None not in (p["p"], p["r"])]
            axes.plot(
                [100 * p["r"] for p in points],
                [100 * p["p"] for p in points],
                label=_shorten(label),
                **_look(number),
            )
            at = best.get(label)
            if at is not None and None not in (at["p"], at["r"]):
                _mark(axes, 100 * at["r"], 100 * at["p"], number)
        _finish(axes, "recall", "precision", (0, 100))

    return _drawn(name, SIZE, draw)


def draw_reliability(bins: Sequence[Point], name: str) -> Markup:
    """Draw how often predictions of a probability are right.

    bins: Bins with "low", "high", "count", "confidence" and "accuracy".
    name: What tells it from other charts of the page.
    """
    full = [each for each in bins if each["count"]]

    def draw(figure: Figure) -> None:
        axes, counts = figure.subplots(
            2, sharex=True, gridspec_kw={"height_ratios": (3, 1)}
        )
        axes.plot([0, 1], [0, 100], color=TEXT, linestyle=":", linewidth=1)
        axes.plot(
            [each["confidence"] for each in full],
            [100 * each["accuracy"] for each in full],
            marker="o",
            markersize=4.5,
            label="right",
            **_look(0),
        )
        axes.set_ylabel("percent right")
        axes.set_ylim(-3, 103)
        counts.bar(
            [each["low"] for each in full],
            [each["count"] for each in full],
            [0.94 * (each["high"] - each["low"]) for each in full],
            align="edge",
            color=_line_color(0),
        )
        counts.set_ylabel("predictions")
        counts.set_xlabel("probability")
        counts.set_xlim(-0.02, 1.02)

    return _drawn(name, RELIABILITY_SIZE, draw)


def _drawn(name: str, size: tuple[float, float], draw: Any) -> Markup:
    with rc_context(_settings()), warnings.catch_warnings():
        # The browser has the fonts.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure = Figure(size, layout="constrained")
        draw(figure)
        stream = StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None})
    return Markup(_for_page(stream.getvalue(), name))


def _for_page(svg: str, name: str) -> str:
    """The bare image, with names of its own and the colours of the page."""
    svg = svg[svg.index("<svg") :].strip()
    svg = re.sub(r"(?s) *<metadata>.*?</metadata>\n?", "", svg)
    svg = re.sub(r' (width|height)="[\d.]+pt"', "", svg, count=2)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'(url\(|href=")#', rf"\1#{name}-", svg)
    return COLOR.sub(lambda found: f"var(--ink-{int(found[1])})", svg)


def _settings() -> Any:
    return {
        "axes.edgecolor": GRID,
        "axes.facecolor": "none",
        "axes.grid": True,
        "axes.labelcolor": TEXT,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "figure.facecolor": "none",
        "font.size": 10,
        "grid.color": GRID,
        "grid.linewidth": 0.7,
        "legend.frameon": False,
        "legend.labelcolor": TEXT,
        "savefig.facecolor": "none",
        "svg.fonttype": "none",
        "svg.hashsalt": "spacy_ner_ext",
        "text.color": TEXT,
        # A dollar in a label is no formula.
        "text.parse_math": False,
        "xtick.color": TEXT,
        "ytick.color": TEXT,
    }


def _line_color(number: int) -> str:
    return f"#f0f00{FIRST_LINE + number % MOST_LINES}"


def _look(number: int) -> dict[str, Any]:
    return {
        "color": _line_color(number),
        "linestyle": LINE_STYLES[number % len(LINE_STYLES)],
        "linewidth": 1.7,
    }


def _mark(axes: Axes, x: float, y: float, number: int) -> None:
    """A ring around the best point."""
    axes.plot(x, y, "o", markersize=9, fillstyle="none", color=_line_color(number))


def _finish(axes: Axes, x: str, y: str, limits: tuple[float, float]) -> None:
    margin = 0.03 * (limits[1] - limits[0])
    axes.set_xlim(limits[0] - margin, limits[1] + margin)
    axes.set_ylim(-3, 103)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    figure = axes.get_figure()
    if figure is not None and axes.get_legend_handles_labels()[0]:
        figure.legend(loc="outside upper left", ncols=3, handlelength=2.5)


def _shorten(label: str, most: int = 16) -> str:
    short = label if len(label) <= most else f"{label[: most - 1]}…"
    # matplotlib leaves out what starts with an underscore.
    return f"\N{ZERO WIDTH SPACE}{short}" if short.startswith("_") else short
