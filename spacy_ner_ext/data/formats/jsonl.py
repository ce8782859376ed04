"""JSON of annotation tools: one record a line, or one array of records.

What is recognised is in `json_shapes`; how a file is taken apart in `json_values`.
Written is one object a line as Prodigy has them: "text", "tokens", "spans", and where
there are any "cats", "id", "document", "lang", "meta". Three things are added: a text
without annotation of entities has no "spans", "sent_starts" holds the tokens that
start a sentence, and "unknown_spaces" tells that the spaces between tokens are made up.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from spacy.tokens import Doc, Span

from ...util.errors import Place, UserError
from ..docs import DEFAULT, AlignOptions, MakesDocs, make_docs
from ..record import Record
from ..report import ConversionReport
from .json_shapes import read_record
from .json_values import read_json_values
from .spans import note_lost, spans_to_write

USER_DATA = ("id", "document", "lang", "meta")


def read_jsonl(
    path: Path,
    nlp: MakesDocs,
    *,
    report: ConversionReport | None = None,
    making: AlignOptions = DEFAULT,
) -> Iterator[Doc]:
    """Read records of Prodigy, Doccano, Label Studio or spaCy 2.

    path: The file, in UTF-8: one record a line, or an array of records.
    nlp: A pipeline, for its tokenizer where records have no tokens.
    report: Gets what was changed or left out.
    RAISES (UserError): If the file cannot be used.
    """
    report = ConversionReport() if report is None else report
    yield from make_docs(_records(Path(path), report), nlp, report, making)


def _records(path: Path, report: ConversionReport) -> Iterator[Record]:
    for place, value in read_json_values(path):
        record = read_record(value, place, report)
        if record is not None:
            yield record


def write_jsonl(
    docs: Iterable[Doc],
    folder: Path,
    name: str,
    *,
    report: ConversionReport,
    spans_key: str | None = None,
) -> None:
    """Write documents as NAME.jsonl, as Prodigy has them, one by one.

    folder: The folder to write into.
    name: The name of the file without its ending.
    report: Gets what the format does not hold.
    spans_key: The span group to write; None for `doc.ents`.
    RAISES (UserError): If a document holds what JSON cannot.
    """
    path = folder / f"{name}.jsonl"
    with path.open("wb") as file:
        for number, doc in enumerate(docs, start=1):
            place = Place(Path(report.source or name), number, "document")
            spans = _spans(doc, spans_key, place, report)
            held = ("categories", "ids")
            note_lost(doc, spans or (), place, report, held=held, spans_key=spans_key)
            values = _to_dict(doc, spans)
            file.write(_encode(values, place))


def _encode(values: dict[str, Any], place: Place) -> bytes:
    try:
        text = json.dumps(values, ensure_ascii=False, allow_nan=False)
        return text.encode("utf-8") + b"\n"
    except (TypeError, ValueError, RecursionError) as err:
        what = f"the document cannot be written as JSON ({err}); correct its user data"
        raise UserError.at(place, what) from err


def _to_dict(doc: Doc, spans: list[Span] | None) -> dict[str, Any]:
    tokens = [
        {
            "text": token.text,
            "start": token.idx,
            "end": token.idx + len(token),
            "id": token.i,
            "ws": bool(token.whitespace_),
        }
        for token in doc
    ]
    values: dict[str, Any] = {"text": doc.text, "tokens": tokens}
    if doc.has_unknown_spaces:
        values["unknown_spaces"] = True
    if doc.has_annotation("SENT_START"):
        values["sent_starts"] = [token.i for token in doc if token.is_sent_start]
    if spans is not None:
        values["spans"] = [_span_to_dict(span) for span in spans]
    if doc.cats:
        values["cats"] = {label: float(value) for label, value in doc.cats.items()}
    given = {key: doc.user_data.get(key) for key in USER_DATA}
    return {**values, **{key: value for key, value in given.items() if value}}


def _span_to_dict(span: Span) -> dict[str, Any]:
    return {
        "start": span.start_char,
        "end": span.end_char,
        "token_start": span.start,
        "token_end": span.end - 1,
        "label": span.label_,
    }


def _spans(
    doc: Doc, spans_key: str | None, place: Place, report: ConversionReport
) -> list[Span] | None:
    """The spans to write; None if not annotated."""
    if spans_key is None:
        is_annotated = doc.has_annotation("ENT_IOB")
    else:
        is_annotated = spans_key in doc.spans
    return spans_to_write(doc, spans_key, place, report) if is_annotated else None
