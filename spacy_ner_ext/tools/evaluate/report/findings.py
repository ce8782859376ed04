"""Sentences that sum up where a model fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ....scorers.thresholds import ALL
from ..entity_metrics import NONE
from ..groups import SAME, UNSEEN
from .numbers import p_value, percent, probability, signed, signed_interval

# Labels and groups with fewer gold entities are too small for a conclusion.
FEW = 10
MOST_WEAK = 3
# Smaller differences are not worth a sentence.
GAIN = 0.005
ERRORS = {
    "wrong_label": "right boundaries with a wrong label",
    "wrong_boundary": "right labels with wrong boundaries",
    "wrong_label_and_boundary": "overlaps with another label",
    "missed": "entities that are missed",
    "spurious": "predictions where gold has nothing",
}
Result = Mapping[str, Any]


def find_weak_points(result: Result) -> list[str]:
    """Write one sentence on each finding that applies to a result."""
    entities, found = result.get("entities"), []
    if entities:
        found = [
            _weakest(entities["metrics"]["exact"]["labels"]),
            _main_error(entities.get("errors")),
            _main_confusion(entities.get("confusion")),
            _unseen((entities.get("groups") or {}).get("seen")),
            _confidence(entities.get("calibration")),
            _threshold(entities.get("thresholds")),
        ]
    found.append(_difference(result.get("comparison")))
    return [sentence for sentence in found if sentence]


def _weakest(labels: Result) -> str:
    scored = sorted(
        (score["f"] or 0.0, label, score["support"])
        for label, score in labels.items()
        if (score.get("support") or 0) >= FEW
    )
    weakest = scored[: min(MOST_WEAK, len(scored) - 1)] if len(scored) > 1 else []
    named = ", ".join(f"{name} (F1 {percent(f)}, {n:,} gold)" for f, name, n in weakest)
    return f"Weakest {'labels' if len(weakest) > 1 else 'label'}: {named}." * bool(
        named
    )


def _main_error(errors: Result | None) -> str:
    if not errors:
        return ""
    kinds = {kind: errors.get(kind, 0) for kind in ERRORS}
    total = sum(kinds.values())
    if not total:
        return "There are no errors."
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
        f"Most frequent confusion: {gold} taken for {predicted} "
        f"({count:,} of {total:,})."
    )


def _unseen(groups: Sequence[Result] | None) -> str:
    by_name = {g["name"]: g for g in groups or () if (g.get("support") or 0) >= FEW}
    seen, unseen = by_name.get(SAME), by_name.get(UNSEEN)
    if not seen or not unseen or None in (seen["r"], unseen["r"]):
        return ""
    return (
        f"Recall of forms that training data has with this label is "
        f"{percent(seen['r'])}, of forms that it does not have {percent(unseen['r'])} "
        f"({unseen['support']:,} entities)."
    )


def _confidence(calibration: Result | None) -> str:
    full = [each for each in (calibration or {}).get("bins") or () if each["count"]]
    count = sum(each["count"] for each in full)
    if not count:
        return ""
    gap = sum(e["count"] * (e["confidence"] - e["accuracy"]) for e in full) / count
    if abs(gap) < GAIN:
        return "On average, probabilities are as high as predictions are right."
    direction = "higher" if gap > 0 else "lower"
    return (
        f"On average, probabilities are {percent(abs(gap))} points {direction} than "
        "predictions are right."
    )


def _threshold(thresholds: Result | None) -> str:
    best = ((thresholds or {}).get("best") or {}).get(ALL)
    curve = ((thresholds or {}).get("curves") or {}).get(ALL)
    if not best or not curve or None in (best["f"], curve[0]["f"]):
        return ""
    if best["f"] - curve[0]["f"] < GAIN:
        return ""
    return (
        f"A threshold of {probability(best['threshold'])} gives F1 "
        f"{percent(best['f'])} in place of {percent(curve[0]['f'])} on this corpus."
    )


def _difference(comparison: Result | None) -> str:
    exact = ((comparison or {}).get("differences") or {}).get("exact")
    if comparison is None or not exact:
        return ""
    name, scores = model_name(comparison["model"], "the baseline"), exact["micro"]["f"]
    if scores.get("difference") is None:
        return f"The difference from {name} is not defined."
    p = p_value(scores.get("p_value"))
    return (
        f"Against {name} the F1 differs by {signed(scores['difference'])} "
        f"({signed_interval(scores.get('interval'))}; "
        f"p {p if p.startswith('<') else f'= {p}'})."
    )


def model_name(model: Result | None, otherwise: str) -> str:
    """Name a pipeline by its path or its name."""
    model = model or {}
    return str(model.get("path") or model.get("name") or otherwise)
