"""Tables of texts and spans of characters."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...util.errors import Place
from ..docs import reads_docs
from ..record import Record
from ..report import ConversionReport
from .json_object import SPANS
from .json_shapes import guess_of_value
from .jsonl import read_values
from .table_file import missing_columns, read_rows


@reads_docs
def read_table(
    path: Path,
    report: ConversionReport,
    *,
    text_column: str | None = None,
    spans_column: str | None = None,
    annotator: str | None = None,
) -> Iterator[Record]:
    """Read a table whose rows have the shape of a JSON record."""
    names = ("text", "spans")
    chosen = zip(names, (text_column, spans_column))
    given = {name: column for name, column in chosen if column}

    def read() -> Iterator[tuple[Place, dict[str, Any]]]:
        text = text_column or names[0]
        for place, row in read_rows(path, columns=given.values(), text=text):
            # The columns that were chosen get the names that the shapes have.
            others = {k: v for k, v in row.items() if k not in given.values()}
            row = {**others, **{name: row[column] for name, column in given.items()}}
            missing = [name for name in names if name not in row]
            if missing and guess_of_value(row) is None and not row.keys() & {*SPANS}:
                raise missing_columns(missing, row, place)
            yield place, row

    return read_values(read(), path, report, annotator)
