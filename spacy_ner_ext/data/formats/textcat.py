"""Tables of texts and their categories, for `textcat` and `textcat_multilabel`."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...util.errors import Place, UserError
from ..docs import reads_docs
from ..record import Record
from ..report import ConversionReport
from .json_file import as_name, excerpt, field, name_of
from .json_spans import first
from .table_file import missing_columns, parse_cells, read_rows

CATS_COLUMN = "cats"
# Columns that say more about the category, or that are not about one.
OTHERS = ("answer", "spans", "entities", "annotations", "start", "start_offset")


@reads_docs
def read_textcat(
    path: Path,
    report: ConversionReport,
    *,
    text_column: str = "text",
    label_column: str = "label",
    exclusive: bool = False,
    categories: Sequence[str] = (),
) -> Iterator[Record]:
    """Read a table as documents with categories and without entities."""
    if text_column == label_column:
        what = f"column '{text_column}' is both text and label; choose two columns"
        raise UserError(what, path)

    def read() -> Iterator[Record]:
        for place, cells in read_rows(path, columns=[text_column]):
            row = parse_cells(cells, place, text_column)
            other = first(row, OTHERS)
            if other:
                what = f"'{other}' is more than a category of the text"
                raise place.error(f"{what}; use --format jsonl, or table")
            cats = _cats(row, label_column, list(categories), place)
            true = [label for label, value in cats.items() if value]
            if exclusive and len(true) != 1:
                found = ", ".join(true) or "none"
                what = f"a text must have one category, but has {found}"
                raise place.error(f"{what}; correct it, or use --multi-label")
            yield Record(
                place,
                text=field(row, text_column, str, place),
                cats=cats,
                id=name_of(row, "id", place),
                lang=name_of(row, "lang", place),
            )

    found = {label for record in read() for label in record.cats}
    every = dict.fromkeys(categories or sorted(found), 0.0)
    if not every:
        raise UserError("no text has a category; check how the file was made", path)
    for record in read():
        record.cats = {**every, **record.cats}
        yield record


def _cats(
    row: Mapping[str, Any], column: str, categories: Sequence[str], place: Place
) -> dict[str, float]:
    if column not in row:
        if CATS_COLUMN not in row:
            raise missing_columns([column], row, place)
        column = CATS_COLUMN
    value = row[column]
    if isinstance(value, dict):
        # All objects of a Parquet column have the same keys.
        given = {name: truth for name, truth in value.items() if truth is not None}
        return {
            _label(name, column, categories, place): _truth(truth, name, place)
            for name, truth in given.items()
        }
    labels = value if isinstance(value, list) else [value]
    return {_label(label, column, categories, place): 1.0 for label in labels}


def _label(value: Any, column: str, categories: Sequence[str], place: Place) -> str:
    label = "" if value is None else as_name(value, f"'{column}'", place)
    if not label.strip():
        raise place.error(f"'{column}' is empty; give the text a category")
    if not categories or label in categories:
        return label
    # Other whole numbers are indices.
    by_index = {str(i): category for i, category in enumerate(categories)}
    if label not in by_index:
        what = f"'{column}' is {excerpt(label)}, not one of {', '.join(categories)}"
        raise place.error(f"{what}; correct it")
    return by_index[label]


def _truth(value: Any, label: str, place: Place) -> float:
    if value not in (0, 1):
        what = f"category '{label}' is {excerpt(value)}, neither 0 nor 1"
        raise place.error(f"{what}; correct it, or use --format jsonl")
    return float(value)
