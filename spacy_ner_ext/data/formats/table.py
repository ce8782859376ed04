"""Tables of texts, with spans of characters or with categories."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from pathlib import Path
from typing import Any

from ...util.errors import Place, UserError
from ..docs import reads_docs
from ..record import Record
from ..report import ConversionReport
from .json_file import as_name, excerpt, field
from .json_object import SPANS
from .jsonl import guess_of_value, read_values
from .table_file import Row, missing_columns, read_rows
from .tags import OUTSIDE, understand_tags

NAMES = ("text", "spans")
USED = ("text", "label", "cats", "answer", "id", "lang")


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
    chosen = zip(NAMES, (text_column, spans_column))
    given = {name: column for name, column in chosen if column}

    def rows() -> Iterator[Row]:
        columns = list(given.values())
        for place, row in read_rows(path, columns=columns, text=text_column or "text"):
            # The columns that were chosen get the names that the shapes have.
            others = {k: v for k, v in row.items() if k not in columns}
            row = {**others, **{name: row[column] for name, column in given.items()}}
            missing = [name for name in NAMES if name not in row]
            if missing and guess_of_value(row) is None and not row.keys() & {*SPANS}:
                raise missing_columns(missing, row, place)
            yield place, row

    return read_values(rows, path, report, annotator)


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

    def rows() -> Iterator[Row]:
        for place, row in read_rows(path, columns=[text_column], text=text_column):
            row["text"] = field(row, text_column, str, place)
            row["cats"] = _cats(row, label_column, list(categories), place)
            # An answer is about a single category.
            if row.get("answer") is not None and len(row["cats"]) == 1:
                row["label"] = next(iter(row.pop("cats")))
            else:
                row.pop("label", None)
            yield place, {name: row[name] for name in USED if name in row}

    survey = read_values(rows, path, ConversionReport())
    found = {label for record in survey for label in record.cats}
    every = dict.fromkeys(categories or sorted(found), 0.0)
    if not every:
        raise UserError("no text has a category; check how the file was made", path)
    tags = understand_tags(found, alone=False)
    if OUTSIDE in tags.values() and 1 < len(tags) == len(found):
        what = f"column '{label_column}' has tags such as {min(found)}, not categories"
        raise UserError(f"{what}; read it with --format conll or jsonl", path)
    for record in read_values(rows, path, report):
        true = [label for label, value in record.cats.items() if value]
        if exclusive and len(true) != 1:
            what = f"a text must have one category, but has {', '.join(true) or 'none'}"
            raise record.place.error(f"{what}; correct it, or use --multi-label")
        record.entities, record.cats = None, {**every, **record.cats}
        yield record


def _cats(
    row: Mapping[str, Any], column: str, categories: Sequence[str], place: Place
) -> dict[str, float]:
    """The categories of a row: one, a list, or an object of those that are true."""
    names = (column, "cats", "labels") if column == "label" else (column,)
    found = [name for name in names if name in row]
    if not found:
        raise missing_columns([column], row, place)
    column, value = found[0], row[found[0]]
    labels = value if isinstance(value, list) else [value]
    if all(n in (0, 1) for n in labels) and len({*labels}) < len(labels):
        what = f"'{column}' is {excerpt(value)}, a number for each category"
        raise place.error(f"{what}; write the names of those that are true")
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
    # Other whole numbers are indices.
    by_index = {str(i): category for i, category in enumerate(categories)}
    if categories and label not in categories and label not in by_index:
        what = f"'{column}' is {excerpt(label)}, not one of {', '.join(categories)}"
        raise place.error(f"{what}; correct it")
    return label if label in categories else by_index.get(label, label)
