"""Tasks of Label Studio, as in its JSON export.

The text is the value of "data" that the results name with "to_name"; else "text";
else the only string. Results of type "labels" are entities, those of type "choices"
categories, others are skipped. Of several annotations the first is taken that was not
cancelled. A task with cancelled ones alone is left out, one without any is not
annotated.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ...util.errors import Place, UserError
from ..record import Entity, Record
from ..report import ConversionReport
from .json_checks import checked, field, name_of
from .json_spans import read_spans

Values = Mapping[str, Any]
# The second is what versions before 1.0 call annotations.
ANNOTATIONS = ("annotations", "completions")


def read_task(values: Values, place: Place, report: ConversionReport) -> Record | None:
    """Read one task.

    report: Gets what was repaired or left out.
    RETURNS: The record; None if all annotations are cancelled.
    RAISES (UserError): If it is not as Label Studio writes it.
    """
    annotations = _annotations(values, place)
    valid = [values for values in annotations if not values.get("was_cancelled")]
    if annotations and not valid:
        report.note("rejected", place, "all annotations are cancelled")
        return None
    _note_skipped(annotations[1:], "further annotation", place, report)
    predictions = checked(values.get("predictions") or [], list, "'predictions'", place)
    _note_skipped(predictions, "prediction", place, report)
    results = _objects(valid[0], "result", place) if valid else []
    text = _text(field(values, "data", dict, place), results, place)
    entities, cats = _read_results(results, text, place, report)
    return Record(
        place,
        text=text,
        entities=entities if valid else None,
        cats=cats,
        id=name_of(values, "id", place),
    )


def _annotations(values: Values, place: Place) -> list[dict[str, Any]]:
    key = next((key for key in ANNOTATIONS if values.get(key)), None)
    return [] if key is None else _objects(values, key, place)


def _objects(values: Values, name: str, place: Place) -> list[dict[str, Any]]:
    items = field(values, name, list, place)
    return [checked(item, dict, f"a value of '{name}'", place) for item in items]


def _note_skipped(
    items: Sequence[Any], what: str, place: Place, report: ConversionReport
) -> None:
    for _ in items:
        report.note("skipped", place, what)


def _text(data: dict[str, Any], results: list[dict[str, Any]], place: Place) -> str:
    strings = [name for name, value in data.items() if isinstance(value, str)]
    wanted = [name_of(result, "to_name", place) for result in results]
    for name in (*wanted, "text", *(strings if len(strings) == 1 else ())):
        if name in strings:
            return str(data[name])
    what = f"'data' has no 'text', but {', '.join(data) or 'nothing'}"
    raise UserError.at(place, f"{what}; name the text 'text'")


def _read_results(
    results: list[dict[str, Any]], text: str, place: Place, report: ConversionReport
) -> tuple[list[Entity] | None, dict[str, float]]:
    spans: list[Any] = []
    cats: dict[str, float] = {}
    has_spans = not results
    for result in results:
        kind = name_of(result, "type", place)
        if kind == "labels":
            has_spans = True
            spans.append(field(result, "value", dict, place))
        elif kind == "choices":
            choices = field(field(result, "value", dict, place), kind, list, place)
            for choice in choices:
                cats[checked(choice, str, "a choice", place)] = 1.0
        else:
            report.note("skipped", place, f"result of type {kind or 'unknown'}")
    entities = read_spans(spans, text, place, report)
    return entities if has_spans or not cats else None, cats
