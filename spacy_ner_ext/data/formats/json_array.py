"""The elements of a file that is one JSON array, read one by one."""

import codecs
import re
from collections.abc import Iterator
from json import JSONDecodeError
from pathlib import Path
from typing import Any

from ...util.errors import Place, UserError
from ..text import MAX_LINE
from .json_checks import DECODER, bad_value, check_storable

CHUNK = 2**16
BLANK = re.compile(r"[ \t\r\n]*")


def read_json_array(path: Path) -> Iterator[tuple[Place, Any]]:
    """Read the elements of an array; one of them is in memory at a time.

    path: The file, in UTF-8; it starts with "[".
    YIELDS: The line where each element starts, and the element.
    RAISES (UserError): If the file cannot be read, is not a JSON array, or an element
        is longer than `text.MAX_LINE` characters or cannot be stored by spaCy.
    """
    array = _Array(path)
    array.skip("[")
    if not array.skip("]"):
        yield array.place, array.element()
        while array.skip(","):
            yield array.place, array.element()
        if not array.skip("]"):
            raise array.error("Expecting ',' or ']'", array.position)
    if array.next():
        raise array.error("something follows its end", array.position)


class _Array:
    """An array, of which a part is in memory.

    path: The file.
    text: The part.
    position: The first of its characters that is not read yet.
    line: The line of that character.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = ""
        self.position = 0
        self.line = 1
        self._chunks = _chunks(path)

    @property
    def place(self) -> Place:
        self.next()
        return Place(self.path, self.line)

    def error(self, what: str, position: int) -> UserError:
        line = self.line + self.text.count("\n", self.position, position)
        advice = "correct it, or check whether the file is whole"
        return UserError(f"is not a JSON array ({what}); {advice}", self.path, line)

    def next(self) -> str:
        """The next character that is not blank; empty at the end."""
        while True:
            self._advance(self._behind_blank(self.position))
            if self.position < len(self.text) or not self._read():
                return self.text[self.position : self.position + 1]

    def skip(self, character: str) -> bool:
        """Whether this character was next; it is passed then."""
        is_next = self.next() == character
        self._advance(self.position + is_next)
        return is_next

    def element(self) -> Any:
        place = self.place
        value, end = self._decode()
        check_storable(value, place)
        self._advance(end)
        return value

    def _decode(self) -> tuple[Any, int]:
        while True:
            try:
                value, end = DECODER.raw_decode(self.text, self.position)
                after = self._behind_blank(end)
                if self.text[after : after + 1] in ("]", ","):
                    return value, end
                error = self.error("Expecting ',' or ']'", after)
            except JSONDecodeError as err:
                error = self.error(err.msg.removesuffix(" at"), err.pos)
            except (ValueError, RecursionError) as err:
                raise bad_value(err, self.place) from err
            if len(self.text) - self.position > MAX_LINE:
                what = f"an element has more than {MAX_LINE} characters, or no end"
                raise UserError.at(self.place, f"{what}; correct it")
            # What looks wrong may only be cut off.
            if not self._read():
                raise error

    def _behind_blank(self, position: int) -> int:
        found = BLANK.match(self.text, position)
        assert found is not None
        return found.end()

    def _advance(self, position: int) -> None:
        self.line += self.text.count("\n", self.position, position)
        self.position = position

    def _read(self) -> bool:
        """Take in as much as is waiting, so that long elements are parsed few times."""
        waiting = self.text[self.position :]
        more = next(self._chunks, "")
        while more and len(more) < len(waiting):
            following = next(self._chunks, "")
            if not following:
                break
            more += following
        self.text, self.position = waiting + more, 0
        return bool(more)


def _chunks(path: Path) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    line = 1
    try:
        with path.open("rb") as file:
            for chunk in iter(lambda: file.read(CHUNK), b""):
                text = decoder.decode(chunk)
                if text:
                    yield text
                line += chunk.count(b"\n")
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as err:
        line += err.object.count(b"\n", 0, err.start)
        what = f"byte 0x{err.object[err.start]:02x} is not UTF-8"
        raise UserError(f"{what}; convert the file to UTF-8", path, line) from err
    except OSError as err:
        raise UserError(f"cannot be read ({err.strerror})", path) from err
