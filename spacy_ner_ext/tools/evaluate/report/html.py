"""The result of an evaluation as one page that works without network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ....util.files import replacing
from ....util.templates import environment
from .sections import make_sections
from .summary import model_name

TEMPLATE = "report.html.jinja"


def write_report(result: Mapping[str, Any], path: Path) -> None:
    """Write the page.

    RAISES (UserError): If the file cannot be written.
    RAISES (UserError): If matplotlib is missing.
    """
    # A path may hold bytes that are not UTF-8.
    page = render_report(result).encode("utf-8", errors="backslashreplace")
    with replacing(path) as temporary:
        temporary.write_bytes(page)


def render_report(result: Mapping[str, Any]) -> str:
    """Make the page."""
    templates = environment(Path(__file__).parent, autoescape=True)
    return templates.get_template(TEMPLATE).render(
        name=model_name(result.get("model") or {}, "a pipeline"),
        corpus=result.get("corpus") or {},
        sections=make_sections(result),
    )
