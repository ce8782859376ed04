"""Gold against predicted labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..confusion import NONE
from .blocks import Cell, Table


def matrix_table(
    confusion: Mapping[str, Any],
    title: str,
    note: str,
    none: tuple[str, str] = (NONE, NONE),
) -> Table:
    """Gold against predicted labels, as a heat map.

    none: What the row and the column without a label are called.
    """
    labels = confusion["labels"]
    rows = []
    for i, (label, counts) in enumerate(zip(labels, confusion["rows"], strict=True)):
        total = sum(counts)
        name = none[0] if label == NONE else label
        rows.append(
            [
                Cell(name),
                *(_heat(n, total, i == j, label) for j, n in enumerate(counts)),
            ]
        )
    header = [(none[1] if label == NONE else label) for label in labels]
    return Table(title, ("gold", *header), rows, (), note, is_matrix=True)


def _heat(count: int, total: int, is_right: bool, label: str) -> Cell:
    if is_right and label == NONE:
        return Cell("", None, "void")
    share = count / total if total else 0.0
    kind = "heat right" if is_right else "heat"
    return Cell(f"{count:,}" if count else "·", count, kind, f"--share:{share:.3f}")
