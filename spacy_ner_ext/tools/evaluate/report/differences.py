"""The section of the page that compares two pipelines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ....scorers.counts import AVERAGES
from .blocks import Block, Cell, Examples, Section, Table, Tile, Tiles
from .cells import count_cell, interval, p_value, score_cell, signed
from .drawing import Painter
from .summary import model_name

TITLE = "Comparison"
NAMES = {"f": "F1", "p": "Precision", "r": "Recall"}
COLUMNS = ("this model", "baseline", "difference", "interval", "p-value")
NOTE = (
    "Intervals and two-sided p-values are from a paired bootstrap over documents "
    "(Koehn 2004, Berg-Kirkpatrick et al. 2012); they are not corrected for the number "
    "of comparisons."
)
Result = Mapping[str, Any]


def comparison_section(comparison: Result | None, painter: Painter) -> Section:
    """Lay out how the model differs from another.

    comparison: The part of the result.
    """
    if not comparison:
        lead = "None: with '--baseline MODEL' another pipeline is compared."
        return Section("comparison", TITLE, lead)
    blocks: list[Block] = []
    differences, changed = comparison.get("differences"), comparison.get("changed")
    if changed:
        blocks.append(_changes(changed))
    if differences:
        blocks += [*_average_tables(differences), *_label_tables(differences)]
    if changed and changed.get("examples"):
        drawn = painter.entities(changed["examples"])
        blocks.append(Examples("changes", drawn, "Examples of changes"))
    name = model_name(comparison.get("model") or {}, "another pipeline")
    return Section("comparison", TITLE, f"The baseline is {name}. {NOTE}", blocks)


def _changes(changed: Result) -> Tiles:
    names = (
        ("better", "fewer errors"),
        ("worse", "more errors"),
        ("other", "as many errors"),
    )
    return Tiles(
        [
            Tile(name.capitalize(), f"{changed.get(name, 0):,}", note)
            for name, note in names
        ],
        "Documents with other predictions",
    )


def _average_tables(differences: Result) -> Iterator[Table]:
    for name, title in NAMES.items():
        rows = [
            [Cell(f"{metric}, {average}"), *_cells(scores[average][name])]
            for metric, scores in differences.items()
            for average in AVERAGES
        ]
        yield Table(title, ("average", *COLUMNS), rows, can_be_sorted=False)


def _label_tables(differences: Result) -> Iterator[Table]:
    labels = (differences.get("exact") or {}).get("labels")
    if labels:
        rows = [
            [
                Cell(label),
                count_cell(scores.get("support")),
                *_cells(scores["f"]),
            ]
            for label, scores in labels.items()
        ]
        yield Table("F1 by label, exact", ("label", "gold", *COLUMNS), rows)


def _cells(scores: Result) -> list[Cell]:
    value, p = scores.get("difference"), scores.get("p_value")
    kind = "main"
    if value and p is not None and p < 0.05:
        kind = "main good" if value > 0 else "main bad"
    return [
        score_cell(scores.get("ours")),
        score_cell(scores.get("baseline")),
        Cell(signed(value), value, kind),
        Cell(interval(scores.get("interval"), signed), value, "faint"),
        Cell(p_value(p), p),
    ]
