"""Read the texts of files or stdin."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

from pyarrow import ArrowException, parquet

from ...data.text import BOM, MAX_LINE
from ...util.errors import Place, UserError, one_line
from .files import STDIN, InputFile, find_files, readable
from .items import FIELDS, TEXT, Item, to_json

FORMATS = ("text", "jsonl", "spacy", "parquet")
# Rows of a table that are decoded together.
ROWS = 1024


@dataclass(frozen=True)
class Source:
    """Files in one of FORMATS.

    text_field: The field or column that contains the text.
    columns: The fields to keep as columns; None to keep all of them as JSON.
    skipped: Files of other formats in the folders that were given.
    """

    files: Sequence[InputFile]
    format: str
    text_field: str = TEXT
    columns: tuple[str, ...] | None = None
    skipped: Sequence[InputFile] = ()

    @property
    def is_stdin(self) -> bool:
        return self.files[0].path == STDIN

    def items(self) -> Iterator[Item]:
        """Read the texts. A line that does not fit the format is an item too, with the
        error and without a text.

        RAISES (UserError): If a file cannot be read at all.
        """
        for file in self.files:
            yield from self.items_of(file)

    def items_of(self, file: InputFile) -> Iterator[Item]:
        """Read the texts of one of the files."""
        if self.format == "spacy":
            # It imports spaCy, which takes seconds that other formats do not need.
            from .documents import read_items

            yield from read_items(file)
        elif self.format == "parquet":
            yield from self._read_table(file)
        else:
            yield from self._read_lines(file)

    def _read_lines(self, file: InputFile) -> Iterator[Item]:
        with file.open() as stream:
            for number, raw in enumerate(_split(stream), start=1):
                place = Place(file.shown, number)
                try:
                    line = _decode(raw, place)
                    if self.format == "text":
                        yield self._item(place, {TEXT: line}, TEXT)
                    elif line.strip():
                        fields = self._parse(line, place)
                        yield self._item(place, fields, self.text_field)
                except UserError as err:
                    yield _failed(place, err)

    def _read_table(self, file: InputFile) -> Iterator[Item]:
        wanted = None if self.columns is None else [self.text_field, *self.columns]
        number = 0
        with open_table(file) as table:
            self.check_columns(file, table.schema_arrow.names)
            for batch in table.iter_batches(ROWS, columns=wanted):
                for fields in batch.to_pylist():
                    number += 1
                    place = Place(file.shown, number, "row")
                    try:
                        yield self._item(place, fields, self.text_field)
                    except UserError as err:
                        yield _failed(place, err)

    def check_columns(self, file: InputFile, names: Sequence[str]) -> None:
        """Raise a UserError if a table does not have the text and the columns."""
        for name in (self.text_field, *(self.columns or ())):
            if name not in names:
                advice = "name another"
                if name == self.text_field:
                    advice = "name that of the text with --text-field"
                what = f"has no column {name}, but {', '.join(names)}; {advice}"
                raise UserError(what, file.shown)

    def _parse(self, line: str, place: Place) -> dict[str, Any]:
        try:
            fields = json.loads(line, parse_constant=_refuse)
        # Brackets may be nested deeper than Python's stack.
        except (ValueError, RecursionError) as err:
            what = f"is not JSON ({one_line(err)}); write {self._example()}"
            raise place.error(what) from err
        return fields if isinstance(fields, dict) else {}

    def _item(self, place: Place, fields: dict[str, Any], text_field: str) -> Item:
        if self.columns is not None:
            kept = {name: fields.get(name) for name in self.columns}
            try:
                text = checked(place, self._text_of(place, fields, text_field))
            except UserError as err:
                # The row has the columns even so.
                return _failed(place, err)._replace(columns=kept)
            return Item(place, text, columns=kept)
        text = self._text_of(place, fields, text_field)
        # In the result the text is called "text".
        carried = {
            TEXT if name == text_field else name: value
            for name, value in fields.items()
            if name == text_field or name not in (TEXT, *FIELDS)
        }
        head = as_json(place, carried)[:-1]
        return Item(place, text, head, len(fields) - len(carried))

    def _text_of(self, place: Place, fields: dict[str, Any], text_field: str) -> str:
        text = fields.get(text_field)
        if isinstance(text, str):
            return text
        if self.format == "parquet":
            kind = "null" if text is None else type(text).__name__
            what = f"has {kind} in {text_field}, and not a text; name another column"
            raise place.error(f"{what} with --text-field")
        what = f'is not a JSON object with a text in "{text_field}"; write'
        advice = "or name the field with --text-field"
        raise place.error(f"{what} {self._example()}, {advice}")

    def _example(self) -> str:
        return json.dumps({self.text_field: "..."}, ensure_ascii=False)


def open_source(
    inputs: Sequence[str],
    format: str | None = None,
    text_field: str = TEXT,
    columns: tuple[str, ...] | None = None,
) -> Source:
    """Find the files and determine their format, by their names if it is not given.

    RAISES (UserError): If they cannot be read, or their names do not show one format.
    """
    files = find_files(inputs)
    if STDIN in inputs and len(files) > 1:
        raise UserError("stdin (-) is not read together with files; leave one out")
    found = _find_format(files, format, ", ".join(inputs))
    read: list[InputFile] = []
    skipped: list[InputFile] = []
    for file in files:
        # A folder may have other files, but what was named is read.
        is_read = file.is_named or file.format == found
        (read if is_read else skipped).append(file)
    if not read:
        read, skipped = skipped, read
    return Source(read, found, text_field, columns, skipped)


def _find_format(files: list[InputFile], format: str | None, given: str) -> str:
    """The format that is given, or that the names show."""
    if not files:
        raise UserError("has no file; give another folder", given)
    if files[0].path == STDIN:
        if format in ("spacy", "parquet"):
            what = f"{format} is not read from stdin; give the file"
            raise UserError(what)
        return format or "text"
    named = {file.format for file in files if file.is_named}
    formats = {file.format for file in files if file.format}
    if format is None and not named and "spacy" in formats:
        format = "spacy"
    elif format is None and len(formats) == 1 and None not in named:
        format = formats.pop()
    if format is None:
        what = "the name does not show the format"
        if len(formats) > 1:
            what = f"has files of several formats ({', '.join(sorted(formats))})"
        raise UserError(f"{what}; give --format text, jsonl, parquet or spacy", given)
    return format


def as_json(place: Place, value: Any) -> str:
    """JSON of a value that comes from an input.

    RAISES (UserError): If JSON in UTF-8 cannot have it.
    """
    try:
        text = to_json(value)
        text.encode("utf-8")
    except (TypeError, ValueError, RecursionError) as err:
        what = f"cannot be written as JSON in UTF-8 ({one_line(err)}); fix it"
        raise place.error(what) from err
    return text


def checked(place: Place, text: str) -> str:
    """A text that UTF-8 can have.

    RAISES (UserError): If it cannot.
    """
    as_json(place, text)
    return text


def _failed(place: Place, err: UserError) -> Item:
    return Item(place, "", to_json({TEXT: None})[:-1], error=str(err))


@contextmanager
def open_table(file: InputFile) -> Iterator[Any]:
    """Open a parquet file.

    RAISES (UserError): If it cannot be opened, or is damaged where it is read.
    """
    with readable(file.shown):
        try:
            with parquet.ParquetFile(file.path, filesystem=file.filesystem) as table:
                yield table
        except ArrowException as err:
            advice = "replace it, or leave it out"
            if file.is_compressed:
                advice = "decompress it"
            what = f"is not a complete parquet file ({one_line(err)}); {advice}"
            raise UserError(what, file.shown) from err


def _split(file: IO[bytes]) -> Iterator[bytes]:
    """Read lines, of which one that is too long is cut after more than `MAX_LINE`."""
    while raw := file.readline(MAX_LINE + 1):
        yield raw
        while len(raw) > MAX_LINE and not raw.endswith(b"\n"):
            raw = file.readline(MAX_LINE + 1)


def _decode(raw: bytes, place: Place) -> str:
    if len(raw) > MAX_LINE:
        what = f"is longer than {MAX_LINE // 2**20} MiB; cut the text in it"
        raise place.error(what)
    try:
        # A carriage return is white space, except at the end of a line.
        line = raw.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as err:
        byte = f"byte 0x{raw[err.start]:02x} at position {err.start + 1}"
        raise place.error(f"{byte} is not UTF-8; convert the input to UTF-8") from err
    return line.removeprefix(BOM) if place.number == 1 else line


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
