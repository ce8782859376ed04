"""The shapes of JSON records: one table, `SHAPES`, for guessing and for reading.

To add a shape, write a function that reads it and add a row to the table.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

from ..record import Record
from . import json_object, json_studio, json_words
from .json_file import checked, excerpt
from .json_spans import STARTS, ValuePlace, Values, first, is_plain_label

# Lists of records in one object: of NER Annotator, LightTag and Rasa.
LISTS = ("annotations", "examples", "common_examples")
LABELS = ("label", "labels")
RECORDS = 100


def read_records(value: Any, place: ValuePlace) -> Iterator[Record]:
    """Read the records of a value of any shape; those that were rejected are noted."""
    for shape in SHAPES:
        if shape.fits(value):
            yield from shape.read(value, place)
            return
    what = f"{excerpt(value)} is not a record of a known shape"
    raise place.error(f'{what}; write {{"text": "", "spans": [[0, 3, "PER"]]}}')


def guess_of_values(values: Iterable[Any]) -> str | None:
    """Guess the format of JSON values or table rows; None if it is not certain."""
    known = list(islice(values, RECORDS))
    found = [guess_of_value(value) for value in known]
    # A record without spans may have a category alone.
    order = ("jsonl", "datasets", "textcat")
    format = next((format for format in order if format in found), None)
    others = [value for value, guess in zip(known, found) if guess is None]
    has_other_labels = any(v.get(first(v, LABELS)) for v in others if type(v) is dict)
    return None if format == "textcat" and has_other_labels else format


def guess_of_value(value: Any) -> str | None:
    """Guess the format of a single value."""
    return next((shape.format for shape in SHAPES if shape.fits(value)), None)


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2


def _read_pair(value: list[Any], place: ValuePlace) -> Iterator[Record]:
    text = checked(value[0], str, "the first of two values", place)
    annotation = checked(value[1], dict, "the second of two values", place)
    kept: dict[str, Any] = {"text": text}
    for key, item in annotation.items():
        if key in ("entities", "cats"):
            kept[key] = item
        else:
            place.note("skipped", f"'{key}'")
    return json_object.read_object(kept, place)


def _records_in(value: Any) -> list[Any]:
    if not isinstance(value, dict) or first(value, json_object.TEXTS):
        return []
    inside = value.get("rasa_nlu_data", value)
    lists = [inside.get(name) for name in LISTS] if isinstance(inside, dict) else []
    return next((items for items in lists if isinstance(items, list)), [])


def _read_list(value: Values, place: ValuePlace) -> Iterator[Record]:
    for item in _records_in(value):
        if item is None:
            place.note("skipped", "a text that was not annotated, null")
        else:
            yield from read_records(item, place)


def _has_category(value: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("text"), str):
        return False
    if first(value, STARTS):
        return False
    labels = value.get("label", value.get("labels"))
    labels = labels if isinstance(labels, list) else [labels]
    is_plain = all(map(is_plain_label, labels)) and bool(labels)
    is_named = json_object.are_truths(value.get("label"))
    return is_plain or is_named or isinstance(value.get("cats"), dict)


class Shape(NamedTuple):
    """A shape of JSON records, and the format of such values; None if uncertain."""

    name: str
    format: str | None
    fits: Callable[[Any], bool]
    read: Callable[[Any, ValuePlace], Iterator[Record]]


# The first that fits counts.
SHAPES = (
    Shape('["text", {"entities": [[0, 3, "PER"]]}] of spaCy 2', "jsonl",
          _is_pair, _read_pair),
    Shape('{"data": {"text": ""}, "annotations": []} of Label Studio', "jsonl",
          json_studio.is_task, json_studio.read_task),
    Shape('{"fields": {"text": ""}, "responses": {}} of Argilla', "jsonl",
          json_studio.is_argilla, json_studio.read_argilla),
    Shape('{"paragraphs": []} of spaCy', "jsonl",
          json_words.is_spacy_json, json_words.read_spacy_json),
    Shape('{"annotations": [["text", {}]]} of NER Annotator', "jsonl",
          lambda value: bool(_records_in(value)), _read_list),
    Shape('{"tokens": [], "ner_tags": []} of datasets', "datasets",
          json_words.is_dataset_row, json_words.read_tags),
    Shape('{"words": [], "tags": []}', "jsonl",
          json_words.has_tags, json_words.read_tags),
    Shape('{"tokenized_text": [], "ner": [[0, 0, "PER"]]} of GLiNER', "jsonl",
          json_words.counts_words, json_words.read_word_spans),
    Shape('{"text": "", "start": 0, "end": 3, "label": ""}, a span a row', "jsonl",
          json_object.is_span_row, json_object.read_span_row),
    Shape('{"text": "", "label": [{"labels": []}]} of JSON-MIN', "jsonl",
          json_studio.is_minimal, json_studio.read_minimal),
    Shape('{"text": "", "spans": []} of Prodigy and Doccano', "jsonl",
          json_object.is_annotated, json_object.read_object),
    Shape('{"text": "", "label": ""} of a table', "textcat",
          _has_category, json_object.read_object),
    Shape('{"text": ""}', None, json_object.has_text, json_object.read_object),
)  # fmt: skip
