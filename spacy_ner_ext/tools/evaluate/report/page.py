"""The report: the result of an evaluation as one page that works offline."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ....util.drawing import draw_categories, draw_entities, label_colors
from ....util.files import replacing
from ....util.numbers import FILTERS
from ....util.templates import environment
from . import figures
from .findings import find_weak_points, overconfidence

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
    templates.filters.update(
        FILTERS, draw_categories=draw_categories, draw_entities=draw_entities
    )
    entities, categories = result.get("entities"), result.get("categories")
    labels = [
        *(entities["metrics"]["exact"]["labels"] if entities else ()),
        *(categories["labels"] if categories else ()),
    ]
    templates.globals.update(
        colors=label_colors(labels),
        figures=figures,
        find_weak_points=find_weak_points,
        largest_labels=_largest_labels,
        overconfidence=overconfidence,
        result=result,
    )
    return templates.get_template(TEMPLATE).render()


def _largest_labels(
    labels: Sequence[str], scores: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """The labels with most gold, as many as a chart can show."""

    def support(label: str) -> int:
        return (scores.get(label) or {}).get("support") or 0

    ordered = sorted(labels, key=lambda label: (-support(label), label))
    return ordered[: figures.MOST_LINES]
