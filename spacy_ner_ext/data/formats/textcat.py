"""Tables of texts and their categories, for `textcat` and `textcat_multilabel`."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from pathlib import Path
from typing import Any

from ...util.errors import Place, UserError
from ..docs import reads_docs
from ..record import Record
from ..report import ConversionReport
from .json_file import as_name, excerpt, field
from .jsonl import read_values
from .table_file import missing_columns, read_rows

CATS = "cats"
USED = ("text", "label", CATS, "answer", "id", "lang")


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

    def rows() -> Iterator[tuple[Place, dict[str, Any]]]:
        for place, row in read_rows(path, columns=[text_column], text=text_column):
            row["text"] = field(row, text_column, str, place)
            row[CATS] = _cats(row, label_column, list(categories), place)
            # An answer is about a single category.
            if row.get("answer") is not None and len(row[CATS]) == 1:
                row["label"] = next(iter(row.pop(CATS)))
            else:
                row.pop("label", None)
            yield place, {name: row[name] for name in USED if name in row}

    def read(report: ConversionReport) -> Iterator[Record]:
        for record in read_values(rows(), path, report):
            true = [label for label, value in record.cats.items() if value]
            if exclusive and len(true) != 1:
                found = ", ".join(true) or "none"
                what = f"a text must have one category, but has {found}"
                raise record.place.error(f"{what}; correct it, or use --multi-label")
            record.entities = None
            yield record

    found = {label for record in read(ConversionReport()) for label in record.cats}
    every = dict.fromkeys(categories or sorted(found), 0.0)
    if not every:
        raise UserError("no text has a category; check how the file was made", path)
    for record in read(report):
        record.cats = {**every, **record.cats}
        yield record


def _cats(
    row: Mapping[str, Any], column: str, categories: Sequence[str], place: Place
) -> dict[str, float]:
    if column not in row and CATS not in row:
        raise missing_columns([column], row, place)
    column = column if column in row else CATS
    value = row[column]
    labels = value if isinstance(value, list) else [value]
    pairs = value.items() if isinstance(value, dict) else zip(labels, repeat(1))
    cats: dict[str, float] = {}
    for label, truth in pairs:
        if truth not in (0, 1, None):
            what = f"category '{label}' is {excerpt(truth)}, neither 0 nor 1"
            raise place.error(f"{what}; correct it, or use --format jsonl")
        if truth is not None:
            cats[_label(label, column, categories, place)] = float(truth)
    return cats


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
