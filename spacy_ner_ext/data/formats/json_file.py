"""Read a file of JSON values one by one, a sequence or an array, and check values.

A file that starts with "[" is one array, except that ["text", {}] is a value.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from json import JSONDecodeError
from pathlib import Path
from typing import Any, TypeVar

from srsly.msgpack import Packer

from ...util.errors import Place, UserError
from ..text import MAX_LINE, check_input, read_chunks, read_first_line

T = TypeVar("T")
BETWEEN = re.compile(r"[ \t\r\n,]*")
STARTS_WITH_STRING = re.compile(r'\[\s*"')
# A number, literal or escape that the end of a text cuts off is not longer.
MAX_CUT = 16
EXCERPT = 40
KIND_NAMES = {
    str: "a string",
    int: "a whole number",
    float: "a number",
    list: "an array",
    dict: "an object",
}


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:EXCERPT]} is not a JSON number; leave it out")
    return number


# `srsly.msgpack_dumps` searches all installed packages at each call.
PACKER = Packer()
DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_finite)


def read_json_values(path: Path) -> Iterator[tuple[Place, Any]]:
    """Read a file of JSON values or of one array, one value in memory at a time.

    Commas between values count as white space, as between the lines of some exports.
    """
    check_input(path)
    first, follows = read_first_line(path)
    if not first:
        raise UserError("the file holds no value; check how it was made", path)
    is_array = first.startswith("[") and not STARTS_WITH_STRING.match(first)
    for index, (place, value) in enumerate(_Values(path).read(is_array), start=1):
        is_element = is_array and not follows
        yield Place(path, index, "element") if is_element else place, value


class _Values:
    """The values of a file, a part of them in memory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = ""
        self.position = 0
        self.line = 1
        self._chunks = read_chunks(path)

    def read(self, is_array: bool) -> Iterator[tuple[Place, Any]]:
        is_open = False
        while character := self._next():
            place = Place(self.path, self.line)
            if is_array and character == ("]" if is_open else "["):
                is_open = not is_open
                self._advance(self.position + 1)
            elif is_array and not is_open:
                raise place.error("something follows the end of the array; remove it")
            else:
                yield place, self._value(place)
        if is_open:
            what = "the array has no end; check whether the file is complete"
            raise UserError(what, self.path, self.line)

    def _next(self) -> str:
        """The first character of the next value; empty at the end."""
        while True:
            self._advance(BETWEEN.match(self.text, self.position).end())  # type: ignore
            if self.position < len(self.text) or not self._read():
                return self.text[self.position : self.position + 1]

    def _value(self, place: Place) -> Any:
        while True:
            try:
                with _explained(place):
                    value, end = DECODER.raw_decode(self.text, self.position)
                    # The end of the text may cut it off.
                    if end + MAX_CUT < len(self.text) or not self._read():
                        PACKER.pack(value)
                        self._advance(end)
                        return value
            except JSONDecodeError as err:
                is_at_end = err.pos + MAX_CUT > len(self.text)
                is_cut = is_at_end or err.msg.startswith("Unterminated")
                if not is_cut or not self._read():
                    n_lines = self.text.count("\n", self.position, err.pos)
                    where = f" on line {self.line + n_lines}" if n_lines else ""
                    what = f"is not a JSON value ({err.msg.removesuffix(' at')}{where})"
                    advice = "correct it, or check whether the file is complete"
                    raise place.error(f"{what}; {advice}") from err

    def _advance(self, position: int) -> None:
        self.line += self.text.count("\n", self.position, position)
        self.position = position

    def _read(self) -> bool:
        """Read at least as much again, so that long values are parsed few times."""
        waiting = self.text[self.position :]
        if len(waiting) > MAX_LINE:
            what = f"a value has more than {MAX_LINE} characters, or no end; correct it"
            raise UserError(what, self.path, self.line)
        more = ""
        while len(more) <= len(waiting) and (chunk := next(self._chunks, "")):
            more += chunk
        if more:
            self.text, self.position = waiting + more, 0
        return bool(more)


def parse_json(text: str, place: Place, name: str) -> Any:
    """Parse one JSON value; `name` says what it is."""
    try:
        with _explained(place):
            value = DECODER.decode(text)
            PACKER.pack(value)
    except JSONDecodeError as err:
        found = f"{err.msg.removesuffix(' at')} at character {err.pos + 1}"
        raise place.error(f"{name} is not a JSON value ({found}); correct it") from err
    return value


def check_storable(value: Any, place: Place) -> None:
    """Raise if spaCy cannot store a value with a document."""
    with _explained(place):
        PACKER.pack(value)


@contextmanager
def _explained(place: Place) -> Iterator[None]:
    """Explain errors of parsing or storing a value, other than its syntax."""
    try:
        yield
    except (JSONDecodeError, UserError):
        raise
    except (ValueError, OverflowError, RecursionError, TypeError) as err:
        what = str(err)
        if isinstance(err, UnicodeEncodeError):
            half = f"\\u{ord(err.object[err.start]):04x}"
            what = f"{half} is half of a surrogate pair; correct the text"
        elif isinstance(err, RecursionError) or "recursion" in what:
            what = "the value is nested too deep; leave out the nested part"
        elif isinstance(err, OverflowError) or "digits" in what:
            what = "a whole number has more than 64 bits; write it as a string"
        elif isinstance(err, TypeError):
            what = f"holds something that is not a plain JSON value ({what}); remove it"
        raise place.error(what) from err


def field(values: Mapping[str, Any], name: str, kind: type[T], place: Place) -> T:
    """Get a required value of an object, of type str, int, float, list or dict."""
    if not isinstance(values, Mapping):
        raise place.error(f"{excerpt(values)} is not an object with '{name}'")
    if name not in values:
        there = ", ".join(values)[: 4 * EXCERPT] or "nothing"
        raise place.error(f"'{name}' is missing, found {there}; add it")
    return checked(values[name], kind, f"'{name}'", place)


def checked(value: Any, kind: type[T], name: str, place: Place) -> T:
    """Check the type of a value: a bool is not a number, a whole number is a float."""
    kinds = (int, float) if kind is float else kind
    if not isinstance(value, kinds) or isinstance(value, bool):
        what = f"{name} is {excerpt(value)}, not {KIND_NAMES[kind]}; correct it"
        raise place.error(what)
    return value  # type: ignore[return-value]


def array(values: Mapping[str, Any], name: str, place: Place) -> list[Any]:
    """Get an array of an object; empty if it is missing or null."""
    value = values.get(name)
    return [] if value is None else checked(value, list, f"'{name}'", place)


def objects(values: Mapping[str, Any], name: str, place: Place) -> list[dict[str, Any]]:
    """Get an array of objects; empty if it is missing or null."""
    items = array(values, name, place)
    return [checked(item, dict, f"one of '{name}'", place) for item in items]


def excerpt(value: Any) -> str:
    """The start of a value, as JSON if possible, for a message."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= EXCERPT else f"{text[:EXCERPT]}..."


def name_of(values: Mapping[str, Any], name: str, place: Place) -> str:
    """Get a string or whole number of an object; empty if missing or null."""
    value = values.get(name)
    return "" if value is None else as_name(value, f"'{name}'", place)


def as_name(value: Any, name: str, place: Place) -> str:
    """Get a string or whole number as a string."""
    return str(value) if type(value) is int else checked(value, str, name, place)
