"""Files of JSON values, read one by one.

How the values are told apart:

* The file starts with "[": it is one array, and its elements are the values. But if
  its first line is a whole array and more lines follow, or it is a single line and
  starts with a string as `["text", {"entities": []}]` does, each line is a value.
* Else each line is a value. Blank lines are skipped.

The place of a value is the line where it starts, and in an array on a single line its
number in the array.
"""

import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...util.errors import Place, UserError
from ..text import MAX_LINE, check_input, read_lines
from .json_array import read_json_array
from .json_checks import DECODER, parse_json

STARTS_WITH_STRING = re.compile(rb'\[\s*"')


def read_json_values(path: Path) -> Iterator[tuple[Place, Any]]:
    """Read a file of one JSON value a line, or of one array of all values.

    One value is in memory at a time.

    YIELDS: Where each value is, and the value.
    RAISES (UserError): If the file cannot be read, is not JSON, or has a value that
        spaCy cannot store: NaN, half of a surrogate pair, very deep nesting.
    """
    check_input(path)
    is_array, is_single_line = _layout(path)
    if not is_array:
        for number, line in read_lines(path):
            if line.strip():
                yield Place(path, number), parse_json(line, Place(path, number))
        return
    for index, (place, value) in enumerate(read_json_array(path), start=1):
        yield Place(path, index, "element") if is_single_line else place, value


def _layout(path: Path) -> tuple[bool, bool]:
    """Whether it is one array, and on a single line."""
    try:
        with path.open("rb") as file:
            lines = iter(lambda: file.readline(MAX_LINE), b"")
            first = next(filter(None, map(_strip, lines)), b"")
            follows = any(map(_strip, lines))
    except OSError as err:
        raise UserError(f"cannot be read ({err.strerror})", path) from err
    if not first:
        raise UserError("the file holds no value; check how it was made", path)
    if not first.startswith(b"["):
        return False, False
    if follows:
        return not _is_whole(first), False
    return not STARTS_WITH_STRING.match(first), True


def _strip(line: bytes) -> bytes:
    return line.removeprefix(codecs.BOM_UTF8).strip()


def _is_whole(line: bytes) -> bool:
    try:
        DECODER.decode(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return False
    return True
