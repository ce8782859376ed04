"""The section of the page about text categories."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .blocks import Block, Examples, Section
from .drawing import Painter
from .entities import HEAT_NOTE, calibration_section, threshold_section
from .matrix import matrix_table
from .tables import label_table

Result = Mapping[str, Any]
TITLE = "Text categories"


def category_section(categories: Result | None, painter: Painter) -> Section:
    """Lay out all about text categories.

    categories: The part of the result.
    """
    if not categories:
        lead = "None: the pipeline assigns no categories, or the corpus has none."
        return Section("categories", TITLE, lead)
    blocks: list[Block] = [label_table(categories, "Categories")]
    if categories.get("confusion"):
        note = f"{HEAT_NOTE}."
        blocks.append(matrix_table(categories["confusion"], "Confusion", note))
    if categories.get("thresholds"):
        part = threshold_section(categories["thresholds"], categories, "category-")
        blocks.extend(part.blocks)
    if categories.get("calibration"):
        part = calibration_section(categories["calibration"], "category-")
        blocks.extend(part.blocks)
    if categories.get("examples"):
        drawn = painter.categories(categories["examples"])
        blocks.append(Examples("categories", drawn, "Examples of errors"))
    return Section("categories", TITLE, _lead(categories), blocks)


def _lead(categories: Result) -> str:
    kind = "one category a text" if categories.get("exclusive") else "any number a text"
    component = categories.get("component")
    return f"Predicted by '{component}': {kind}." if component else f"{kind}."
