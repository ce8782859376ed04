"""Read the texts of a file, a folder or stdin."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

from spacy.training.corpus import walk_corpus
from spacy.vocab import Vocab

from ...data.read import read_docs
from ...data.text import BOM, MAX_LINE, check_input
from ...util.errors import Place, UserError, one_line
from .predict import FIELDS, Words, to_json

STDIN = Path("-")
FORMATS = {".txt": "text", ".jsonl": "jsonl", ".spacy": "spacy"}
TEXT = "text"
# The start of the error of a text over a maximum that the user gave.
TOO_LONG = "the text has"


class Item(NamedTuple):
    """One text.

    place: Where it was read.
    content: The text, or its tokens.
    head: The start of its line in the output: JSON of the text and the fields that are
        carried through, without the closing brace.
    replaced: The number of fields left out because they have the name of a prediction.
    error: Why the line cannot be read, with its place; empty if it can.
    """

    place: Place
    content: str | Words
    head: str
    replaced: int = 0
    error: str = ""


@dataclass(frozen=True)
class Source:
    """A file, a folder of .spacy files, or stdin ("-"), in one of FORMATS;
    `text_field` is the field of a JSON object that contains the text."""

    path: Path
    format: str
    text_field: str = TEXT

    @property
    def name(self) -> Path:
        """Its name in errors."""
        return Path("stdin") if self.path == STDIN else self.path

    def check(self) -> None:
        """Raise a UserError if it cannot be read."""
        if self.path == STDIN:
            if self.format == "spacy":
                what = "documents are not read from stdin; give the .spacy file"
                raise UserError(what)
        elif not (self.format == "spacy" and self.path.is_dir()):
            check_input(self.path)
        elif not any(self.path.rglob("*.spacy")):
            raise UserError("has no .spacy file; give another folder", self.path)

    def items(self) -> Iterator[Item]:
        """Read the texts. A line that does not fit the format is an item too, with the
        error and without a text.

        RAISES (UserError): If the input cannot be read at all.
        """
        if self.format == "spacy":
            yield from self._read_docs()
            return
        with self._open() as file:
            for number, raw in enumerate(_read_lines(file), start=1):
                place = Place(self.name, number)
                try:
                    line = _decode(raw, place)
                    if self.format == "text":
                        yield Item(place, line, to_json({TEXT: line})[:-1])
                    elif line.strip():
                        yield self._read_object(place, line)
                except UserError as err:
                    yield Item(place, "", to_json({TEXT: None})[:-1], error=str(err))

    @contextmanager
    def _open(self) -> Iterator[IO[bytes]]:
        # Not sys.stdin: it is locked while a thread waits for it, and could not be
        # closed when the process ends.
        file = 0 if self.path == STDIN else self.path
        try:
            with open(file, "rb", closefd=file != 0) as opened:
                yield opened
        except OSError as err:
            raise UserError(f"cannot be read ({err.strerror})", self.name) from err

    def _read_object(self, place: Place, line: str) -> Item:
        example = json.dumps({self.text_field: "..."}, ensure_ascii=False)
        try:
            fields = json.loads(line, parse_constant=_refuse)
        # Brackets may be nested deeper than Python's stack.
        except (ValueError, RecursionError) as err:
            what = f"is not JSON ({one_line(err)}); write {example}"
            raise place.error(what) from err
        text = fields.get(self.text_field) if isinstance(fields, dict) else None
        if not isinstance(text, str):
            what = f'is not a JSON object with a text in "{self.text_field}"'
            advice = f"write {example}, or name the field with --text-field"
            raise place.error(f"{what}; {advice}")
        # In the result the text is called "text".
        carried = {
            TEXT if name == self.text_field else name: value
            for name, value in fields.items()
            if name == self.text_field or name not in (TEXT, *FIELDS)
        }
        try:
            head = to_json(carried)[:-1]
            head.encode("utf-8")
        except (ValueError, RecursionError) as err:
            what = f"cannot be written as JSON in UTF-8 ({one_line(err)}); fix it"
            raise place.error(what) from err
        return Item(place, text, head, len(fields) - len(carried))

    def _read_docs(self) -> Iterator[Item]:
        is_folder = self.path.is_dir()
        for path in walk_corpus(self.path, ".spacy") if is_folder else [self.path]:
            for number, doc in enumerate(read_docs(path, Vocab()), start=1):
                place = Place(path, number, "document")
                yield Item(place, Words.of(doc), to_json({TEXT: doc.text})[:-1])


def _read_lines(file: IO[bytes]) -> Iterator[bytes]:
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


def format_of(path: Path) -> str:
    """Determine the format of an input from its name.

    RAISES (UserError): If the name does not show it.
    """
    if path == STDIN:
        return "text"
    if path.is_dir():
        return "spacy"
    if path.suffix not in FORMATS:
        what = "the name does not show the format; give --format text, jsonl or spacy"
        raise UserError(what, path)
    return FORMATS[path.suffix]
