"""Sentences that sum up where a model fails."""

from collections.abc import Mapping
from typing import Any

from ....util.numbers import percent
from ..entity_metrics import NONE

# Labels with fewer gold entities are too small for a conclusion.
FEW = 10
MOST_WEAK = 3
# Smaller differences are not worth a sentence.
GAIN = 0.005
ERRORS = {
    "wrong_label": "right boundaries with a wrong label",
    "wrong_boundary": "right labels with wrong boundaries",
    "wrong_label_and_boundary": "overlaps with another label",
    "missed": "entities that are missed",
    "spurious": "predictions without a gold entity",
}
Result = Mapping[str, Any]


def find_weak_points(entities: Result) -> list[str]:
    """Write one sentence on each weak point of the predicted entities."""
    found = [
        _weakest(entities["metrics"]["exact"]["labels"]),
        _main_error(entities.get("errors")),
        _main_confusion(entities.get("confusion")),
    ]
    return [sentence for sentence in found if sentence]


def _weakest(labels: Result) -> str:
    scored = sorted(
        (score["f"] or 0.0, label, score["support"])
        for label, score in labels.items()
        if (score.get("support") or 0) >= FEW
    )
    if len(scored) < 2:
        return ""
    weakest = scored[: min(MOST_WEAK, len(scored) - 1)]
    named = ", ".join(f"{name} (F1 {percent(f)}, {n:,} gold)" for f, name, n in weakest)
    return f"Weakest {'labels' if len(weakest) > 1 else 'label'}: {named}."


def _main_error(errors: Result | None) -> str:
    if not errors:
        return ""
    kinds = {kind: errors.get(kind, 0) for kind in ERRORS}
    total = sum(kinds.values())
    if not total:
        return "No errors."
    kind = max(kinds, key=lambda kind: kinds[kind])
    share = f"{kinds[kind]:,} of {total:,} errors"
    return f"Most frequent error: {ERRORS[kind]} ({share})."


def _main_confusion(confusion: Result | None) -> str:
    if not confusion:
        return ""
    labels = confusion["labels"]
    pairs = [
        (count, gold, predicted, sum(row))
        for gold, row in zip(labels, confusion["rows"], strict=True)
        for predicted, count in zip(labels, row, strict=True)
        if gold != predicted and NONE not in (gold, predicted)
    ]
    count, gold, predicted, total = max(pairs, default=(0, "", "", 0))
    if not count:
        return ""
    return (
        f"Most frequent confusion: {gold} predicted as {predicted} "
        f"({count:,} of {total:,})."
    )


def overconfidence(calibration: Result) -> float:
    """The mean probability minus the share of correct predictions; 0 if it is small."""
    full = [each for each in calibration["bins"] if each["count"]]
    gap = sum(e["count"] * (e["confidence"] - e["accuracy"]) for e in full)
    gap /= sum(each["count"] for each in full)
    return gap if abs(gap) >= GAIN else 0.0
