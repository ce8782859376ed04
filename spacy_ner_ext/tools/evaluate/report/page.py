"""The report: the result of an evaluation as one page that works offline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ....util.files import replacing
from ....util.templates import environment
from .drawing import Painter
from .figures import (
    MOST_LINES,
    draw_precision_recall,
    draw_reliability,
    draw_thresholds,
)
from .findings import find_weak_points, model_name
from .numbers import FILTERS, count, decimals

TEMPLATE = "report.html.jinja"


def write_report(result: Mapping[str, Any], path: Path) -> None:
    """Write the page.

    RAISES (UserError): If the file cannot be written.
    """
    # A path may hold bytes that are not UTF-8.
    page = render_report(result).encode("utf-8", errors="backslashreplace")
    with replacing(path) as temporary:
        temporary.write_bytes(page)


def render_report(result: Mapping[str, Any]) -> str:
    """Render the page from the content of metrics.json."""
    templates = environment(Path(__file__).parent, autoescape=True)
    templates.filters.update(FILTERS)
    templates.globals.update(
        result=result,
        painter=Painter(_labels(result)),
        model_name=model_name,
        calibration_lead=_calibration_lead,
        largest_labels=_largest_labels,
        draw_precision_recall=draw_precision_recall,
        draw_reliability=draw_reliability,
        draw_thresholds=draw_thresholds,
    )
    return templates.get_template(TEMPLATE).render(findings=find_weak_points(result))


def _labels(result: Mapping[str, Any]) -> Iterator[str]:
    entities, categories = result.get("entities"), result.get("categories")
    if entities:
        yield from entities["metrics"]["exact"]["labels"]
    if categories:
        yield from categories["labels"]


def _largest_labels(
    labels: Sequence[str], scores: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """The labels with most gold, as many as a chart can show."""

    def support(label: str) -> int:
        return (scores.get(label) or {}).get("support") or 0

    return sorted(labels, key=lambda label: (-support(label), label))[:MOST_LINES]


def _calibration_lead(calibration: Mapping[str, Any]) -> str:
    return (
        f"ECE {decimals(calibration.get('ece'))}, "
        f"Brier score {decimals(calibration.get('brier'))}, "
        f"log loss {decimals(calibration.get('log_loss'))}, "
        f"{count(calibration.get('count', 0))} predictions."
    )
