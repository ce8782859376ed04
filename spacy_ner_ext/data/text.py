"""Read text files in any encoding, with errors that name the line."""

import codecs
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import IO, TypeVar

from ..util.errors import UserError

T = TypeVar("T")
BOM = "\ufeff"
# Longer than any sentence, and than any text that spaCy accepts.
MAX_LINE = 32 * 2**20
CHUNK = 2**16
# Enough to recognize an encoding.
SAMPLE = 2**20
UTF8 = "utf-8"
# UTF-8 of the two halves of a character above U+FFFF; Python has no such codec.
CESU8 = "cesu-8"
CESU8_PAIR = re.compile(rb"\xed[\xa0-\xaf][\x80-\xbf]\xed[\xb0-\xbf][\x80-\xbf]")
# Bytes of Windows-1252 that are control characters in Latin-1, and those of neither.
WINDOWS = re.compile(rb"[\x80\x82-\x8c\x8e\x91-\x9c\x9e\x9f]")
NOT_WINDOWS = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")
# A larger share of bytes above 0x7f is not a language in Latin script.
MAX_HIGH = 0.3

_encoding: ContextVar[str] = ContextVar("encoding", default=UTF8)


@contextmanager
def encoded_as(encoding: str | None) -> Iterator[None]:
    """Read all text files in a block in this encoding; None is UTF-8."""
    token = _encoding.set(_checked_name(encoding or UTF8))
    try:
        yield
    finally:
        _encoding.reset(token)


def read_encoded(items: Iterator[T], encoding: str | None) -> Iterator[T]:
    """Iterate over what a reader yields while its files are in this encoding."""
    while True:
        # Not around the yield: others may read files of other encodings between two.
        with encoded_as(encoding):
            item = next(items, None)
        if item is None:
            return
        yield item


