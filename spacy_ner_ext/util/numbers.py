"""Numbers as the page shows them: the filters of its templates."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

MISSING = "–"
MINUS = "\N{MINUS SIGN}"


def _writer(form: str, factor: float = 1) -> Callable[[float | None], str]:
    return lambda value: MISSING if value is None else form.format(factor * value)


count, percent = _writer("{:,}"), _writer("{:.1f}", 100)
probability, decimals = _writer("{:.2f}"), _writer("{:.3f}")


def signed(value: float | None) -> str:
    """Write a difference of scores in percentage points."""
    text = percent(None if value is None else abs(value))
    if value is None or text == "0.0":
        return text
    return f"{'+' if value > 0 else MINUS}{text}"


def interval(bounds: Sequence[float] | None) -> str:
    return MISSING if not bounds else "–".join(map(percent, bounds))


def signed_interval(bounds: Sequence[float] | None) -> str:
    return MISSING if not bounds else " to ".join(map(signed, bounds))


def p_value(value: float | None) -> str:
    return "< 0.001" if value is not None and value < 0.001 else decimals(value)


def bar_style(score: Mapping[str, Any], name: str = "f") -> str:
    """Write the CSS properties of a bar with an interval; "" without a score."""
    value = score.get(name)
    if value is None:
        return ""
    low, high = score.get(f"{name}_interval") or (value, value)
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
    "bar_style": bar_style,
    "count": count,
    "decimals": decimals,
    "interval": interval,
    "p_value": p_value,
    "percent": percent,
    "plain": plain,
    "probability": probability,
    "signed": signed,
    "signed_interval": signed_interval,
}
