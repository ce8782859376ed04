"""Scores of a pipeline, as tables and as results in a model card's metadata."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...pipes.spans import ENTS
from .pipeline import Task

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

# By what a score is called in spaCy: in metadata of the hub, and for people.
SPAN_METRICS = {"p": "precision", "r": "recall", "f": "f1"}
CATEGORY_METRICS = {
    "cats_accuracy": ("accuracy", "accuracy"),
    "cats_macro_f": ("f1", "macro F"),
    "cats_micro_f": ("f1", "micro F"),
    "cats_weighted_f": ("f1", "weighted F"),
}
NOT_FOUND = "-"
# Scores that have tables, and what is no score.
TABLES = ("ents_", "spans_", "cats_")
NO_SCORES = ("_loss", "speed")


@dataclass(frozen=True)
class ScoreTable:
    """The scores of a component on a split.

    split: The split, such as "dev".
    task: What the component finds.
    rows: Name, precision, recall and F in percent; the first rows are over all labels.
    results: The scores over all labels from 0 to 1, by the hub's name of the metric and
        by what it is called here.
    low: Labels whose F is below one half.
    """

    split: str
    task: Task
    rows: list[tuple[str, ...]]
    results: dict[tuple[str, str], float]
    low: list[str]


def score_tables(
    split: str, scores: Mapping[str, Any], tasks: Sequence[Task]
) -> list[ScoreTable]:
    """Lay out the scores of an evaluation.

    scores: What `Language.evaluate` gives, or the performance in a meta.json.
    RETURNS: A table for each component and place that has scores.
    """
    tables = []
    for task in tasks:
        if task.is_categories:
            tables.append(_category_table(split, scores, task))
        else:
            tables.extend(_span_table(split, scores, task, at) for at in task.places)
    return [table for table in tables if table.results]


def _span_table(
    split: str, scores: Mapping[str, Any], task: Task, place: str
) -> ScoreTable:
    prefix = ENTS if place == ENTS else f"spans_{place}"
    values = {name: scores.get(f"{prefix}_{name}") for name in SPAN_METRICS}
    results = {
        (SPAN_METRICS[name], SPAN_METRICS[name]): float(value)
        for name, value in values.items()
        if isinstance(value, (int, float))
    }
    per_label = scores.get(f"{prefix}_per_type") or {}
    rows = [("all", *(_percent(values[name]) for name in SPAN_METRICS))]
    rows += _label_rows(per_label)
    return ScoreTable(split, task, rows, results, _low(per_label))


def _category_table(split: str, scores: Mapping[str, Any], task: Task) -> ScoreTable:
    results = {
        metric: float(scores[name])
        for name, metric in CATEGORY_METRICS.items()
        if isinstance(scores.get(name), (int, float))
    }
    per_label = scores.get("cats_f_per_type") or {}
    rows: list[tuple[str, ...]] = [
        (shown, "", "", _percent(value)) for (_, shown), value in results.items()
    ]
    rows += _label_rows(per_label)
    return ScoreTable(split, task, rows, results, _low(per_label))


def _label_rows(per_label: Mapping[str, Mapping[str, float]]) -> Iterator[tuple]:
    for label, values in sorted(per_label.items()):
        yield label, *(_percent(values.get(name)) for name in SPAN_METRICS)


def _low(per_label: Mapping[str, Mapping[str, float]]) -> list[str]:
    return sorted(label for label, each in per_label.items() if each["f"] < 0.5)


def _percent(value: float | None) -> str:
    return NOT_FOUND if value is None else f"{100 * value:.1f}"


def other_scores(scores: Mapping[str, Any]) -> dict[str, str]:
    """Find the scores of components that find neither entities nor categories.

    RETURNS: The scores in percent, by what spaCy calls them.
    """
    return {
        name: _percent(value)
        for name, value in sorted(scores.items())
        if isinstance(value, float)
        and not name.startswith(TABLES)
        and not name.endswith(NO_SCORES)
    }


def to_results(
    tables: Sequence[ScoreTable], dataset: str, dataset_id: str | None
) -> list["EvalResult"]:
    """Make the results of a model card's metadata.

    dataset: What the data are called.
    dataset_id: Their name on the hub.
    RETURNS: A result for each score over all labels.
    """
    from huggingface_hub import EvalResult

    return [
        EvalResult(
            task_type=task_type(table.task),
            task_name=f"{table.task.component} ({table.task.factory})",
            dataset_type=dataset_id or "custom",
            dataset_name=dataset,
            dataset_split=table.split,
            metric_type=metric,
            metric_name=shown,
            metric_value=round(value, 4),
        )
        for table in tables
        for (metric, shown), value in table.results.items()
    ]


def task_type(task: Task) -> str:
    """What the hub calls what a component does."""
    return "text-classification" if task.is_categories else "token-classification"
