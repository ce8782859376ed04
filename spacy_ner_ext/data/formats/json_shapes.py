"""The shapes of JSON records: one table, `SHAPES`, for guessing and for reading.

To add a shape, write a function that reads it and add a row to the table.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ...util.errors import Place
from ..record import Entity, Record
from ..report import NotedPlace
from .json_file import as_name, checked, excerpt, field, name_of
from .json_spans import read_spans, read_starts, read_words, spans_of_words

Values = Mapping[str, Any]
TEXT_KEYS = ("text", "data")
SPAN_KEYS = ("spans", "entities", "label", "labels")
LABEL_KEYS = ("label", "labels")
ANSWERS = ("", "accept", "reject", "ignore")
# The second is the name in versions before 1.0.
ANNOTATIONS = ("annotations", "completions")


def read_record(value: Any, place: NotedPlace) -> Record | None:
    """Read one record of any shape; None if it was rejected or ignored."""
    for shape in SHAPES:
        if shape.read is not None and shape.fits(value):
            return shape.read(value, place)
    known = "; ".join(shape.example for shape in SHAPES if shape.read is not None)
    what = f"{excerpt(value)} is not a record of a known shape"
    raise place.error(f"{what}; write one of: {known}")


def guess_of_value(value: Any) -> str | None:
    """Guess the format of a JSON value or table row; None if it is not certain."""
    return next((shape.format for shape in SHAPES if shape.is_certain(value)), None)


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2


def _read_pair(value: list[Any], place: NotedPlace) -> Record:
    text = checked(value[0], str, "the first of two values", place)
    annotation = checked(value[1], dict, "the second of two values", place)
    for key in annotation:
        if key not in ("entities", "cats"):
            place.note("skipped", f"'{key}'")
    return Record(
        place,
        text=text,
        entities=_entities(annotation, ["entities"], text, place),
        cats=_cats(annotation, place),
    )


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and any(value.get(k) is not None for k in TEXT_KEYS)


def _read_object(values: Values, place: NotedPlace) -> Record | None:
    key = next(key for key in TEXT_KEYS if values.get(key) is not None)
    text = field(values, key, str, place)
    answer = name_of(values, "answer", place)
    if answer not in ANSWERS:
        known = ", ".join(ANSWERS[1:])
        raise place.error(f"the answer is '{answer}'; use one of {known}")
    if answer in ("reject", "ignore"):
        place.note("rejected", f"the answer is {answer}")
        return None
    _note_skipped(_list(values, "relations", place), "relation", place)
    keys = [key for key in SPAN_KEYS if not _names(values.get(key))]
    record = Record(
        place,
        text=text,
        entities=_entities(values, keys, text, place),
        cats=_cats(values, place),
        id=name_of(values, "id", place),
        document=name_of(values, "document", place),
        lang=name_of(values, "lang", place),
    )
    if values.get("meta") is not None:
        record.meta = field(values, "meta", dict, place)
    if values.get("tokens") is not None:
        _add_tokens(record, values)
    return record


def _add_tokens(record: Record, values: Values) -> None:
    place = record.place
    tokens = field(values, "tokens", list, place)
    record.words, spaces = read_words(tokens, record.text, place)
    record.spaces = None if values.get("unknown_spaces") is True else spaces
    record.starts = read_starts(values, len(record.words), place)
    in_words = spans_of_words(record.entities or [], record.words, spaces)
    if in_words is not None and record.entities is not None:
        record.entities, record.in_words = in_words, True


def _entities(
    values: Values, keys: list[str], text: str, place: NotedPlace
) -> list[Entity] | None:
    given = [key for key in keys if values.get(key) is not None]
    if not given:
        return None
    spans = [span for key in given for span in _list(values, key, place)]
    return read_spans(spans, text, place)


def _list(values: Values, name: str, place: Place) -> list[Any]:
    return field(values, name, list, place) if values.get(name) is not None else []


def _names(value: Any) -> list[str]:
    """The categories in a value; empty if it holds spans."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return value
    return []


