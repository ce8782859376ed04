"""JSON of annotation tools: all `json_shapes` are read, Prodigy's is written."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from spacy.tokens import Doc, Span

from ...util.errors import Place
from ..docs import reads_docs
from ..record import Record
from ..report import ConversionReport
from .json_file import read_json_values
from .json_object import merge_key
from .json_shapes import guess_of_value, read_records
from .json_spans import Annotators, ValuePlace
from .json_studio import is_of_label_studio
from .spans import NAMES, ExportedDoc, writes_docs

# The values of tokens and spans that Prodigy has.
TOKEN = ("text", "start", "end", "id", "ws")
SPAN = ("start", "end", "token_start", "token_end", "label")


@reads_docs
def read_jsonl(
    path: Path, report: ConversionReport, *, annotator: str | None = None
) -> Iterator[Record]:
    """Read records of annotation tools; documents pass one by one, except answers
    about one suggestion each, which are merged by text."""
    return read_values(read_json_values(path), path, report, annotator)


def read_values(
    values: Iterable[tuple[Place, Any]],
    path: Path,
    report: ConversionReport,
    annotator: str | None = None,
) -> Iterator[Record]:
    """Read JSON values or table rows of any shape."""
    annotators = Annotators(annotator)
    merged: dict[str, Record] = {}
    yield from _resolve_empty(_read_single(values, report, annotators, merged))
    yield from merged.values()
    annotators.check(path, report)


def _read_single(
    values: Iterable[tuple[Place, Any]],
    report: ConversionReport,
    annotators: Annotators,
    merged: dict[str, Record],
) -> Iterator[tuple[Record, Any]]:
    """Read the records, each with its value, that are not `merged` with others."""
    is_understood = False
    for place, value in values:
        noted = ValuePlace(*place)
        noted.report, noted.annotators = report, annotators
        key = merge_key(value)
        for record in read_records(value, noted):
            if not is_understood:
                has_any = record.entities is not None or bool(record.cats)
                is_understood = has_any or guess_of_value(value) is not None
            if key is None:
                yield record, value
            elif key not in merged:
                merged[key] = record
            else:
                _merge(merged[key], record)
                if not record.is_complete or record.entities is None:
                    noted.note("merged", "an answer about a text seen before")
    unknown = report.notes["not_understood"]
    if unknown.count and not is_understood:
        place, what = unknown.examples[0]
        advice = 'write the entities as "spans": [[0, 3, "PER"]]'
        raise place.error(f"{what} is not understood; {advice}")


def _resolve_empty(records: Iterable[tuple[Record, Any]]) -> Iterator[Record]:
    """Hold records of Label Studio without any result until a span is read: if there
    are only categories in the file, nobody looked for entities."""
    waiting: list[Record] = []
    has_spans = has_cats = False
    for record, value in records:
        has_spans |= bool(record.entities)
        has_cats |= bool(record.cats)
        is_empty = record.entities == [] and is_of_label_studio(value)
        is_certain = not waiting and not is_empty
        waiting.append(record)
        if has_spans or is_certain:
            yield from waiting
            waiting.clear()
    for record in waiting:
        if has_cats and record.entities == []:
            record.entities = None
        yield record


def _merge(record: Record, other: Record) -> None:
    """Add what another record says about the same text."""
    if record.entities is None or other.entities is None:
        if record.entities is None:
            record.entities, record.missing = other.entities, other.missing
            record.is_complete = other.is_complete
    else:
        record.entities += other.entities
        record.missing += other.missing
        record.is_complete &= other.is_complete
    record.cats.update(other.cats)


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
