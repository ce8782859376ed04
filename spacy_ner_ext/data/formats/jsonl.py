"""JSON of annotation tools: all `SHAPES` are read, Prodigy's is written.

To add a shape, write a function that reads it and add a row to the table.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from spacy.tokens import Doc, Span

from ...util.errors import Place
from ..docs import reads_docs
from ..record import Record
from ..report import ConversionReport
from . import json_object as objects
from . import json_studio as studio
from . import json_words as words
from .json_file import array, checked, excerpt, field, read_json_values
from .json_spans import ValuePlace, Values, check_annotators, first
from .spans import NAMES, ExportedDoc, writes_docs

Rows = Callable[[], Iterable[tuple[Place, Any]]]
METADATA = "-metadata"
# Lists of records in one object: of NER Annotator, LightTag and Rasa.
LISTS = ("annotations", "examples", "common_examples")
LABELS = ("label", "labels")
ROW = ("tokens", "ner_tags")
# Keys of formats that are not read, with their names.
COMPREHEND = "annotation of AWS Comprehend, whose text is in another file"
REFUSED = {
    "annotatable": "tagtog's ann.json, whose text is in another file",
    **dict.fromkeys(("Entities", "Begin Offset"), COMPREHEND),
    **dict.fromkeys(("source-ref", "textGcsUri"), "a list of addresses, not of texts"),
    "documentName": "UBIAI's JSON",
    "luis_schema_version": "an app of LUIS",
    "projectFileVersion": "a project of Azure, whose texts are in other files",
    "vertexSet": "DocRED",
    "passages": "BigBIO's schema, or BioC, which --format bioc reads",
}
# Values at the start of a file by which its format is guessed.
RECORDS = 100
# The values of tokens and spans that Prodigy has.
TOKEN = ("text", "start", "end", "id", "ws")
SPAN = ("start", "end", "token_start", "token_end", "label")


def _read_pair(value: list[Any], place: ValuePlace) -> Iterator[Record]:
    text = checked(value[0], str, "the first of two values", place)
    annotation = checked(value[1], dict, "the second of two values", place)
    known = {key: annotation[key] for key in ("entities", "cats") if key in annotation}
    for key in [key for key in annotation if key not in known]:
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


def _is_manifest(value: Values) -> bool:
    return "source" in value and any(key.endswith(METADATA) for key in value)


def _read_manifest(value: Values, place: ValuePlace) -> Iterator[Record]:
    """SageMaker Ground Truth: "JOB" has the spans, or "JOB-metadata" the classes."""
    read: dict[str, Any] = {"text": value["source"]}
    for key in [key for key in value if key.endswith(METADATA)]:
        found, about = value.get(key.removesuffix(METADATA)), value[key]
        about = about if isinstance(about, dict) else {}
        classes = about.get("class-map", {"": about.get("class-name")})
        if isinstance(found, dict):
            read["spans"] = field(found, "annotations", dict, place).get("entities")
        elif isinstance(classes, dict) and any(classes.values()):
            read["label"] = [*classes.values()]
        else:
            place.note("not_understood", f"'{key.removesuffix(METADATA)}'")
    return objects.read_object(read, place)


def _read_automl(value: Values, place: ValuePlace) -> Iterator[Record]:
    """AutoML Natural Language: a span is an object in an object."""
    spans: list[Values] = []
    for one in array(value, "annotations", place):
        inner = field(one, "text_extraction", dict, place)
        segment = field(inner, "text_segment", dict, place)
        spans.append({**segment, "label": one.get("display_name")})
    text = field(value["text_snippet"], "content", str, place)
    return objects.read_object({"text": text, "spans": spans}, place)


def _refuse(value: Values, place: ValuePlace) -> NoReturn:
    what = next(REFUSED[key] for key in value if key in REFUSED)
    raise place.error(f"this is {what}; write its texts and spans as JSON lines")


class Shape(NamedTuple):
    """A shape of JSON values, and their format; None if that is uncertain."""

    name: str
    fits: Callable[[Any], Any]
    read: Callable[[Any, ValuePlace], Iterator[Record]]
    format: str | None = "jsonl"
    kind: type = dict


# The first that fits counts.
SHAPES = (
    Shape("a pair of spaCy 2", lambda v: len(v) == 2, _read_pair, kind=list),
    Shape("Label Studio", lambda v: type(v.get("data")) is dict, studio.read_task),
    Shape("Argilla", studio.is_argilla, studio.read_argilla),
    Shape("spaCy's JSON", lambda v: "paragraphs" in v, words.read_spacy_json),
    Shape("SageMaker", _is_manifest, _read_manifest),
    Shape("AutoML", lambda v: "text_snippet" in v, _read_automl),
    Shape("refused", lambda v: v.keys() & REFUSED.keys(), _refuse),
    Shape("a list, as of NER Annotator", _records_in, _read_list),
    Shape("datasets", lambda v: {*v} >= {*ROW}, words.read_tags, "datasets"),
    Shape("words and tags", words.find_tags, words.read_tags),
    Shape("GLiNER, SciERC", words.counts_words, words.read_word_spans),
    Shape("a span a row", objects.is_span_row, objects.read_span_row),
    Shape("JSON-MIN of Label Studio", studio.is_minimal, studio.read_minimal),
    Shape("Prodigy, Doccano", objects.is_annotated, objects.read_object),
    Shape("a category", objects.has_category, objects.read_object, "textcat"),
    Shape("a text", lambda v: first(v, objects.TEXTS), objects.read_object, None),
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
    place.is_certain = shape.read is not objects.read_object
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
    return getattr(_find(value), "format", None)


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
    merged: dict[str, Record] = {}
    options: dict[str, dict[str, float]] | None = None
    is_understood = False

    def read(report: ConversionReport) -> Iterator[tuple[ValuePlace, Record]]:
        for found, value in rows():
            place = ValuePlace(*found)
            place.report, place.annotator = report, annotator
            for record in read_records(value, place):
                yield place, record

    for place, record in read(report):
        has_any = record.entities is not None or bool(record.cats)
        is_understood |= has_any or place.is_certain
        if record.choices is not None:
            options = _survey(read(ConversionReport())) if options is None else options
            _complete(record, options)
        if not place.is_part:
            yield record
        elif record.text not in merged:
            merged[record.text] = record
        else:
            _merge(merged[record.text], record)
            if not record.is_complete or record.entities is None:
                place.note("merged", "an answer about a text seen before")
    yield from merged.values()
    check_annotators(annotator, path, report)
    unknown = report.notes["not_understood"]
    if unknown.count and not is_understood:
        where, what = unknown.examples[0]
        advice = 'write the entities as "spans": [[0, 3, "PER"]]'
        raise where.error(f"{what} is not understood; {advice}")


def _survey(records: Iterable[tuple[Place, Record]]) -> dict[str, dict[str, float]]:
    """The choices of each question of a file; "" stands for that about entities."""
    options: dict[str, dict[str, float]] = {}
    for _, record in records:
        questions = {**(record.choices or {}), **({"": ()} if record.entities else {})}
        for question, chosen in questions.items():
            options.setdefault(question, {}).update(dict.fromkeys(chosen, 0.0))
    return options


def _complete(record: Record, options: dict[str, dict[str, float]]) -> None:
    """Add the choices that were not made. If there are only choices in the file,
    nobody looked for entities."""
    for question in record.choices or ():
        record.cats = {**options[question], **record.cats}
    if not record.entities and options and "" not in options:
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