def _cats(values: Values, place: Place) -> dict[str, float]:
    cats: dict[str, float] = {}
    for option in _list(values, "options", place):
        option_id = checked(option, dict, "an option", place).get("id")
        cats[as_name(option_id, "'id' of an option", place)] = 0.0
    chosen = [name for key in LABEL_KEYS for name in _names(values.get(key))]
    accepted = _list(values, "accept", place)
    chosen += [as_name(name, "an accepted option", place) for name in accepted]
    cats.update(dict.fromkeys(chosen, 1.0))
    if values.get("cats") is not None:
        for name, value in field(values, "cats", dict, place).items():
            number = float(value) if isinstance(value, bool) else value
            cats[name] = float(checked(number, float, f"category '{name}'", place))
    return cats


def _is_task(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("data"), dict)


def _read_task(values: Values, place: NotedPlace) -> Record | None:
    key = next((key for key in ANNOTATIONS if values.get(key)), None)
    annotations = [] if key is None else _objects(values, key, place)
    valid = [values for values in annotations if not values.get("was_cancelled")]
    if annotations and not valid:
        place.note("rejected", "all annotations are cancelled")
        return None
    _note_skipped(annotations[1:], "further annotation", place)
    predictions = checked(values.get("predictions") or [], list, "'predictions'", place)
    _note_skipped(predictions, "prediction", place)
    results = _objects(valid[0], "result", place) if valid else []
    text = _text(field(values, "data", dict, place), results, place)
    entities, cats = _read_results(results, text, place)
    return Record(
        place,
        text=text,
        entities=entities if valid else None,
        cats=cats,
        id=name_of(values, "id", place),
    )


def _objects(values: Values, name: str, place: Place) -> list[dict[str, Any]]:
    items = field(values, name, list, place)
    return [checked(item, dict, f"a value of '{name}'", place) for item in items]


def _note_skipped(items: Sequence[Any], what: str, place: NotedPlace) -> None:
    for _ in items:
        place.note("skipped", what)


def _text(data: dict[str, Any], results: list[dict[str, Any]], place: Place) -> str:
    strings = [name for name, value in data.items() if isinstance(value, str)]
    wanted = [name_of(result, "to_name", place) for result in results]
    for name in (*wanted, "text", *(strings if len(strings) == 1 else ())):
        if name in strings:
            return str(data[name])
    what = f"'data' has no 'text', but {', '.join(data) or 'nothing'}"
    raise place.error(f"{what}; name the text 'text'")


def _read_results(
    results: list[dict[str, Any]], text: str, place: NotedPlace
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
            place.note("skipped", f"result of type {kind or 'unknown'}")
    entities = read_spans(spans, text, place)
    return entities if has_spans or not cats else None, cats


def _is_tagged(value: Any) -> bool:
    return isinstance(value, dict) and "tokens" in value and "ner_tags" in value


def _has_spans(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    label = value.get("label")
    return (
        any(key in value for key in ("spans", "entities", "annotations", "labels"))
        or (isinstance(label, list) and any(isinstance(v, list | dict) for v in label))
        or ("text" in value and "tokens" in value)
    )


def _has_category(value: Any) -> bool:
    if not isinstance(value, dict) or "text" not in value:
        return False
    return "cats" in value or value.get("label") not in (None, [])


class Shape(NamedTuple):
    """A shape of JSON records.

    is_certain, fits: Whether a value of an unknown format, or of `jsonl`, has it.
    read: Reads a value of `jsonl`; None if another format reads it.
    """

    example: str
    format: str
    is_certain: Callable[[Any], bool]
    fits: Callable[[Any], bool]
    read: Callable[..., Record | None] | None


# The first that fits counts.
SHAPES = (
    Shape('["text", {"entities": [[0, 3, "PER"]]}] of spaCy 2', "jsonl",
          lambda value: isinstance(value, list), _is_pair, _read_pair),
    Shape('{"tokens": [], "ner_tags": []} of datasets', "datasets",
          _is_tagged, _is_tagged, None),
    Shape('{"data": {"text": ""}, "annotations": []} of Label Studio', "jsonl",
          lambda value: _is_task(value) and _has_spans(value), _is_task, _read_task),
    Shape('{"text": "", "spans": []} of Prodigy and Doccano', "jsonl",
          _has_spans, _is_object, _read_object),
    Shape('{"text": "", "label": ""} of a table', "textcat",
          _has_category, _has_category, None),
)  # fmt: skip
