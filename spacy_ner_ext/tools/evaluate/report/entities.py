"""The sections of the page about entities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .blocks import Block, Charts, Examples, Section
from .cells import decimals
from .charts import MOST_LINES, import_figures
from .drawing import Painter
from .matrix import matrix_table
from .tables import (
    bin_table,
    calibration_table,
    error_table,
    group_table,
    label_table,
    metric_table,
    nervaluate_table,
    threshold_table,
)

ALL = "(all)"
GROUPS = {
    "entity_length": ("Length of the entity", ""),
    "seen": (
        "Seen or unseen",
        "Whether training data has an entity of this form: with the same label, with "
        "another one only, or not.",
    ),
    "sentence_length": ("Length of the sentence", ""),
}
HEAT_NOTE = (
    "Rows are gold, columns predicted; the stronger the colour, the larger the share "
    "of its row. Blue is the right label"
)
RELIABILITY_NOTE = (
    "On the dotted line, predictions are right as often as their probabilities say; "
    "below it the model is too sure. ECE is the mean distance from it."
)
EXAMPLE_NOTE = (
    "The most instructive ones first. What differs from gold is framed; the number "
    "after a label is its probability. Documents count from 0."
)
NO_SCORES = (
    "There is none: the predictions have no probabilities, or there are no predictions."
)
Result = Mapping[str, Any]


def entity_sections(entities: Result | None, painter: Painter) -> list[Section]:
    """Lay out all about entities.

    entities: The part of the result.
    RETURNS: The sections; one if there are no entities.
    """
    if not entities:
        lead = "None: the pipeline predicts no entities, and the corpus has none."
        return [Section("entities", "Entities", lead)]
    return [
        Section(
            "labels",
            "Labels",
            "Exact entities: the same boundaries and the same label.",
            [label_table(entities["metrics"]["exact"], "Labels")],
        ),
        _metrics(entities),
        _errors(entities),
        _groups(entities.get("groups") or {}),
        threshold_section(entities.get("thresholds"), entities["metrics"]["exact"]),
        calibration_section(entities.get("calibration")),
        _examples(entities.get("examples") or [], painter),
    ]


def _metrics(entities: Result) -> Section:
    blocks: list[Block] = [metric_table(entities["metrics"])]
    if entities.get("nervaluate"):
        blocks.append(nervaluate_table(entities["nervaluate"]))
    return Section("metrics", "Other metrics", "", blocks)


def _errors(entities: Result) -> Section:
    blocks: list[Block] = []
    if entities.get("errors"):
        blocks.append(error_table(entities["errors"]))
    if entities.get("confusion"):
        note = f"{HEAT_NOTE}, whatever the boundaries."
        none = ("(spurious)", "(missed)")
        blocks.append(matrix_table(entities["confusion"], "Confusion", note, none))
    lead = "" if blocks else "There is neither gold nor prediction."
    return Section("errors", "Errors", lead, blocks)


def _groups(groups: Result) -> Section:
    blocks = [
        group_table(groups[key], title, note)
        for key, (title, note) in GROUPS.items()
        if groups.get(key)
    ]
    lead = "" if blocks else "There is neither gold nor prediction."
    if blocks and not groups.get("seen"):
        lead = "With '--train CORPUS' entities are also split into seen and unseen."
    return Section("groups", "Groups of entities", lead, blocks)


def threshold_section(
    thresholds: Result | None, scores: Result, prefix: str = ""
) -> Section:
    """Lay out what thresholds on probabilities do.

    thresholds: The part of a result.
    scores: Scores with "labels", for their support.
    prefix: What its anchor starts with.
    """
    title, key = "Precision and recall over the threshold", f"{prefix}thresholds"
    if not thresholds:
        return Section(key, title, NO_SCORES)
    curves, best = thresholds["curves"], thresholds["best"]
    shown = _largest([label for label in curves if label != ALL], scores["labels"])
    images = []
    if ALL in curves:
        drawn = import_figures().draw_thresholds(curves[ALL], best.get(ALL), key)
        images.append(("Precision, recall and F1 over the threshold", drawn))
    if shown:
        lines = {label: curves[label] for label in shown}
        drawn = import_figures().draw_precision_recall(lines, best, f"{key}-labels")
        images.append((f"Precision over recall of {', '.join(shown)}", drawn))
    more = len([label for label in curves if label != ALL]) - len(shown)
    note = "A ring marks the best F1."
    if more:
        note += f" Drawn are the labels with most gold, without {more} others."
    return Section(
        key, title, "", [Charts(title, images, note), threshold_table(best, curves)]
    )


def _largest(labels: Sequence[str], scores: Mapping[str, Result]) -> list[str]:
    def support(label: str) -> int:
        return (scores.get(label) or {}).get("support") or 0

    return sorted(labels, key=lambda label: (-support(label), label))[:MOST_LINES]


def calibration_section(calibration: Result | None, prefix: str = "") -> Section:
    """Lay out how far probabilities can be trusted.

    calibration: The part of a result.
    prefix: What its anchor starts with.
    """
    title, key = "Calibration", f"{prefix}calibration"
    if not calibration:
        return Section(key, title, NO_SCORES)
    measures = [
        f"ECE {decimals(calibration.get('ece'))}",
        f"Brier score {decimals(calibration.get('brier'))}",
        f"log loss {decimals(calibration.get('log_loss'))}",
        f"{calibration.get('count', 0):,} predictions",
    ]
    image = import_figures().draw_reliability(calibration["bins"], key)
    blocks: list[Block] = [
        Charts(title, [("Reliability diagram", image)], RELIABILITY_NOTE),
        bin_table(calibration),
    ]
    if calibration.get("labels"):
        blocks.append(calibration_table(calibration["labels"]))
    return Section(key, title, ", ".join(measures) + ".", blocks)


def _examples(examples: Sequence[Result], painter: Painter) -> Section:
    title = "Examples of errors"
    if not examples:
        return Section("examples", title, "There are no errors.")
    drawn = painter.entities(examples)
    return Section("examples", title, EXAMPLE_NOTE, [Examples("entities", drawn)])
