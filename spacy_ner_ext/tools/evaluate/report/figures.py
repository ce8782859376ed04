"""The charts of the page: SVG images whose colors come from its style sheet."""

import re
from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from typing import Any

from markupsafe import Markup
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


def draw_thresholds(curve: Sequence[Point], best: Point, name: str) -> Markup:
    """Draw precision, recall and F1 over the threshold.

    name: The prefix of ids in the image.
    """
    lines = [
        (label, [(each["threshold"], 100 * each[key]) for each in curve])
        for key, label in SCORES.items()
    ]
    rings = [None, None, (best["threshold"], 100 * best["f"])]
    return _draw_lines(lines, rings, ("threshold", "percent", 1), name)


def draw_precision_recall(
    curves: Mapping[str, Sequence[Point]],
    labels: Sequence[str],
    best: Mapping[str, Point],
    name: str,
) -> Markup:
    """Draw one line of precision over recall for each label, at most MOST_LINES."""
    lines = [
        (
            shorten_label(label, 16),
            [(100 * each["r"], 100 * each["p"]) for each in curves[label]],
        )
        for label in labels
    ]
    rings = [(100 * best[label]["r"], 100 * best[label]["p"]) for label in labels]
    return _draw_lines(lines, rings, ("recall", "precision", 100), name)


def _draw_lines(
    lines: Sequence[tuple[str, Sequence[tuple[float, float]]]],
    rings: Sequence[tuple[float, float] | None],
    axis: tuple[str, str, float],
    name: str,
) -> Markup:
    """Draw lines with rings around points.

    axis: The names of both axes, and the end of the x axis.
    """
    x, y, limit = axis

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for number, ((label, points), ring) in enumerate(zip(lines, rings)):
            axes.plot(*zip(*points), label=label, **_look(number))
            if ring is not None:
                mark_best(axes, *ring, _line_color(number), size=9)
        axes.set(xlabel=x, ylabel=y, ylim=(-3, 103))
        axes.set_xlim(-0.03 * limit, 1.03 * limit)
        figure.legend(loc="outside upper left", ncols=3, handlelength=2.5)

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
        axes.set(ylabel="percent right", ylim=(-3, 103))
        counts.bar(
            [each["low"] for each in full],
            [each["count"] for each in full],
            [0.94 * (each["high"] - each["low"]) for each in full],
            align="edge",
            color=_line_color(0),
        )
        counts.set(xlabel="probability", ylabel="predictions", xlim=(-0.02, 1.02))

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
