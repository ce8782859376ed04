"""Numbers as the page shows them: the filters of its templates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

MISSING = "–"
MINUS = "\N{MINUS SIGN}"


def count(value: int | None) -> str:
    return MISSING if value is None else f"{value:,}"


def percent(value: float | None) -> str:
    return MISSING if value is None else f"{100 * value:.1f}"


def signed(value: float | None) -> str:
    """Write a difference of scores in percentage points."""
    if value is None:
        return MISSING
    text = f"{100 * abs(value):.1f}"
    sign = "" if text == "0.0" else "+" if value > 0 else MINUS
    return f"{sign}{text}"


def interval(bounds: Sequence[float] | None) -> str:
    return _between(bounds, percent, "–")


def signed_interval(bounds: Sequence[float] | None) -> str:
    return _between(bounds, signed, " to ")


def _between(
    bounds: Sequence[float] | None, show: Callable[[float], str], word: str
) -> str:
    if not bounds or None in bounds:
        return MISSING
    return word.join(show(bound) for bound in bounds)


def probability(value: float | None) -> str:
    return MISSING if value is None else f"{value:.2f}"


def decimals(value: float | None) -> str:
    """Write a measure such as a Brier score."""
    return MISSING if value is None else f"{value:.3f}"


def p_value(value: float | None) -> str:
    return "< 0.001" if value is not None and value < 0.001 else decimals(value)


def bar_style(score: Mapping[str, Any], name: str = "f") -> str:
    """Write the CSS properties of a bar with an interval; "" without a score."""
    value = score.get(name)
    if value is None:
        return ""
    bounds = score.get(f"{name}_interval") or (value, value)
    low, high = (value if bound is None else bound for bound in bounds)
    return f"--at:{100 * value:.1f}%;--low:{100 * low:.1f}%;--high:{100 * high:.1f}%"


def plain(value: Any) -> str:
    """Write any JSON value on one line."""
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {plain(each)}" for key, each in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(plain(each) for each in value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.4g}"


FILTERS: dict[str, Callable[..., str]] = {
    each.__name__: each
    for each in (
        *(count, percent, signed, interval, signed_interval, probability, decimals),
        *(p_value, bar_style, plain),
    )
}
