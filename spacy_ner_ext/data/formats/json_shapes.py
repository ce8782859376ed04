"""The shapes of JSON records: one table, `SHAPES`, for guessing and for reading.

To add a shape, write a function that reads it and add a row to the table.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

from ..record import Record
from . import json_object as objects
from . import json_studio as studio
from . import json_words as words
from .json_file import checked, excerpt
from .json_spans import STARTS, ValuePlace, Values, first, is_plain_label

# Lists of records in one object: of NER Annotator, LightTag and Rasa.
LISTS = ("annotations", "examples", "common_examples")
LABELS = ("label", "labels")
ROW = ("tokens", "ner_tags")
RECORDS = 100


def read_records(value: Any, place: ValuePlace) -> Iterator[Record]:
    """Read the records of a value of any shape; those that were rejected are noted."""
    shape = _find(value)
    if shape is None:
        what = f"{excerpt(value)} is not a record of a known shape"
        raise place.error(f'{what}; write {{"text": "", "spans": [[0, 3, "PER"]]}}')
    yield from shape.read(value, place)


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
    shape = _find(value)
    return shape.format if shape else None


def _read_pair(value: list[Any], place: ValuePlace) -> Iterator[Record]:
    text = checked(value[0], str, "the first of two values", place)
    annotation = checked(value[1], dict, "the second of two values", place)
    known = ("entities", "cats")
    for key in annotation:
        if key not in known:
            place.note("skipped", f"'{key}'")
    kept = {key: annotation[key] for key in known if key in annotation}
    return objects.read_object({"text": text, **kept}, place)


def _records_in(value: Values) -> list[Any]:
    inside = {} if first(value, objects.TEXTS) else value.get("rasa_nlu_data", value)
    lists = [inside.get(name) for name in LISTS] if isinstance(inside, dict) else []
    return next((items for items in lists if isinstance(items, list)), [])


def _read_list(value: Values, place: ValuePlace) -> Iterator[Record]:
    for item in _records_in(value):
        if item is None:
            place.note("skipped", "a text that was not annotated, null")
        else:
            yield from read_records(item, place)


def _has_category(value: Values) -> bool:
    if not isinstance(value.get("text"), str) or first(value, STARTS):
        return False
    labels = value.get("label", value.get("labels"))
    labels = labels if isinstance(labels, list) else [labels]
    is_plain = all(map(is_plain_label, labels)) and bool(labels)
    is_named = objects.are_truths(value.get("label"))
    return is_plain or is_named or isinstance(value.get("cats"), dict | list)


class Shape(NamedTuple):
    """A shape of JSON values, and their format; None if that is uncertain."""

    name: str
    format: str | None
    fits: Callable[[Any], Any]
    read: Callable[[Any, ValuePlace], Iterator[Record]]
    kind: type = dict


# The first that fits counts.
SHAPES = (
    Shape(
        "a pair of spaCy 2", "jsonl", lambda value: len(value) == 2, _read_pair, list
    ),
    Shape("Label Studio", "jsonl", studio.is_task, studio.read_task),
    Shape("Argilla", "jsonl", studio.is_argilla, studio.read_argilla),
    Shape(
        "spaCy's JSON",
        "jsonl",
        lambda v: type(v.get("paragraphs")) is list,
        words.read_spacy_json,
    ),
    Shape("a list, as of NER Annotator", "jsonl", _records_in, _read_list),
    Shape("datasets", "datasets", lambda v: {*v} >= {*ROW}, words.read_tags),
    Shape("words and tags", "jsonl", words.find_tags, words.read_tags),
    Shape("GLiNER, SciERC", "jsonl", words.counts_words, words.read_word_spans),
    Shape("a span a row", "jsonl", objects.is_span_row, objects.read_span_row),
    Shape("JSON-MIN of Label Studio", "jsonl", studio.is_minimal, studio.read_minimal),
    Shape("Prodigy, Doccano", "jsonl", objects.is_annotated, objects.read_object),
    Shape("a category of a text", "textcat", _has_category, objects.read_object),
    Shape("a text", None, lambda v: first(v, objects.TEXTS), objects.read_object),
)


def _find(value: Any) -> Shape | None:
    known = (shape for shape in SHAPES if isinstance(value, shape.kind))
    return next((shape for shape in known if shape.fits(value)), None)
