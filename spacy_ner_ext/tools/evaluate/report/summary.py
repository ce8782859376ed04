"""What a reader should know first: headline figures, and where the model fails."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..confusion import NONE
from ..groups import SAME, UNSEEN
from .blocks import Bar, Share, Tile
from .cells import (
    MISSING,
    bar_style,
    decimals,
    interval,
    p_value,
    percent,
    probability,
    signed,
)
from .tables import ERRORS

# Labels and groups of fewer gold entities say little.
FEW = 10
MOST_WEAK = 3
# Gains and gaps that are worth a sentence.
GAIN = 0.005
Result = Mapping[str, Any]


def entity_tiles(entities: Result) -> list[Tile]:
    """Headline figures of entities.

    entities: The part of the result.
    """
    exact = entities["metrics"]["exact"]
    micro = exact["micro"]
    tiles = [
        _score_tile("F1", micro, "f", "exact, micro"),
        _score_tile("Precision", micro, "p", "exact, micro"),
        _score_tile("Recall", micro, "r", "exact, micro"),
        _score_tile("Macro F1", exact["macro"], "f", "mean of the labels"),
    ]
    overlap = entities["metrics"].get("overlap")
    if overlap:
        tiles.append(_score_tile("Overlap F1", overlap["micro"], "f", "Dice ≥ 0.5"))
    return [*tiles, *_calibration_tile(entities)]


def category_tiles(categories: Result) -> list[Tile]:
    """Headline figures of categories.

    categories: The part of the result.
    """
    note = "exactly the right categories"
    accuracy = Tile("Accuracy", percent(categories.get("accuracy")), note)
    scores = [
        _score_tile(name, categories[key], "f", note)
        for key, name, note in (
            ("weighted", "Weighted F1", "labels by their gold texts"),
            ("macro", "Macro F1", "mean of the labels"),
            ("micro", "Micro F1", "all decisions"),
        )
        if categories.get(key)
    ]
    return [accuracy, *scores, *_calibration_tile(categories)]


def _score_tile(name: str, score: Result, key: str, note: str) -> Tile:
    bounds = interval(score.get(f"{key}_interval"))
    told = note if bounds == MISSING else f"{bounds} · {note}"
    return Tile(name, percent(score.get(key)), told, bar_style(score, key))


def _calibration_tile(part: Result) -> Iterator[Tile]:
    calibration = part.get("calibration")
    if calibration and calibration.get("ece") is not None:
        yield Tile("ECE", decimals(calibration["ece"]), "calibration error; 0 is best")


def outcome_bar(errors: Result) -> Bar:
    """What became of the gold entities."""
    counts = {key: errors.get(key, 0) for key in ERRORS if key != "spurious"}
    total = sum(counts.values())
    shares = [
        Share(ERRORS[key], count, count / total, key.replace("_", "-"))
        for key, count in counts.items()
        if count
    ]
    spurious = errors.get("spurious", 0)
    note = f"Beside these {spurious:,} predictions are spurious."
    return Bar(f"What became of {total:,} gold entities", shares, note)


def entity_findings(entities: Result) -> list[str]:
    """Where the model fails, in sentences.

    entities: The part of the result.
    RETURNS: One sentence each; those that do not apply are left out.
    """
    found = [
        _weakest(entities["metrics"]["exact"]["labels"]),
        _main_error(entities.get("errors")),
        _main_confusion(entities.get("confusion")),
        _unseen((entities.get("groups") or {}).get("seen")),
        _confidence(entities.get("calibration")),
        _threshold(entities.get("thresholds")),
    ]
    return [sentence for sentence in found if sentence]


def _weakest(labels: Result) -> str:
    scored = [
        (score["f"] or 0.0, label, score["support"])
        for label, score in labels.items()
        if (score.get("support") or 0) >= FEW
    ]
    if len(scored) < 2:
        return ""
    weakest = sorted(scored)[: min(MOST_WEAK, len(scored) - 1)]
    told = ", ".join(f"{name} (F1 {percent(f)}, {n:,} gold)" for f, name, n in weakest)
    return f"Weakest {'labels' if len(weakest) > 1 else 'label'}: {told}."


def _main_error(errors: Result | None) -> str:
    if not errors:
        return ""
    kinds = {key: errors.get(key, 0) for key in ERRORS if key != "correct"}
    total = sum(kinds.values())
    if not total:
        return "There are no errors."
    key = max(kinds, key=lambda kind: kinds[kind])
    what = {
        "missed": "entities that are missed",
        "spurious": "predictions where gold has nothing",
        "wrong_label": "right boundaries with a wrong label",
        "wrong_boundary": "right labels with wrong boundaries",
        "wrong_label_and_boundary": "overlaps with another label",
    }[key]
    share = f"{kinds[key]:,} of {total:,} errors"
    return f"Most frequent error: {what} ({share})."


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
    best = ((thresholds or {}).get("best") or {}).get("(all)")
    curve = ((thresholds or {}).get("curves") or {}).get("(all)")
    if not best or not curve or None in (best["f"], curve[0]["f"]):
        return ""
    if best["f"] - curve[0]["f"] < GAIN:
        return ""
    return (
        f"A threshold of {probability(best['threshold'])} gives F1 "
        f"{percent(best['f'])} in place of {percent(curve[0]['f'])} on this corpus."
    )


def model_name(model: Result, otherwise: str = "the baseline") -> str:
    """What a pipeline is called in sentences.

    model: The part of a result.
    otherwise: What it is called if nothing is known.
    """
    return str(model.get("path") or model.get("name") or otherwise)


def compare_sentence(difference: Result, name: str) -> str:
    """How a model fares against another.

    difference: "ours", "baseline", "difference", "interval" and "p_value".
    """
    if difference.get("difference") is None:
        return f"The difference from {name} is not defined."
    bounds = interval(difference.get("interval"), signed)
    told = f"{signed(difference['difference'])} ({bounds}; p {_equals(difference)})"
    return f"Against {name} the F1 differs by {told}."


def _equals(difference: Result) -> str:
    text = p_value(difference.get("p_value"))
    return text if text.startswith("<") else f"= {text}"
