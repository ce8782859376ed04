"""What tables of documents have in common: tokens, names, categories and other data."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy
import pyarrow
from spacy.tokens import Doc, Span

from ...util.errors import Place, UserError
from ..report import ConversionReport
from .json_checks import check_storable, checked, excerpt, name_of, parse_json
from .spans import note_lost, spans_to_write

# Rows are written when their documents have so many tokens, or are so many.
MAX_TOKENS = 100_000
MAX_ROWS = 5_000

TOKEN_COLUMNS = [
    ("spaces", pyarrow.list_(pyarrow.bool_())),
    ("sent_starts", pyarrow.list_(pyarrow.int32())),
]
DATA_COLUMNS = [
    (name, pyarrow.string()) for name in ("id", "document", "lang", "cats", "meta")
]


def token_values(doc: Doc) -> dict[str, Any]:
    """Take what the columns of tokens hold.

    RETURNS: Whether a space follows each token, and the tokens that start a sentence;
        None for what is unknown.
    """
    spaces = None if doc.has_unknown_spaces else [bool(t.whitespace_) for t in doc]
    starts = None
    if doc.has_annotation("SENT_START"):
        starts = numpy.flatnonzero(doc.to_array("SENT_START") == 1).tolist()
    return {"spaces": spaces, "sent_starts": starts}


def data_values(doc: Doc) -> dict[str, str | None]:
    """Take what the other columns of a document hold.

    RETURNS: Its name, language and the like; categories and other data as JSON.
    """
    data = doc.user_data
    named = {key: data.get(key) for key in ("id", "document", "lang")}
    values = {"cats": doc.cats, "meta": data.get("meta")}
    return {
        **{key: str(value) if value else None for key, value in named.items()},
        **{key: _to_json(value) if value else None for key, value in values.items()},
    }


def _to_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def read_tokens(row: Mapping[str, Any], n_words: int, place: Place) -> dict[str, Any]:
    """Read the columns of tokens.

    n_words: How many tokens it has.
    RAISES (UserError): If a value does not fit the tokens.
    """
    spaces, starts = row.get("spaces"), row.get("sent_starts")
    if spaces is not None:
        checked(spaces, list, "'spaces'", place)
        if len(spaces) != n_words or not all(type(s) is bool for s in spaces):
            what = f"'spaces' is not true or false for each of {n_words} tokens"
            raise UserError.at(place, f"{what}; correct it or leave it out")
    if starts is not None:
        for start in checked(starts, list, "'sent_starts'", place):
            if type(start) is not int or not 0 <= start < n_words:
                what = f"'sent_starts' holds {excerpt(start)}, not a token's number"
                raise UserError.at(place, f"{what}; there are {n_words}, from 0")
    return {"spaces": spaces, "starts": starts}


def read_data(row: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """Read the other columns of a document.

    RAISES (UserError): If a value has the wrong type.
    """
    return {
        **{key: name_of(row, key, place) for key in ("id", "document", "lang")},
        "cats": {
            name: _truth(value, name, place)
            for name, value in _object(row, "cats", place).items()
            if value is not None
        },
        "meta": _stored(_object(row, "meta", place), place),
    }


def _stored(value: dict[str, Any], place: Place) -> dict[str, Any]:
    check_storable(value, place)
    return value


def _object(row: Mapping[str, Any], name: str, place: Place) -> dict[str, Any]:
    value = row.get(name)
    if isinstance(value, str) and value.strip():
        value = parse_json(value, place, f"'{name}'")
    return checked(value or {}, dict, f"'{name}'", place)


def _truth(value: Any, category: str, place: Place) -> float:
    if isinstance(value, bool):
        return float(value)
    return float(checked(value, float, f"the value of category '{category}'", place))


def spans_or_none(
    doc: Doc, spans_key: str | None, place: Place, report: ConversionReport
) -> list[Span] | None:
    """Take the spans of a document for a table, which can tell that there are none.

    spans_key: The span group, or None for `doc.ents`.
    report: Gets what has no column.
    RETURNS: The spans; None if the document is not annotated.
    """
    is_known = spans_key in doc.spans
    if spans_key is None:
        is_known = doc.has_annotation("ENT_IOB")
    spans = spans_to_write(doc, spans_key, place, report) if is_known else None
    held = ("categories", "ids")
    note_lost(doc, spans or (), place, report, held=held, spans_key=spans_key)
    return spans


def row_batches(
    docs: Iterable[Doc],
    name: str,
    schema: pyarrow.Schema,
    to_row: Callable[[Doc, Place], dict[str, Any]],
    report: ConversionReport,
) -> Iterator[pyarrow.RecordBatch]:
    """Make rows of documents, some thousand at a time.

    Of no document comes one batch without rows, so that there are columns to write.

    docs: The documents, taken as they come.
    name: How they are called if the report does not tell.
    to_row: Makes the row of a document.
    """
    rows: list[dict[str, Any]] = []
    n_tokens = number = 0
    for number, doc in enumerate(docs, start=1):
        place = Place(Path(report.source or name), number, "document")
        rows.append(to_row(doc, place))
        n_tokens += len(doc)
        if n_tokens > MAX_TOKENS or len(rows) == MAX_ROWS:
            yield pyarrow.RecordBatch.from_pylist(rows, schema=schema)
            rows, n_tokens = [], 0
    if rows or not number:
        yield pyarrow.RecordBatch.from_pylist(rows, schema=schema)
