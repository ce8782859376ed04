"""The texts that a prediction reads."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

from spacy.training.corpus import walk_corpus
from spacy.vocab import Vocab

from ...data.read import read_docs
from ...data.text import check_input, decode_lines
from ...util.errors import Place, UserError, one_line
from .predict import Words
from .results import FIELDS, to_json

STDIN = Path("-")
FORMATS = {".txt": "text", ".jsonl": "jsonl", ".spacy": "spacy"}
TEXT = "text"


class Item(NamedTuple):
    """One text.

    place: Where it is.
    content: The text, or its tokens.
    head: What the line of its result begins with: JSON of the text and the fields that
        are carried through, without the closing brace.
    replaced: Fields that are not, as they have the name of a result.
    """

    place: Place
    content: str | Words
    head: str
    replaced: int = 0


@dataclass(frozen=True)
class Source:
    """Where texts are read from.

    path: A file, a folder of .spacy files, or "-" for stdin.
    format: "text", "jsonl" or "spacy".
    text_field: The field of a JSON object that has its text.
    """

    path: Path
    format: str
    text_field: str = TEXT

    @property
    def name(self) -> Path:
        """What errors call it."""
        return Path("stdin") if self.path == STDIN else self.path

    def check(self) -> None:
        """Raise a UserError if it cannot be read."""
        if self.path == STDIN and self.format == "spacy":
            what = "documents are not read from stdin; give the .spacy file"
            raise UserError(what)
        if self.path == STDIN:
            return
        if not (self.format == "spacy" and self.path.is_dir()):
            check_input(self.path)
        elif not any(self.path.rglob("*.spacy")):
            raise UserError("has no .spacy file; give another folder", self.path)

    def items(self) -> Iterator[Item]:
        """Read the texts.

        RAISES (UserError): If something is not as the format says.
        """
        if self.format == "spacy":
            yield from self._documents()
            return
        with self._opened() as file:
            # Carriage returns are white space as any other, but at the end of a line.
            for number, line in decode_lines(file, self.name, keep_ends=True):
                line = line.removesuffix("\n").removesuffix("\r")
                place = Place(self.name, number)
                if self.format == "text":
                    yield Item(place, line, _head({TEXT: line}))
                elif line.strip():
                    yield self._object(place, line)

    @contextmanager
    def _opened(self) -> Iterator[IO[bytes]]:
        # A reader of stdin of its own: sys.stdin is locked while a thread waits for
        # it, and could not be closed when the process ends.
        file = 0 if self.path == STDIN else self.path
        try:
            with open(file, "rb", closefd=file != 0) as opened:
                yield opened
        except OSError as err:
            raise UserError(f"cannot be read ({err.strerror})", self.name) from err

    def _object(self, place: Place, line: str) -> Item:
        try:
            fields = json.loads(line, parse_constant=_refuse)
        # Brackets may be nested deeper than Python's stack.
        except (ValueError, RecursionError) as err:
            what = f"is no JSON ({one_line(err)}); write {_example(self.text_field)}"
            raise UserError.at(place, what) from err
        text = fields.get(self.text_field) if isinstance(fields, dict) else None
        if not isinstance(text, str):
            raise UserError.at(place, _advice(self.text_field))
        carried = _carried(fields, self.text_field)
        try:
            head = _head(carried)
            head.encode("utf-8")
        except (ValueError, RecursionError) as err:
            what = f"holds what cannot be written as JSON in UTF-8 ({err}); mend it"
            raise UserError.at(place, what) from err
        return Item(place, text, head, len(fields) - len(carried))

    def _documents(self) -> Iterator[Item]:
        is_folder = self.path.is_dir()
        for path in walk_corpus(self.path, ".spacy") if is_folder else [self.path]:
            for number, doc in enumerate(read_docs(path, Vocab()), start=1):
                place = Place(path, number, "document")
                yield Item(place, Words.of(doc), _head({TEXT: doc.text}))


def _advice(field: str) -> str:
    return (
        f'is no JSON object with a text in "{field}"; write {_example(field)}, or '
        "name the field with --text-field"
    )


def _example(field: str) -> str:
    return json.dumps({field: "..."}, ensure_ascii=False)


def _carried(fields: dict[str, Any], text_field: str) -> dict[str, Any]:
    """The fields of an object that go to its result; the text is called "text"."""
    carried: dict[str, Any] = {}
    for name, value in fields.items():
        if name == text_field:
            carried[TEXT] = value
        elif name not in (TEXT, *FIELDS):
            carried[name] = value
    return carried


def _head(fields: dict[str, Any]) -> str:
    return to_json(fields)[:-1]


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def format_of(path: Path) -> str:
    """Find the format of an input by its name.

    path: The file or folder, or "-" for stdin.
    RAISES (UserError): If the name does not tell.
    """
    if path == STDIN:
        return "text"
    if path.is_dir():
        return "spacy"
    if path.suffix not in FORMATS:
        what = "the name does not tell the format; give --format text, jsonl or spacy"
        raise UserError(what, path)
    return FORMATS[path.suffix]
