"""Records of annotation tools in JSON, told apart by their keys.

* An array of a text and an object: training data of spaCy 2,
  `["text", {"entities": [[0, 3, "PER"]], "cats": {"A": 1.0}}]`.
* An object whose "data" is an object: a task of Label Studio, see `label_studio`.
* An object with a string "text" or "data": Prodigy, Doccano, the short export of Label
  Studio, and what `write_jsonl` writes. Of its keys are read:

* spans, entities, label, labels: spans, see `json_spans`. Without any of these, or with
  null, the text is not annotated. Strings in label and labels are categories.
* cats: values by category; options and accept: what could be chosen, and what was.
* answer: a record with "reject" or "ignore" is left out.
* tokens: gold tokens, which must spell the text; unknown_spaces and sent_starts as
  `jsonl` writes them.
* id, document, lang, meta: kept in `doc.user_data`.
* relations: skipped.
"""

from collections.abc import Mapping
from typing import Any

from ...util.errors import Place, UserError
from ..record import Entity, Record
from ..report import ConversionReport
from .json_checks import as_name, checked, excerpt, field, name_of
from .json_spans import read_spans
from .json_tokens import read_starts, read_words, spans_of_words
from .label_studio import read_task

Values = Mapping[str, Any]
TEXT_KEYS = ("text", "data")
SPAN_KEYS = ("spans", "entities", "label", "labels")
LABEL_KEYS = ("label", "labels")
ANSWERS = ("", "accept", "reject", "ignore")
KNOWN = (
    "objects of Prodigy, Doccano or Label Studio with a 'text', "
    'and ["text", {"entities": [[0, 3, "PER"]]}] of spaCy 2'
)


def read_record(value: Any, place: Place, report: ConversionReport) -> Record | None:
    """Read one record.

    report: Gets what was repaired or left out.
    RETURNS: The record; None if it was rejected or ignored.
    RAISES (UserError): If it is none of the shapes above.
    """
    if isinstance(value, list) and len(value) == 2:
        return _read_pair(value, place, report)
    if isinstance(value, dict):
        if isinstance(value.get("data"), dict):
            return read_task(value, place, report)
        for key in TEXT_KEYS:
            if value.get(key) is not None:
                text = field(value, key, str, place)
                return _read_object(value, text, place, report)
    raise UserError.at(place, f"{excerpt(value)} is no record; these are: {KNOWN}")


def _read_pair(value: list[Any], place: Place, report: ConversionReport) -> Record:
    text = checked(value[0], str, "the first of two values", place)
    annotation = checked(value[1], dict, "the second of two values", place)
    for key in annotation:
        if key not in ("entities", "cats"):
            report.note("skipped", place, f"'{key}'")
    return Record(
        place,
        text=text,
        entities=_entities(annotation, ["entities"], text, place, report),
        cats=_cats(annotation, place),
    )


def _read_object(
    values: Values, text: str, place: Place, report: ConversionReport
) -> Record | None:
    answer = name_of(values, "answer", place)
    if answer not in ANSWERS:
        known = ", ".join(ANSWERS[1:])
        raise UserError.at(place, f"the answer is '{answer}', none of {known}")
    if answer in ("reject", "ignore"):
        report.note("rejected", place, f"the answer is {answer}")
        return None
    for _ in _list(values, "relations", place):
        report.note("skipped", place, "relation")
    keys = [key for key in SPAN_KEYS if not _names(values.get(key))]
    record = Record(
        place,
        text=text,
        entities=_entities(values, keys, text, place, report),
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
    values: Values, keys: list[str], text: str, place: Place, report: ConversionReport
) -> list[Entity] | None:
    given = [key for key in keys if values.get(key) is not None]
    if not given:
        return None
    spans = [span for key in given for span in _list(values, key, place)]
    return read_spans(spans, text, place, report)


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
