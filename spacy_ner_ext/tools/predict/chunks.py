"""Chunks of texts, and of results: the units that are read, predicted and committed.

A chunk is one row of a table, so that no engine divides it: its texts form the same
batches on every machine and after every restart, and its scores have the same digits.
Its number comes from the place of its file among all files and its own in the file.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from ...util.errors import Place, UserError, one_line
from .files import InputFile
from .inputs import Source, as_json, checked, open_table
from .items import FIELDS, Item, n_characters

CHUNK = "chunk"
ID = "id"
# The most texts and, unless one text is longer, characters of a chunk.
TEXTS = 512
CHARACTERS = 2**19
# Chunks of a file, as a number of bits.
BITS = 32
SPAN = pa.struct(
    [
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("label", pa.string()),
        ("text", pa.string()),
        ("score", pa.float64()),
    ]
)
RESULT = {
    "entities": pa.list_(SPAN),
    "spans": pa.map_(pa.string(), pa.list_(SPAN)),
    "cats": pa.map_(pa.string(), pa.float64()),
    "error": pa.string(),
}


@dataclass(frozen=True)
class Columns:
    """The columns of the input that a row of the output has.

    types: The type of each.
    id_column: The one that has the ids; None to make them of file and row.
    as_json: Whether values are kept as JSON, for JSON lines.
    """

    types: Mapping[str, pa.DataType]
    id_column: str | None = None
    as_json: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """All columns to read."""
        return tuple(dict.fromkeys([*self.types, *filter(None, [self.id_column])]))

    def row_type(self) -> pa.DataType:
        """The type of a row of the output."""
        return pa.struct([(ID, pa.string()), *self.types.items(), *RESULT.items()])

    def convert(self, item: Item) -> dict[str, Any]:
        """The values of an item.

        RAISES (UserError): If one cannot be written.
        """
        return {
            name: self._convert(kind, item.columns.get(name), item.place)
            for name, kind in self.types.items()
        }

    def _convert(self, kind: pa.DataType, value: Any, place: Place) -> Any:
        if self.as_json:
            return as_json(place, value)
        if kind == pa.string() and isinstance(value, str):
            return checked(place, value)
        if kind != pa.string() or value is None:
            return value
        return as_json(place, value)


def find_columns(
    source: Source, names: tuple[str, ...], id_column: str | None, output_format: str
) -> Columns:
    """Determine the types of columns: those of a parquet file, or else text.

    RAISES (UserError): If the first file does not have them, or a result has the name.
    """
    for name in names:
        if name in (ID, *FIELDS):
            advice = "--id-column keeps ids" if name == ID else "rename it"
            raise UserError(f"a result has its own column {name}; {advice}")
    as_text = output_format == "jsonl"
    types = dict.fromkeys(names, pa.string())
    columns = Columns(types, id_column, as_text)
    if source.format == "parquet":
        known = _table_types(replace(source, columns=columns.names))
        if not as_text:
            types.update({name: known[name] for name in names})
    return columns


def _table_types(source: Source) -> dict[str, pa.DataType]:
    with open_table(source.files[0]) as table:
        schema = table.schema_arrow
    source.check_columns(source.files[0], schema.names)
    return dict(zip(schema.names, schema.types))


def read_chunks(
    source: Source, columns: Columns, file: InputFile, number: int
) -> Iterator[pa.Table]:
    """Read the chunks of a file, each as a table of one row.

    number: The number of the file.
    RAISES (UserError): If the file cannot be read, or its columns have other types.
    """
    for position, items in enumerate(_group(source.items_of(file))):
        texts = [_describe(item, columns, file) for item in items]
        chunk = pa.array([(number << BITS) + position], pa.int64())
        yield pa.table({CHUNK: chunk, "texts": _list_of(texts, columns, file)})


def _group(items: Iterator[Item]) -> Iterator[list[Item]]:
    group: list[Item] = []
    size = 0
    for item in items:
        length = n_characters(item.content)
        if group and (len(group) == TEXTS or size + length > CHARACTERS):
            yield group
            group, size = [], 0
        group.append(item)
        size += length
    if group:
        yield group


def _describe(item: Item, columns: Columns, file: InputFile) -> dict[str, Any]:
    row: dict[str, Any] = {
        ID: f"{file.name}:{item.place.number}",
        "error": item.error or None,
    }
    row |= {"place": str(item.place), "text": item.content}
    try:
        if columns.id_column is not None and columns.id_column in item.columns:
            row[ID] = _id_of(item, columns.id_column)
        values = columns.convert(item)
    except UserError as err:
        return {**row, "error": item.error or str(err)}
    return row | {f"column {name}": value for name, value in values.items()}


def _id_of(item: Item, name: str) -> str:
    value = item.columns.get(name)
    if value is None:
        raise item.place.error(f"has no {name}, which --id-column names; add it")
    return checked(item.place, value if isinstance(value, str) else str(value))


def _list_of(
    texts: list[dict[str, Any]], columns: Columns, file: InputFile
) -> pa.ListArray:
    fixed = [(name, pa.string()) for name in (ID, "place", "text", "error")]
    carried = [(f"column {name}", kind) for name, kind in columns.types.items()]
    try:
        return pa.array([texts], pa.list_(pa.struct([*fixed, *carried])))
    except (pa.ArrowInvalid, pa.ArrowTypeError) as err:
        what = f"has a column of another type than the first file ({one_line(err)})"
        raise UserError(f"{what}; convert it", file.shown) from err
