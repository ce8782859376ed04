"""Scores of a pipeline, as tables and as results in a model card's metadata."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...pipes.spans import ENTS
from .pipeline import Task

SPAN_METRICS = {"p": "precision", "r": "recall", "f": "f1"}
# By spaCy's name of a score: the hub's name, and the name in the table.
CATEGORY_METRICS = {
    "cats_accuracy": ("accuracy", "accuracy"),
    "cats_macro_f": ("f1", "macro F"),
    "cats_micro_f": ("f1", "micro F"),
    "cats_weighted_f": ("f1", "weighted F"),
}
MISSING = "-"


@dataclass(frozen=True)
class ScoreTable:
    """The scores of a component on a split.

    rows: Name, precision, recall and F in percent; overall scores first.
    results: The overall scores, by the hub's name of the metric and the table's.
    low: Labels with an F below 0.5.
    """

    split: str
    task: Task
    rows: list[tuple[str, ...]]
    results: dict[tuple[str, str], float]
    low: list[str]


def score_tables(
    split: str, scores: Mapping[str, Any], tasks: Sequence[Task]
) -> list[ScoreTable]:
    """A table for each component and key that has scores, as in meta.json."""
    tables = (_table(split, scores, task, key) for task in tasks for key in task.keys)
    return [table for table in tables if table.results]


def _table(split: str, scores: Mapping[str, Any], task: Task, key: str) -> ScoreTable:
    prefix = key if key == ENTS else f"spans_{key}"
    metrics = {f"{prefix}_{name}": (m, m) for name, m in SPAN_METRICS.items()}
    per_label = scores.get(f"{prefix}_per_type") or {}
    if task.is_categories:
        metrics, per_label = CATEGORY_METRICS, scores.get("cats_f_per_type") or {}
    results = {
        metric: float(scores[name])
        for name, metric in metrics.items()
        if isinstance(scores.get(name), (int, float))
    }
    rows = [("all", *(_percent(results.get(metric)) for metric in metrics.values()))]
    if task.is_categories:
        rows = [(name, "", "", _percent(value)) for (_, name), value in results.items()]
    rows += [
        (label, *(_percent(values.get(name)) for name in SPAN_METRICS))
        for label, values in sorted(per_label.items())
    ]
    low = sorted(label for label, each in per_label.items() if each["f"] < 0.5)
    return ScoreTable(split, task, rows, results, low)


def _percent(value: float | None) -> str:
    return MISSING if value is None else f"{100 * value:.1f}"


def other_scores(scores: Mapping[str, Any]) -> dict[str, str]:
    """The scores of other components in percent."""
    return {
        name: _percent(value)
        for name, value in sorted(scores.items())
        if isinstance(value, float)
        and not name.startswith(("ents_", "spans_", "cats_"))
        and not name.endswith(("_loss", "speed"))
    }
