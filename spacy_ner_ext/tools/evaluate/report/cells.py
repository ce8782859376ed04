"""Numbers as they are written, and cells of tables with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .blocks import Cell

MISSING = "–"
MINUS = "\N{MINUS SIGN}"


def percent(value: float | None) -> str:
    """A score as it is usually told."""
    return MISSING if value is None else f"{100 * value:.1f}"


def signed(value: float | None) -> str:
    """A difference of scores."""
    if value is None:
        return MISSING
    text = f"{100 * abs(value):.1f}"
    sign = "" if text == "0.0" else "+" if value > 0 else MINUS
    return f"{sign}{text}"


def interval(bounds: Sequence[float] | None, show: Any = percent) -> str:
    """An interval.

    show: How an end is written.
    """
    if not bounds or None in bounds:
        return MISSING
    between = "–" if show is percent else " to "
    return between.join(show(bound) for bound in bounds)


def probability(value: float | None) -> str:
    """A probability or a threshold, with two decimals."""
    return MISSING if value is None else f"{value:.2f}"


def decimals(value: float | None) -> str:
    """A measure such as a Brier score, with three decimals."""
    return MISSING if value is None else f"{value:.3f}"


def p_value(value: float | None) -> str:
    """A p-value, with three decimals."""
    if value is None:
        return MISSING
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def count_cell(value: int | None) -> Cell:
    """How many there are."""
    return Cell(MISSING if value is None else f"{value:,}", value)


def score_cell(value: float | None, kind: str = "") -> Cell:
    """A score in percent."""
    return Cell(percent(value), value, kind)


def bar_cell(score: Mapping[str, Any], name: str = "f") -> Cell:
    """A bar as long as a score, with its interval.

    RETURNS: Nothing to read: the numbers are in other cells.
    """
    return Cell("", score.get(name), "bar", bar_style(score, name))


def bar_style(score: Mapping[str, Any], name: str = "f") -> str:
    """The custom properties of a bar.

    RETURNS: CSS; "" if there is no score.
    """
    value = score.get(name)
    if value is None:
        return ""
    bounds = score.get(f"{name}_interval") or (value, value)
    low, high = (value if bound is None else bound for bound in bounds)
    return f"--at:{100 * value:.1f}%;--low:{100 * low:.1f}%;--high:{100 * high:.1f}%"