def _checked_name(encoding: str) -> str:
    name = encoding.lower().replace("_", "-")
    if name == CESU8:
        return name
    try:
        # Codecs that are not of texts, such as "hex", raise a LookupError too.
        "a".encode(name)
        name = codecs.lookup(name).name
    except (LookupError, UnicodeError) as err:
        what = f"Python has no encoding '{encoding}'"
        raise UserError(f"{what}; give one such as latin-1, cp1252 or utf-16") from err
    return UTF8 if name == "utf-8-sig" else name


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Raise errors of the operating system in a block as errors of the user."""
    try:
        yield
    except OSError as err:
        where = Path(err.filename or path)
        raise UserError(f"cannot be read ({err.strerror})", where) from err


def check_input(path: Path) -> None:
    """Raise unless a path is a regular, readable file that is not empty."""
    with readable(path):
        try:
            status = path.stat()
        except (FileNotFoundError, NotADirectoryError) as err:
            raise UserError("there is no such file; check the path", path) from err
    if stat.S_ISDIR(status.st_mode):
        raise UserError("is a folder; give one file", path)
    if not stat.S_ISREG(status.st_mode):
        raise UserError("is not a regular file; save its content to a file", path)
    if status.st_size == 0:
        raise UserError("the file is empty; check how it was made", path)


def read_lines(path: Path, *, keep_ends: bool = False) -> Iterator[tuple[int, str]]:
    """Read a file line by line, with or without BOM, LF or CRLF.

    Only a line feed ends a line; U+0085, U+2028 and form feeds occur in tokens. With
    `keep_ends`, carriage returns may be anywhere, as in a quoted field of a table.
    """
    if _encoding.get() != UTF8:
        yield from _read_other_lines(path, keep_ends)
        return
    with readable(path), path.open("rb") as file:
        yield from decode_lines(file, path, keep_ends=keep_ends)


def decode_lines(
    file: IO[bytes], path: Path, *, keep_ends: bool = False
) -> Iterator[tuple[int, str]]:
    """Read an open file or stream of UTF-8 in the way of `read_lines`."""
    status = os.fstat(file.fileno())
    # A small file has no line that is too long, and this is faster.
    is_small = stat.S_ISREG(status.st_mode) and status.st_size <= MAX_LINE
    lines = file if is_small else iter(lambda: file.readline(MAX_LINE + 1), b"")
    for number, raw in enumerate(lines, start=1):
        _check_length(len(raw), path, number)
        try:
            line = raw.decode(UTF8)
        except UnicodeDecodeError as err:
            where = f" at position {err.start + 1}"
            raise _undecodable(err, path, number, where) from err
        yield number, _line(line, path, number, keep_ends)


def _read_other_lines(path: Path, keep_ends: bool) -> Iterator[tuple[int, str]]:
    number, waiting = 0, ""
    for text in read_chunks(path):
        *lines, waiting = (waiting + text).split("\n")
        for line in lines:
            number += 1
            yield number, _line(f"{line}\n", path, number, keep_ends)
        _check_length(len(waiting), path, number + 1)
    if waiting:
        yield number + 1, _line(waiting, path, number + 1, keep_ends)


def _line(line: str, path: Path, number: int, keep_end: bool) -> str:
    if number == 1:
        line = line.removeprefix(BOM)
        if line.count("\0") > len(line) / 4:
            what = f"has null characters; {_advice(path)}"
            raise UserError(what, path, number)
    if keep_end:
        return line
    line = line.removesuffix("\n").removesuffix("\r")
    if "\r" in line:
        what = "a carriage return is inside the line; convert line ends to LF or CRLF"
        raise UserError(what, path, number)
    return line


def _check_length(length: int, path: Path, number: int) -> None:
    if length > MAX_LINE:
        what = f"is longer than {MAX_LINE // 2**20} MiB; cut the text in it"
        raise UserError(what, path, number)


def read_chunks(path: Path) -> Iterator[str]:
    """Read a file in pieces of text, without a byte order mark."""
    number, is_first = 1, True
    try:
        with readable(path), path.open("rb") as file:
            for text in _decode_chunks(file):
                number += text.count("\n")
                shown = text.removeprefix(BOM) if is_first else text
                is_first = is_first and not text
                if shown:
                    yield shown
    except UnicodeDecodeError as err:
        number += err.object.count(b"\n", 0, err.start)
        raise _undecodable(err, path, number) from err
    except UnicodeError as err:
        what = f"cannot be read as {_encoding.get()} ({err}); give another --encoding"
        raise UserError(what, path) from err


def read_first_line(path: Path) -> tuple[str, bool]:
    """Read the first line that is not blank, without white space at its ends, and
    whether more follows. A line of more than `MAX_LINE` characters is cut."""
    pieces: list[str] = []
    size = 0
    chunks = read_chunks(path)
    for chunk in chunks:
        piece = chunk if pieces else chunk.lstrip()
        pieces += [piece] if piece else []
        size += len(piece)
        if "\n" in piece or size > MAX_LINE:
            break
    line, _, rest = "".join(pieces).partition("\n")
    follows = bool(rest.strip()) or size > MAX_LINE or any(map(str.strip, chunks))
    return line.strip(), follows


def _decode_chunks(file: IO[bytes]) -> Iterator[str]:
    encoding = _encoding.get()
    if encoding == CESU8:
        yield from map(_decode_cesu8, file)
        return
    decoder = codecs.getincrementaldecoder(encoding)()
    for chunk in iter(lambda: file.read(CHUNK), b""):
        yield decoder.decode(chunk)
    decoder.decode(b"", final=True)


def _decode_cesu8(raw: bytes) -> str:
    units = raw.decode(UTF8, "surrogatepass").encode("utf-16-le", "surrogatepass")
    return units.decode("utf-16-le")


def decode_text(raw: bytes, path: Path) -> str:
    """Decode the content of a whole file, with its byte order mark."""
    encoding = _encoding.get()
    try:
        return _decode_cesu8(raw) if encoding == CESU8 else raw.decode(encoding)
    except UnicodeDecodeError as err:
        line = raw.count(b"\n", 0, err.start) + 1
        raise _undecodable(err, path, line) from err


def _undecodable(
    err: UnicodeDecodeError, path: Path, number: int, where: str = ""
) -> UserError:
    """The error for bytes that do not belong to the encoding."""
    what = f"byte 0x{err.object[err.start]:02x}{where} is not"
    encoding = _encoding.get()
    if encoding != UTF8:
        return UserError(f"{what} {encoding}; choose another --encoding", path, number)
    return UserError(f"{what} UTF-8; {_advice(path)}", path, number)


def _advice(path: Path) -> str:
    """The next step for a file that is not UTF-8, by the bytes at its start."""
    with path.open("rb") as file:
        sample = file.read(SAMPLE)
    high = sum(byte > 0x7F for byte in sample)
    found = ""
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        found = "UTF-16 (--encoding utf-16)"
    elif sample.count(0) > len(sample) / 8:
        order = "le" if sample[1:2] == b"\0" else "be"
        found = f"UTF-16 (--encoding utf-16-{order})"
    elif 0 in sample:
        return "this looks like a binary file, not a text"
    elif CESU8_PAIR.search(sample):
        found = "CESU-8 (--encoding cesu-8)"
    elif _is_mostly_utf8(sample):
        return "most other bytes are, so correct this line"
    elif high <= MAX_HIGH * len(sample) and not NOT_WINDOWS.search(sample):
        found = "Latin-1 (--encoding latin-1)"
        if WINDOWS.search(sample):
            found = "Windows-1252 (--encoding cp1252)"
    if found:
        return f"the bytes look like {found}; give this option"
    return "name the encoding with --encoding, such as cp1251, gbk or shift_jis"


def _is_mostly_utf8(sample: bytes) -> bool:
    text = sample.decode(UTF8, "replace")
    wrong = text.count("\ufffd")
    return sum(character > "\x7f" for character in text) > 3 * wrong
