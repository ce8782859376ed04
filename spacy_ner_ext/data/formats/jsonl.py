"""JSON of annotation tools: all `SHAPES` are read, Prodigy's is written.

To add a shape, write a function that reads it and add a row to the table.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from spacy.tokens import Doc, Span

from ...util.errors import Place
from ..docs import reads_docs
from ..record import Record
from ..report import ConversionReport
from . import json_object as objects
from . import json_studio as studio
from . import json_words as words
from .json_file import checked, excerpt, read_json_values
from .json_spans import ValuePlace, Values, check_annotators, first
from .spans import NAMES, ExportedDoc, writes_docs

Rows = Callable[[], Iterable[tuple[Place, Any]]]
# Lists of records in one object: of NER Annotator, LightTag and Rasa.
LISTS = ("annotations", "examples", "common_examples")
LABELS = ("label", "labels")
ROW = ("tokens", "ner_tags")
# Values at the start of a file by which its format is guessed.
RECORDS = 100
# The values of tokens and spans that Prodigy has.
TOKEN = ("text", "start", "end", "id", "ws")
SPAN = ("start", "end", "token_start", "token_end", "label")


def _read_pair(value: list[Any], place: ValuePlace) -> Iterator[Record]:
    text = checked(value[0], str, "the first of two values", place)
    annotation = checked(value[1], dict, "the second of two values", place)
    known = {
        key: annotation.pop(key) for key in ("entities", "cats") if key in annotation
    }
    for key in annotation:
        place.note("skipped", f"'{key}'")
    return objects.read_object({"text": text, **known}, place)


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


class Shape(NamedTuple):
    """A shape of JSON values, and their format; None if that is uncertain."""

    name: str
    format: str | None
    fits: Callable[[Any], Any]
    read: Callable[[Any, ValuePlace], Iterator[Record]]
    kind: type = dict


# The first that fits counts.
SHAPES = (
    Shape("a pair of spaCy 2", "jsonl", lambda v: len(v) == 2, _read_pair, list),
    Shape("Label Studio", "jsonl", studio.is_task, studio.read_task),
    Shape("Argilla", "jsonl", studio.is_argilla, studio.read_argilla),
    Shape(
        "spaCy's JSON",
        "jsonl",
        lambda v: isinstance(v.get("paragraphs"), list),
        words.read_spacy_json,
    ),
    Shape("a list, as of NER Annotator", "jsonl", _records_in, _read_list),
    Shape("datasets", "datasets", lambda v: {*v} >= {*ROW}, words.read_tags),
    Shape("words and tags", "jsonl", words.find_tags, words.read_tags),
    Shape("GLiNER, SciERC", "jsonl", words.counts_words, words.read_word_spans),
    Shape("a span a row", "jsonl", objects.is_span_row, objects.read_span_row),
    Shape("JSON-MIN of Label Studio", "jsonl", studio.is_minimal, studio.read_minimal),
    Shape("Prodigy, Doccano", "jsonl", objects.is_annotated, objects.read_object),
    Shape("a category", "textcat", objects.has_category, objects.read_object),
    Shape("a text", None, lambda v: first(v, objects.TEXTS), objects.read_object),
)


def _find(value: Any) -> Shape | None:
    known = (shape for shape in SHAPES if isinstance(value, shape.kind))
    return next((shape for shape in known if shape.fits(value)), None)


def read_records(value: Any, place: ValuePlace) -> Iterator[Record]:
    """Read the records of a value of any shape; those that were rejected are noted."""
    shape = _find(value)
    if shape is None:
        what = f"{excerpt(value)} is not a record of a known shape"
        raise place.error(f'{what}; write {{"text": "", "spans": [[0, 3, "PER"]]}}')
    return shape.read(value, place)


def guess_of_values(values: Iterable[Any]) -> str | None:
    """Guess the format of JSON values or table rows; None if it is not certain."""
    known = list(islice(values, RECORDS))
    found = [guess_of_value(value) for value in known]
    # A record without spans may have a category alone.
    order = ("jsonl", "datasets", "textcat")
    format = next((format for format in order if format in found), None)
    others = [value for value, guess in zip(known, found) if guess is None]
    is_labeled = any(v.get(first(v, LABELS)) for v in others if isinstance(v, dict))
    return None if format == "textcat" and is_labeled else format


def guess_of_value(value: Any) -> str | None:
    """Guess the format of a single value."""
    shape = _find(value)
    return shape.format if shape else None


@reads_docs
def read_jsonl(
    path: Path, report: ConversionReport, *, annotator: str | None = None
) -> Iterator[Record]:
    """Read records of annotation tools; documents pass one by one, except answers
    about one suggestion each, which are merged by text."""
    return read_values(partial(read_json_values, path), path, report, annotator)


def read_values(
    rows: Rows, path: Path, report: ConversionReport, annotator: str | None = None
) -> Iterator[Record]:
    """Read JSON values or table rows of any shape."""
    annotators: dict[str, str] = {}
    merged: dict[str, Record] = {}
    survey: _Survey | None = None
    is_understood = False
    for place, value, record in _read(rows, report, annotator, annotators):
        if not is_understood:
            has_any = record.entities is not None or bool(record.cats)
            is_understood = has_any or guess_of_value(value) is not None
        if record.choices is not None:
            survey = survey or _Survey(_read(rows, ConversionReport(), annotator, {}))
            survey.complete(record)
        if not place.is_part:
            yield record
        elif record.text not in merged:
            merged[record.text] = record
        else:
            _merge(merged[record.text], record)
            if not record.is_complete or record.entities is None:
                place.note("merged", "an answer about a text seen before")
    yield from merged.values()
    check_annotators(annotator, annotators, path, report)
    unknown = report.notes["not_understood"]
    if unknown.count and not is_understood:
        where, what = unknown.examples[0]
        advice = 'write the entities as "spans": [[0, 3, "PER"]]'
        raise where.error(f"{what} is not understood; {advice}")


def _read(
    rows: Rows,
    report: ConversionReport,
    annotator: str | None,
    annotators: dict[str, str],
) -> Iterator[tuple[ValuePlace, Any, Record]]:
    for found, value in rows():
        place = ValuePlace(*found)
        place.report = report
        place.annotator, place.annotators = annotator, annotators
        for record in read_records(value, place):
            yield place, value, record


class _Survey:
    """A file whose tool asks several questions: whether one was about spans, and the
    choices of the others."""

    def __init__(self, records: Iterable[tuple[ValuePlace, Any, Record]]) -> None:
        self.has_spans = False
        self.cats: dict[str, dict[str, float]] = {}
        for _, _, record in records:
            self.has_spans |= bool(record.entities)
            for question, chosen in (record.choices or {}).items():
                cats = self.cats.setdefault(question, {})
                cats.update(dict.fromkeys(chosen, 0.0))

    def complete(self, record: Record) -> None:
        """Add the choices that were not made. If there are only choices in the file,
        nobody looked for entities."""
        for question in record.choices or ():
            record.cats = {**self.cats[question], **record.cats}
        if not record.entities and self.cats and not self.has_spans:
            record.entities = None


def _merge(record: Record, other: Record) -> None:
    """Add what another record says about the same text."""
    record.cats.update(other.cats)
    if other.entities is not None:
        is_complete = record.entities is None or record.is_complete
        record.is_complete = other.is_complete and is_complete
        record.entities = [*(record.entities or ()), *other.entities]
        record.missing += other.missing


@writes_docs
def write_jsonl(docs: Iterable[ExportedDoc], folder: Path, name: str) -> None:
    """Write documents as NAME.jsonl."""
    with (folder / f"{name}.jsonl").open("wb") as file:
        for exported in docs:
            values = _to_dict(exported.doc, exported.spans_or_none())
            try:
                text = json.dumps(values, ensure_ascii=False, allow_nan=False)
                line = f"{text}\n".encode()
            except (TypeError, ValueError, RecursionError) as err:
                what = f"the document cannot be written as JSON ({err})"
                raise exported.place.error(f"{what}; correct its user data") from err
            file.write(line)


def _to_dict(doc: Doc, spans: list[Span] | None) -> dict[str, Any]:
    tokens = [(t.text, t.idx, t.idx + len(t), t.i, bool(t.whitespace_)) for t in doc]
    values: dict[str, Any] = {"text": doc.text}
    values["tokens"] = [dict(zip(TOKEN, token)) for token in tokens]
    if doc.has_unknown_spaces:
        values["unknown_spaces"] = True
    if doc.has_annotation("SENT_START"):
        values["sent_starts"] = [token.i for token in doc if token.is_sent_start]
    if spans is not None:
        found = [
            (s.start_char, s.end_char, s.start, s.end - 1, s.label_) for s in spans
        ]
        values["spans"] = [dict(zip(SPAN, span)) for span in found]
    if doc.cats:
        values["cats"] = {label: float(value) for label, value in doc.cats.items()}
    given = {key: doc.user_data.get(key) for key in NAMES}
    return {**values, **{key: value for key, value in given.items() if value}}
