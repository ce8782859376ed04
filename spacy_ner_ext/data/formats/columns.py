"""Tables with named columns, read row by row.

By the ending of the file:

* .csv and .tsv: the first line names the columns; commas or tabs separate fields. A
  field in double quotes may hold separators, line breaks and doubled double quotes.
* .jsonl and .json: one object a row, see `json_values`.
* .parquet: read in batches.
"""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ...util.errors import Place, UserError
from ..text import MAX_LINE, check_input, read_lines
from .json_checks import checked
from .json_values import read_json_values

Row = tuple[Place, dict[str, Any]]
DELIMITERS = {".csv": ",", ".tsv": "\t"}
JSON_SUFFIXES = (".jsonl", ".json")
SUFFIXES = (*DELIMITERS, *JSON_SUFFIXES, ".parquet")
BATCH = 256


def read_rows(path: Path, *, columns: Iterable[str] = ()) -> Iterator[Row]:
    """Read a table row by row.

    path: The file: .csv, .tsv, .jsonl, .json or .parquet.
    columns: The columns that every row must have.
    YIELDS: Where each row starts, and its values by column, all columns of the file;
        strings if the file is .csv or .tsv.
    RAISES (UserError): If the file cannot be read as its ending tells, has no row, or
        lacks a column.
    """
    check_input(path)
    needed = list(columns)
    is_empty = True
    for place, row in _rows(path):
        missing = [name for name in needed if name not in row]
        if missing:
            raise missing_columns(missing, row, place)
        is_empty = False
        yield place, row
    if is_empty:
        raise UserError("the table has no row; check how it was made", path)


def missing_columns(
    missing: Iterable[str], there: Iterable[str], place: Place
) -> UserError:
    """Tell which columns a table lacks.

    missing: Those that it should have.
    """
    what = f"there is no column {', '.join(missing)}; there are: {', '.join(there)}"
    return UserError.at(place, what)


def _rows(path: Path) -> Iterator[Row]:
    suffix = path.suffix.lower()
    if suffix in DELIMITERS:
        return _read_delimited(path, DELIMITERS[suffix])
    if suffix in JSON_SUFFIXES:
        return _read_objects(path)
    if suffix == ".parquet":
        return _read_parquet(path)
    known = ", ".join(SUFFIXES)
    raise UserError(f"a table must have one of the endings {known}; rename it", path)


def _read_objects(path: Path) -> Iterator[Row]:
    for place, value in read_json_values(path):
        yield place, checked(value, dict, "a row", place)


def _read_delimited(path: Path, delimiter: str) -> Iterator[Row]:
    header: list[str] = []
    for place, fields in _fields(path, delimiter):
        if not header:
            header = fields
            _check_names(header, place)
        elif len(fields) != len(header):
            what = f"has {len(fields)} fields, and the header has {len(header)}"
            raise UserError.at(place, f"{what}; quote fields that hold a separator")
        else:
            yield place, dict(zip(header, fields))


def _fields(path: Path, delimiter: str) -> Iterator[tuple[Place, list[str]]]:
    lines = (line for _, line in read_lines(path, keep_ends=True))
    csv.field_size_limit(MAX_LINE)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        place = Place(path, reader.line_num + 1)
        try:
            fields = next(reader, None)
        except csv.Error as err:
            what = f"the row cannot be read ({err})"
            advice = "double the quotes in a quoted field, or make the file .jsonl"
            raise UserError.at(place, f"{what}; {advice}") from err
        if fields is None:
            return
        if fields:
            yield place, fields


def _check_names(names: list[str], place: Place) -> None:
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise UserError.at(place, f"two columns are named '{repeated}'; rename one")


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
    # Times out of Python's range and unknown time zones are errors of value.
    except (ArrowException, OSError, ValueError, OverflowError) as err:
        what = " ".join(str(err).split())
        raise UserError(
            f"cannot be read as Parquet ({what}); make the file anew", path
        ) from err
