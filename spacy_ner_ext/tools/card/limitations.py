"""What a pipeline cannot do, as far as counts and scores show it."""

from collections.abc import Iterator, Sequence

from .corpus import Lost, SplitCounts, TaskCounts
from .pipeline import Task
from .scores import ScoreTable

# Below it spaCy's own "debug data" calls the examples of a label few.
FEW = 50


def limitations(
    tasks: Sequence[Task], splits: Sequence[SplitCounts], tables: Sequence[ScoreTable]
) -> list[str]:
    """Tell what counts and scores say against a pipeline.

    splits: The splits that were given.
    """
    return [
        *(sentence for task in tasks for sentence in _of_task(task)),
        *_of_data(tasks, splits),
        *_of_scores(tables),
    ]


def _of_task(task: Task) -> Iterator[str]:
    if task.flat == "all":
        yield f"Entities that `{task.component}` finds never overlap."
    elif task.flat == "label":
        yield f"Entities of one label that `{task.component}` finds never overlap."


def _of_data(tasks: Sequence[Task], splits: Sequence[SplitCounts]) -> Iterator[str]:
    train = next((split for split in splits if split.name == "train"), None)
    if train is None:
        yield "The training data are not described here, nor which labels are rare."
        return
    for task in tasks:
        counts = train[task.component]
        yield from _few(task, counts)
        yield from _lost(task, counts.lost, sum(counts.labels.values()))


def _few(task: Task, counts: TaskCounts) -> Iterator[str]:
    few = sorted((counts.labels[label], label) for label in task.labels)
    named = [f"{label} ({n})" for n, label in few if n < FEW]
    if named:
        what = "texts" if task.is_categories else "examples"
        yield f"Labels with fewer than {FEW} {what} in train: {', '.join(named)}."


def _lost(task: Task, lost: Lost, total: int) -> Iterator[str]:
    reasons = [
        (lost.misaligned, "their boundaries are not boundaries of tokens"),
        (lost.overlapping, "they overlap a longer one"),
        (lost.too_long, "they have more words than it can find"),
        (lost.unknown.total(), f"it has no label {', '.join(sorted(lost.unknown))}"),
    ]
    for count, reason in reasons:
        if count:
            yield (
                f"`{task.component}` could not learn {count} of {total} entities of "
                f"train: {reason}."
            )


def _of_scores(tables: Sequence[ScoreTable]) -> Iterator[str]:
    if not tables:
        yield "No scores are known."
        return
    if all(table.split == "dev" for table in tables):
        yield "The scores are those on dev, by which the best weights were chosen."
    for table in tables:
        if table.low:
            yield f"Labels with an F below 50 on {table.split}: {', '.join(table.low)}."
