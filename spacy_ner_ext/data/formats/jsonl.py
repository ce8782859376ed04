"""JSON of annotation tools, read in all `json_shapes` and written as in Prodigy."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from spacy.tokens import Doc, Span

from ...util.errors import Place
from ..docs import reads_docs
from ..record import Record
from ..report import ConversionReport, NotedPlace
from .json_file import read_json_values
from .json_shapes import read_record
from .spans import NAMES, ExportedDoc, writes_docs


@reads_docs
def read_jsonl(path: Path, report: ConversionReport) -> Iterator[Record]:
    """Read records of Prodigy, Doccano, Label Studio or spaCy 2."""
    for place, value in read_json_values(path):
        record = read_record(value, NotedPlace.of(place, report))
        if record is not None:
            yield record


@writes_docs
def write_jsonl(docs: Iterable[ExportedDoc], folder: Path, name: str) -> None:
    """Write documents as NAME.jsonl."""
    with (folder / f"{name}.jsonl").open("wb") as file:
        for exported in docs:
            values = _to_dict(exported.doc, exported.spans_or_none())
            file.write(_encode(values, exported.place))


def _encode(values: dict[str, Any], place: Place) -> bytes:
    try:
        text = json.dumps(values, ensure_ascii=False, allow_nan=False)
        return text.encode("utf-8") + b"\n"
    except (TypeError, ValueError, RecursionError) as err:
        what = f"the document cannot be written as JSON ({err}); correct its user data"
        raise place.error(what) from err


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
        values["spans"] = [
            {
                "start": span.start_char,
                "end": span.end_char,
                "token_start": span.start,
                "token_end": span.end - 1,
                "label": span.label_,
            }
            for span in spans
        ]
    if doc.cats:
        values["cats"] = {label: float(value) for label, value in doc.cats.items()}
    given = {key: doc.user_data.get(key) for key in NAMES}
    return {**values, **{key: value for key, value in given.items() if value}}
