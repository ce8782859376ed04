"""Read text files line by line, with errors that name the line."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ..util.errors import UserError

BOM = "\ufeff"
# Longer than any sentence, and than any text that spaCy accepts.
MAX_LINE = 32 * 2**20


def check_input(path: Path) -> None:
    """Raise unless a path is a regular, readable file that is not empty."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError) as err:
        raise UserError("there is no such file; check the path", path) from err
    except OSError as err:
        raise UserError(f"cannot be read ({err.strerror})", path) from err
    if stat.S_ISDIR(status.st_mode):
        raise UserError("is a folder; give one file", path)
    if not stat.S_ISREG(status.st_mode):
        raise UserError("is not a regular file; save its content to a file", path)
    if status.st_size == 0:
        raise UserError("the file is empty; check how it was made", path)


def read_lines(path: Path, *, keep_ends: bool = False) -> Iterator[tuple[int, str]]:
    """Read a UTF-8 file line by line, with or without BOM, LF or CRLF.

    Only a line feed ends a line; U+0085, U+2028 and form feeds occur in tokens. With
    `keep_ends`, carriage returns may be anywhere, as in a quoted field of a table.
    """
    try:
        with path.open("rb") as file:
            yield from decode_lines(file, path, keep_ends=keep_ends)
    except OSError as err:
        raise UserError(f"cannot be read ({err.strerror})", path) from err


def decode_lines(
    file: IO[bytes], path: Path, *, keep_ends: bool = False
) -> Iterator[tuple[int, str]]:
    """Read an open file or stream in the way of `read_lines`."""
    status = os.fstat(file.fileno())
    # A small file has no line that is too long, and this is faster.
    is_small = stat.S_ISREG(status.st_mode) and status.st_size <= MAX_LINE
    lines = file if is_small else iter(lambda: file.readline(MAX_LINE + 1), b"")
    for number, raw in enumerate(lines, start=1):
        if len(raw) > MAX_LINE:
            what = f"is longer than {MAX_LINE // 2**20} MiB; cut the text in it"
            raise UserError(what, path, number)
        line = _decode(raw, path, number, keep_ends)
        yield number, line.removeprefix(BOM) if number == 1 else line


def _decode(raw: bytes, path: Path, number: int, keep_end: bool) -> str:
    try:
        line = raw.decode("utf-8")
    except UnicodeDecodeError as err:
        what = f"byte 0x{raw[err.start]:02x} at position {err.start + 1} is not UTF-8"
        raise UserError(f"{what}; convert the file to UTF-8", path, number) from err
    if keep_end:
        return line
    line = line.removesuffix("\n").removesuffix("\r")
    if "\r" in line:
        what = "a carriage return is inside the line; convert line ends to LF or CRLF"
        raise UserError(what, path, number)
    return line
