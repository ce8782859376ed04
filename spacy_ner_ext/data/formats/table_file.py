"""Read tables with named columns row by row: .csv, .tsv, .jsonl, .json or .parquet."""

import ast
import csv
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from ...util.errors import Place, UserError, one_line
from ..text import MAX_LINE, check_input, read_lines
from .json_file import (
    check_storable,
    checked,
    excerpt,
    name_of,
    parse_json,
    read_json_values,
)

Row = tuple[Place, dict[str, Any]]
DELIMITERS = {".csv": ",", ".tsv": "\t"}
JSON_SUFFIXES = (".jsonl", ".json", ".ndjson")
SUFFIXES = (*DELIMITERS, *JSON_SUFFIXES, ".parquet")
BATCH = 256
# Columns whose cells are not JSON, or must be.
NAMES = ("id", "document", "lang")
JSON_COLUMNS = ("spans", "entities", "cats", "meta")
# A string of Python, and the space to the next: numpy writes no comma between them.
STRING = re.compile(r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")(\s+(?=['"]))?""")


def read_rows(
    path: Path, *, columns: Collection[str] = (), text: str | None = None
) -> Iterator[Row]:
    """Read a table row by row.

    columns: Those that each row must have, next to any others.
    text: The column of texts; arrays and objects in the cells of others are parsed.
    """
    check_input(path)
    place = None
    for place, row in _rows(path):
        missing = [name for name in columns if name not in row]
        if missing:
            raise missing_columns(missing, row, place)
        for name, cell in row.items() if text else ():
            if isinstance(cell, str) and name not in (text, *NAMES):
                row[name] = _parse_cell(cell, name, place)
        yield place, row
    if place is None:
        raise UserError("the table has no row; check how it was made", path)


def missing_columns(
    missing: Iterable[str], found: Iterable[str], place: Place
) -> UserError:
    """The error for columns that a table lacks."""
    what = f"column {', '.join(missing)} is missing; columns are: {', '.join(found)}"
    return place.error(what)


def _rows(path: Path) -> Iterator[Row]:
    suffix = path.suffix.lower()
    if suffix in DELIMITERS:
        return _read_delimited(path, DELIMITERS[suffix])
    if suffix in JSON_SUFFIXES:
        found = read_json_values(path)
        return ((place, checked(row, dict, "a row", place)) for place, row in found)
    if suffix == ".parquet":
        return _read_parquet(path)
    known = ", ".join(SUFFIXES)
    raise UserError(f"a table must end in one of {known}; rename it", path)


def _read_delimited(path: Path, delimiter: str) -> Iterator[Row]:
    lines = (line for _, line in read_lines(path, keep_ends=True))
    first = next(lines, "")
    # Excel writes the separator of the country; names of columns have none.
    delimiter = max((delimiter, ",", ";", "\t"), key=first.count)
    csv.field_size_limit(MAX_LINE)
    reader = csv.reader(chain([first], lines), delimiter=delimiter, strict=True)
    place, header = Place(path, 1), list[str]()
    try:
        for fields in reader:
            if header and fields:
                if len(fields) != len(header):
                    what = f"has {len(fields)} fields, but the header has {len(header)}"
                    raise place.error(f"{what}; quote fields that hold a separator")
                yield place, dict(zip(header, fields))
            header = header or _check_names(fields, place)
            place = Place(path, reader.line_num + 1)
    except csv.Error as err:
        what = f"the row cannot be read ({err}); double the quotes in a quoted "
        raise place.error(f"{what}field, or use .jsonl") from err


def _check_names(names: list[str], place: Place) -> list[str]:
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise place.error(f"two columns are named '{repeated}'; rename one")
    return names


def _read_parquet(path: Path) -> Iterator[Row]:
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    number = 0
    try:
        with ParquetFile(path) as file:
            _check_names(file.schema_arrow.names, Place(path, 1, "row"))
            for batch in file.iter_batches(BATCH):
                for row in batch.to_pylist():
                    number += 1
                    yield Place(path, number, "row"), row
    except UserError:
        raise
    # Unknown time zones and times out of Python's range raise a ValueError.
    except (ArrowException, OSError, ValueError, OverflowError) as err:
        what = f"cannot be read as Parquet ({one_line(err)}); write the file again"
        raise UserError(what, path) from err


def _parse_cell(cell: str, name: str, place: Place) -> Any:
    must_be_json = name in JSON_COLUMNS
    if not cell.strip():
        return None if must_be_json or not cell else cell
    if not must_be_json and cell.lstrip()[0] not in "[{":
        return cell
    try:
        return parse_json(cell, place, f"'{name}'")
    except UserError:
        code = _from_python(cell)
        if must_be_json and not code:
            raise
    return parse_json(code, place, f"'{name}'") if code else cell


def _from_python(cell: str) -> str:
    """The JSON of a list or dictionary of Python, which pandas writes; else empty."""
    try:
        code = STRING.sub(lambda m: m[1] + ("," if m[2] else ""), cell.strip())
        return json.dumps(ast.literal_eval(code))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return ""


def read_tokens(row: Mapping[str, Any], n_words: int, place: Place) -> dict[str, Any]:
    """Read the columns "spaces" and "sent_starts" as values of `Record`."""
    spaces, starts = row.get("spaces"), row.get("sent_starts")
    if spaces is not None:
        checked(spaces, list, "'spaces'", place)
        if len(spaces) != n_words or not all(type(s) is bool for s in spaces):
            what = f"'spaces' is not true or false for each of {n_words} tokens"
            raise place.error(f"{what}; correct it or leave it out")
    if starts is not None:
        for start in checked(starts, list, "'sent_starts'", place):
            if type(start) is not int or not 0 <= start < n_words:
                what = f"'sent_starts' holds {excerpt(start)}, not a number from 0 to "
                raise place.error(f"{what}{n_words - 1}; correct it")
    return {"spaces": spaces, "starts": starts}


def read_data(row: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """Read "id", "document", "lang", "cats" and "meta" as values of `Record`."""
    meta = _object(row, "meta", place)
    check_storable(meta, place)
    found = _object(row, "cats", place).items()
    cats = {name: value for name, value in found if value is not None}
    for name, value in cats.items():
        if not isinstance(value, bool):
            checked(value, float, f"the value of category '{name}'", place)
    return {
        **{key: name_of(row, key, place) for key in NAMES},
        "cats": {name: float(value) for name, value in cats.items()},
        "meta": meta,
    }


def _object(row: Mapping[str, Any], name: str, place: Place) -> dict[str, Any]:
    value = row.get(name)
    if isinstance(value, str) and value.strip():
        value = parse_json(value, place, f"'{name}'")
    return checked(value or {}, dict, f"'{name}'", place)
