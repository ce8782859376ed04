"""The charts of the page: SVG images whose colors come from its style sheet."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ....util.figures import LINE_STYLES, chart_style, mark_best, shorten_label

SIZE, RELIABILITY_SIZE = (4.8, 3.7), (4.8, 4.3)
# Lines of one chart that a reader can still distinguish.
MOST_LINES = 7
SCORES = {"p": "precision", "r": "recall", "f": "F1"}
# Stand-ins for colors: each becomes the custom property of the page with its number.
TEXT, GRID, FIRST_LINE = "#f0f000", "#f0f001", 2
COLOR = re.compile("#f0f0(0[0-9])")
Point = Mapping[str, Any]


def draw_thresholds(curve: Sequence[Point], best: Point | None, name: str) -> Markup:
    """Draw precision, recall and F1 over the threshold.

    name: The prefix of ids in the image.
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

    return _draw(name, SIZE, draw)


def draw_precision_recall(
    curves: Mapping[str, Sequence[Point]],
    labels: Sequence[str],
    best: Mapping[str, Point],
    name: str,
) -> Markup:
    """Draw precision over recall, with one line for each of at most MOST_LINES
    labels."""

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for number, label in enumerate(labels):
            points = [p for p in curves[label] if None not in (p["p"], p["r"])]
            axes.plot(
                [100 * p["r"] for p in points],
                [100 * p["p"] for p in points],
                label=shorten_label(label, 16),
                **_look(number),
            )
            at = best.get(label)
            if at is not None and None not in (at["p"], at["r"]):
                _mark(axes, 100 * at["r"], 100 * at["p"], number)
        _finish(axes, "recall", "precision", (0, 100))

    return _draw(name, SIZE, draw)


def draw_reliability(bins: Sequence[Point], name: str) -> Markup:
    """Draw a reliability diagram above the number of predictions in each bin."""
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

    return _draw(name, RELIABILITY_SIZE, draw)


def _draw(
    name: str, size: tuple[float, float], draw: Callable[[Figure], None]
) -> Markup:
    # The browser has the fonts.
    with chart_style("none", TEXT, GRID, svg__fonttype="none"):
        figure = Figure(size, layout="constrained")
        draw(figure)
        stream = StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None})
    return Markup(_for_page(stream.getvalue(), name))


def _for_page(svg: str, name: str) -> str:
    """Take the bare image, with unique ids and the colors of the page."""
    svg = svg[svg.index("<svg") :].strip()
    svg = re.sub(r"(?s) *<metadata>.*?</metadata>\n?", "", svg)
    svg = re.sub(r' (width|height)="[\d.]+pt"', "", svg, count=2)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'(url\(|href=")#', rf"\1#{name}-", svg)
    return COLOR.sub(lambda found: f"var(--ink-{int(found[1])})", svg)


def _line_color(number: int) -> str:
    return f"#f0f00{FIRST_LINE + number % MOST_LINES}"


def _look(number: int) -> dict[str, Any]:
    return {
        "color": _line_color(number),
        "linestyle": LINE_STYLES[number % len(LINE_STYLES)],
        "linewidth": 1.7,
    }


def _mark(axes: Axes, x: float, y: float, number: int) -> None:
    mark_best(axes, x, y, _line_color(number), size=9)


def _finish(axes: Axes, x: str, y: str, limits: tuple[float, float]) -> None:
    margin = 0.03 * (limits[1] - limits[0])
    axes.set_xlim(limits[0] - margin, limits[1] + margin)
    axes.set_ylim(-3, 103)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    figure = axes.get_figure()
    if figure is not None and axes.get_legend_handles_labels()[0]:
        figure.legend(loc="outside upper left", ncols=3, handlelength=2.5)
