"""Tables of texts and spans of characters: .parquet, .csv or .tsv."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...util.errors import Place, UserError
from ..docs import reads_docs
from ..record import Entity, Record
from ..report import ConversionReport
from .json_file import checked, excerpt, field, parse_json
from .table_file import missing_columns, read_data, read_rows, read_tokens

SUFFIXES = (".parquet", ".csv", ".tsv")
SPANS = "spans"
# Another name of the column of spans.
ENTITIES = "entities"
STARTS = ("start", "start_offset")
ENDS = ("end", "end_offset")
# More than any text has characters, and few enough for an int.
MAX_DIGITS = 18


@reads_docs
def read_table(
    path: Path,
    report: ConversionReport,
    *,
    text_column: str = "text",
    spans_column: str = SPANS,
) -> Iterator[Record]:
    """Read a table of texts and spans."""
    if path.is_file() and path.suffix.lower() not in SUFFIXES:
        known = ", ".join(SUFFIXES)
        what = f"a table of spans ends in {known}; for .jsonl use --format jsonl"
        raise UserError(what, path)
    for place, row in read_rows(path, columns=[text_column]):
        column = spans_column
        if column == SPANS and SPANS not in row and ENTITIES in row:
            column = ENTITIES
        if column not in row:
            raise missing_columns([column], row, place)
        text = field(row, text_column, str, place)
        yield Record(
            place,
            text=text,
            entities=_entities(row[column], f"'{column}'", place),
            **_tokens(row, text, place),
            **read_data(row, place),
        )


def _tokens(row: Mapping[str, Any], text: str, place: Place) -> dict[str, Any]:
    words = row.get("words")
    if not isinstance(words, list) or not all(isinstance(w, str) and w for w in words):
        return {}
    found = read_tokens(row, len(words), place)
    spaces = found["spaces"] or [True] * len(words)
    spelled = "".join(word + " " * space for word, space in zip(words, spaces))
    return {"words": words, **found} if spelled == text else {}


def _entities(value: Any, name: str, place: Place) -> list[Entity] | None:
    if isinstance(value, str):
        value = parse_json(value, place, name) if value.strip() else None
    if value is None:
        return None
    if isinstance(value, dict):
        value = _rows_of(value, name, place)
    return [_entity(span, name, place) for span in checked(value, list, name, place)]


def _rows_of(columns: Mapping[str, Any], name: str, place: Place) -> list[Any]:
    """Turn a struct of lists, as datasets stores it, into a list of structs."""
    lists = [checked(value, list, name, place) for value in columns.values()]
    if len({len(values) for values in lists}) > 1:
        what = f"{name} holds lists of unequal length; give each span all its values"
        raise place.error(what)
    return [dict(zip(columns, values)) for values in zip(*lists)]


def _entity(span: Any, name: str, place: Place) -> Entity:
    if isinstance(span, list) and len(span) == 3:
        start, end, label = span
    elif isinstance(span, dict):
        start, end = _first(span, STARTS), _first(span, ENDS)
        label = span.get("label")
    else:
        what = f"{name} holds {excerpt(span)}, not a start, an end and a label"
        raise place.error(f'{what}; write each span as [0, 3, "PER"]')
    return Entity(
        _offset(start, f"the start of a span in {name}", place),
        _offset(end, f"the end of a span in {name}", place),
        checked(label, str, f"the label of a span in {name}", place),
    )


def _first(span: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    found = (span[name] for name in names if span.get(name) is not None)
    return next(found, None)


def _offset(value: Any, name: str, place: Place) -> int:
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        return int(value[:MAX_DIGITS])
    return checked(value, int, name, place)
