"""Scores, counts and matrices of a result as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ....scorers.counts import AVERAGES
from .blocks import Cell, Table
from .cells import (
    MISSING,
    bar_cell,
    count_cell,
    decimals,
    interval,
    probability,
    score_cell,
)

Score = Mapping[str, Any]
SCORE_HEADER = ("F1", "", "F1 interval", "precision", "recall", "gold", "predicted")
NERVALUATE = {
    "strict": "strict: boundaries and label",
    "exact": "exact: boundaries",
    "partial": "partial: overlap of boundaries",
    "ent_type": "type: overlap and label",
}
ERRORS = {
    "correct": "correct",
    "wrong_label": "wrong label",
    "wrong_boundary": "wrong boundary",
    "wrong_label_and_boundary": "wrong label and boundary",
    "missed": "missed",
    "spurious": "spurious",
}
COUNTED = ("correct", "incorrect", "partial", "missed", "spurious")


def label_table(scores: Mapping[str, Any], title: str, note: str = "") -> Table:
    """A row a label, below them the averages.

    scores: "micro", "macro", "weighted" and "labels".
    title: What they are scores of.
    """
    return Table(
        title,
        ("label", *SCORE_HEADER),
        [_score_row(label, score) for label, score in scores["labels"].items()],
        [_score_row(each, scores[each]) for each in AVERAGES if scores.get(each)],
        note,
    )


def group_table(groups: Sequence[Score], title: str, note: str = "") -> Table:
    """A row a group of entities."""
    rows = [_score_row(group["name"], group) for group in groups]
    header = ("group", *SCORE_HEADER)
    return Table(title, header, rows, (), note, can_be_sorted=False)


def _score_row(name: str, score: Score) -> list[Cell]:
    return [
        Cell(name),
        score_cell(score.get("f"), "main"),
        bar_cell(score),
        Cell(interval(score.get("f_interval")), score.get("f"), "faint"),
        *(score_cell(score.get(name)) for name in "pr"),
        *(count_cell(score.get(name)) for name in ("support", "predicted")),
    ]


def metric_table(metrics: Mapping[str, Any]) -> Table:
    """The metrics beside each other."""
    header = ("metric", *SCORE_HEADER[:-2], "macro F1", "weighted F1")
    rows = []
    for name, scores in metrics.items():
        micro = scores["micro"]
        rows.append(
            [
                *_score_row(name, micro)[:-2],
                *(score_cell(scores[each].get("f")) for each in AVERAGES[1:]),
            ]
        )
    note = (
        "exact: the same boundaries and the same label. overlap: at least half of the "
        "words in common (Dice ≥ 0.5) and the same label. token: words with the right "
        "label. Micro averages but for the last two columns."
    )
    return Table("Metrics", header, rows, (), note, can_be_sorted=False)


def nervaluate_table(scores: Mapping[str, Any]) -> Table:
    """The four schemes of nervaluate.

    scores: Scores and counts by scheme.
    """
    rows = [
        [
            Cell(name),
            score_cell(scores[key].get("f1"), "main"),
            *(score_cell(scores[key].get(each)) for each in ("precision", "recall")),
            *(count_cell(scores[key].get(each)) for each in COUNTED),
        ]
        for key, name in NERVALUATE.items()
        if key in scores
    ]
    header = ("scheme", "F1", "precision", "recall", *COUNTED)
    return Table("nervaluate", header, rows, can_be_sorted=False)


def error_table(errors: Mapping[str, Any]) -> Table:
    """How often each error happens.

    errors: Counts, and those of "labels".
    """
    labels = errors.get("labels") or {}
    rows = [[Cell(label), *_counts(counts)] for label, counts in labels.items()]
    total = [[Cell("all"), *_counts(errors)]]
    note = (
        "By gold label; spurious predictions by their own. Wrong label: right "
        "boundaries. Wrong boundary: right label, overlapping boundaries. Spurious: no "
        "gold entity is left for it."
    )
    return Table("Errors by label", ("label", *ERRORS.values()), rows, total, note)


def _counts(counts: Mapping[str, Any]) -> list[Cell]:
    return [count_cell(counts.get(key, 0)) for key in ERRORS]


def threshold_table(best: Mapping[str, Any], curves: Mapping[str, Any]) -> Table:
    """The threshold with the best F of each label.

    best: The best point by label.
    curves: All points by label; the first is that of the lowest threshold.
    RETURNS: A row a label, that of all labels below.
    """
    header = ("label", "best threshold", "precision", "recall", "F1", "F1 now")
    rows = {
        label: [
            Cell(label),
            Cell(probability(point["threshold"]), point["threshold"]),
            *(score_cell(point.get(each)) for each in "pr"),
            score_cell(point.get("f"), "main"),
            score_cell(_first(curves.get(label) or ()).get("f")),
        ]
        for label, point in best.items()
        if point is not None
    }
    total = [rows.pop("(all)")] if "(all)" in rows else []
    note = (
        "Chosen on this corpus, so these scores flatter: choose thresholds on "
        "development data, with 'calibrate'."
    )
    return Table("Best thresholds", header, list(rows.values()), total, note)


def _first(curve: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    return curve[0] if curve else {}


def bin_table(calibration: Mapping[str, Any]) -> Table:
    """The bins of a reliability diagram.

    RETURNS: A row a bin that is not empty.
    """
    rows = [
        [
            Cell(f"{each['low']:.2f} to {each['high']:.2f}", each["low"]),
            count_cell(each["count"]),
            score_cell(each["confidence"]),
            score_cell(each["accuracy"]),
        ]
        for each in calibration["bins"]
        if each["count"]
    ]
    header = ("probability", "predictions", "mean probability", "percent right")
    return Table("Bins", header, rows, can_be_sorted=False)


def calibration_table(labels: Mapping[str, Any]) -> Table:
    """The expected calibration error of each label.

    labels: "ece" and "count" by label.
    """
    rows = [
        [
            Cell(label),
            count_cell(each.get("count")),
            Cell(decimals(each.get("ece")), each.get("ece")),
        ]
        for label, each in labels.items()
    ]
    return Table("By label", ("label", "predictions", "ECE"), rows)


def fact_table(facts: Sequence[tuple[str, str]]) -> Table:
    """Names and values.

    facts: The facts; empty values are left out.
    """
    rows = [
        [Cell(name), Cell(value, kind="text")]
        for name, value in facts
        if value not in ("", MISSING)
    ]
    return Table("", (), rows)
