"""Write tasks for annotation tools: texts with suggested entities."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ...util.files import check_output, replacing

# The names of the controls in Label Studio's labeling config.
FROM_NAME, TO_NAME = "label", "text"
# Marks a task in Prodigy's format, whose spans are not gold before it has an answer.
MARK = "suggested"


class TaskSpan(NamedTuple):
    """An entity in characters; `score` is its probability, None if it has none."""

    start: int
    end: int
    label: str
    score: float | None = None


@dataclass(frozen=True)
class Task:
    """A text to annotate.

    tokens: The start and end of each token in characters; None if they are not known.
    score: What the tool can sort tasks by, such as their uncertainty.
    meta: What the tool shows or carries along: plain values by name.
    """

    text: str
    spans: Sequence[TaskSpan] = ()
    tokens: Sequence[tuple[int, int]] | None = None
    score: float | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)


def write_tasks(path: str | Path, tasks: Iterable[Task], format: str) -> None:
    """Write tasks as one of TASK_FORMATS: lines of JSON for Prodigy and doccano, a list
    for Label Studio.

    RAISES (UserError): If the file cannot be written, or its name has another ending.
    """
    path, (to_dict, suffix) = Path(path), TASK_FORMATS[format]
    check_output(path, suffix)
    values = [to_dict(task) for task in tasks]
    with replacing(path) as temporary, temporary.open("w", encoding="utf8") as file:
        if suffix == ".json":
            json.dump(values, file, ensure_ascii=False, indent=1)
        else:
            file.writelines(json.dumps(v, ensure_ascii=False) + "\n" for v in values)


def _prodigy(task: Task) -> dict[str, Any]:
    values = {"text": task.text, "meta": _meta(task), MARK: True}
    spans = [_without_none(span._asdict()) for span in task.spans]
    if task.tokens is not None:
        starts = {start: i for i, (start, _) in enumerate(task.tokens)}
        ends = {end: i for i, (_, end) in enumerate(task.tokens)}
        for span in spans:
            span["token_start"] = starts[span["start"]]
            span["token_end"] = ends[span["end"]]
        values["tokens"] = [
            {
                "text": task.text[start:end],
                "start": start,
                "end": end,
                "id": i,
                "ws": task.text[end : end + 1] == " ",
            }
            for i, (start, end) in enumerate(task.tokens)
        ]
    return {**values, "spans": spans}


def _label_studio(task: Task) -> dict[str, Any]:
    results = [
        {
            "id": str(i),
            "from_name": FROM_NAME,
            "to_name": TO_NAME,
            "type": "labels",
            "value": {
                "start": span.start,
                "end": span.end,
                "text": task.text[span.start : span.end],
                "labels": [span.label],
            },
            **_without_none({"score": span.score}),
        }
        for i, span in enumerate(task.spans)
    ]
    # The tool takes tasks with a low score first.
    score = None if task.score is None else 1 / (1 + task.score)
    made = {"model_version": "spacy_ner_ext", "score": score, "result": results}
    return {
        "data": {TO_NAME: task.text, "meta": _meta(task)},
        "predictions": [_without_none(made)],
    }


def _doccano(task: Task) -> dict[str, Any]:
    label = [[span.start, span.end, span.label] for span in task.spans]
    return {"text": task.text, "label": label, "meta": _meta(task)}


def _meta(task: Task) -> dict[str, Any]:
    return {**task.meta, **_without_none({"score": task.score})}


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


TASK_FORMATS = {
    "prodigy": (_prodigy, ".jsonl"),
    "label-studio": (_label_studio, ".json"),
    "doccano": (_doccano, ".jsonl"),
}
