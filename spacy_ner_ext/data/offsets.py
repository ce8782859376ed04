"""Find a quoted span in its text, whatever its offsets count."""

import re
from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

Span = tuple[int, int]

# A quote may be this far from its offsets, if it occurs only once up to this distance.
MAX_SHIFT = 5
UNIQUE_WITHIN = 16
# White space makes a span up to this many times longer than its quote.
MAX_BLANKS = 8
# Some tools write line ends and tabs of a quote as escapes.
WHITE_SPACE = re.compile(r"(?:\s|\\[nrt])+")


class Found(NamedTuple):
    """Where a quote is in the text.

    how: What the offsets that were given count or miss; empty if they are right.
    """

    start: int
    end: int
    how: str = ""


class Quote(NamedTuple):
    """A quote, with the offsets of its fragments, which are usually one; with None as
    text, its offsets are right if they are in the text."""

    spans: Sequence[Span]
    text: str | None


class Fragments(NamedTuple):
    """Where the fragments of a quote are in the text, see `Found`."""

    spans: list[Span]
    how: str = ""


def find_quote(text: str, start: int, end: int, quote: str) -> Found | None:
    """Find a quote that should be at these offsets; None if it is not certain where.

    White space in the quote stands for any white space. Offsets may count characters,
    UTF-16 units, bytes, CR LF as one or LF as two, or runs of white space as one; they
    may reach past the end of the text, or miss the quote by a few characters if it is
    there only once.
    """
    (found,) = find_quotes(text, [Quote([(start, end)], quote)])
    return None if found is None else Found(*found.spans[0], found.how)


def find_quotes(text: str, quotes: Sequence[Quote]) -> list[Fragments | None]:
    """Find all quotes of a text in the way of `find_quote`. Where one could be at
    several places, the offsets count or miss what those of most others do."""
    candidates = [_candidates(text, quote) for quote in quotes]
    hows = Counter(found[0].how for found in candidates if len(found) == 1)
    usual = hows.most_common(1)[0][0] if hows else ""
    narrowed = [
        found if len(found) == 1 else [one for one in found if one.how == usual]
        for found in candidates
    ]
    return [found[0] if len(found) == 1 else None for found in narrowed]


def _candidates(text: str, quote: Quote) -> list[Fragments]:
    """Where a quote may be: at its offsets, or by what they count, or else nearby."""
    given = list(quote.spans)
    if quote.text is None:
        return [Fragments(given)] * _are_inside(text, given)
    if _fits(text, given, quote.text):
        return [Fragments(given)]
    if not _collapsed(quote.text):
        return []
    found: dict[tuple[Span, ...], str] = {}
    for how, width in UNITS.items():
        positions = _positions(text, width)
        moved = [(_start(positions, a), _end(positions, b)) for a, b in given]
        if _fits(text, moved, quote.text):
            trimmed = tuple(_trimmed(text, *span) for span in moved)
            found.setdefault(trimmed, f"the offsets count {how}")
    found = found or _nearby(text, given, quote.text)
    return [Fragments(list(where), how) for where, how in found.items()]


def _fits(text: str, spans: Sequence[Span], quote: str) -> bool:
    if not _are_inside(text, spans):
        return False
    there = " ".join(text[start:end] for start, end in spans)
    return there == quote or _collapsed(there) == _collapsed(quote)


def _are_inside(text: str, spans: Sequence[Span]) -> bool:
    return all(0 <= start < end <= len(text) for start, end in spans)


def _trimmed(text: str, start: int, end: int) -> Span:
    there = text[start:end]
    return end - len(there.lstrip()), start + len(there.rstrip())


def _collapsed(text: str) -> str:
    return WHITE_SPACE.sub(" ", text).strip()


def _nearby(
    text: str, spans: Sequence[Span], quote: str
) -> dict[tuple[Span, ...], str]:
    """Where a quote is near its offsets, and how it was found."""
    start, end = spans[0]
    if len(spans) > 1:
        shifts = (d for d in range(-MAX_SHIFT, MAX_SHIFT + 1) if d)
        moved = {tuple((a + d, b + d) for a, b in spans): _shift(d) for d in shifts}
        return {where: how for where, how in moved.items() if _fits(text, where, quote)}
    matches = list(_matches(text, start - UNIQUE_WITHIN, start + UNIQUE_WITHIN, quote))
    anchored = [match for match in matches if match[0] == start or match[1] == end]
    if len(anchored) == 1:
        return {(anchored[0],): _moved_side(anchored[0], spans[0], len(text))}
    if all(abs(match[0] - start) > MAX_SHIFT for match in matches):
        return {}
    return {(match,): _shift(match[0] - start) for match in matches}


def _moved_side(found: Span, given: Span, size: int) -> str:
    if given[1] > size:
        return "the end is past the end of the text"
    if found[0] == given[0]:
        return _shift(found[1] - given[1], "the end is")
    return _shift(found[0] - given[0], "the start is")


def _matches(text: str, first: int, last: int, quote: str) -> Iterator[Span]:
    parts = map(re.escape, _collapsed(quote).split())
    pattern = re.compile(rf"(?=({WHITE_SPACE.pattern.join(parts)}))")
    stop = last + MAX_BLANKS * len(quote)
    for match in pattern.finditer(text, max(first, 0), max(stop, 0)):
        if match.start() > last:
            return
        yield match.span(1)


def _shift(n: int, what: str = "the offsets are") -> str:
    unit = "character" if abs(n) == 1 else "characters"
    return f"{what} {abs(n)} {unit} too {'small' if n > 0 else 'large'}"


def _start(positions: Sequence[int], offset: int) -> int:
    """The last character at an offset; -1 if none starts there."""
    i = bisect_right(positions, offset) - 1
    return i if i >= 0 and positions[i] == offset else -1


def _end(positions: Sequence[int], offset: int) -> int:
    """The first character at an offset; -1 if none starts there."""
    i = bisect_left(positions, offset)
    return i if i < len(positions) and positions[i] == offset else -1


@lru_cache(maxsize=16)
def _positions(text: str, width: Callable[[str], Sequence[int]]) -> "array[int]":
    """The offset of each character, and of the end of the text."""
    return array("q", accumulate(width(text), initial=0))


def _utf16(text: str) -> list[int]:
    return [1 + (char > "\uffff") for char in text]


def _utf8(text: str) -> list[int]:
    return [len(char.encode("utf-8", "surrogatepass")) for char in text]


def _one_line_end(width: Callable[[str], list[int]]) -> Callable[[str], list[int]]:
    """Count CR LF as one character."""

    def count(text: str) -> list[int]:
        widths = width(text)
        for match in re.finditer("\r\n", text):
            widths[match.start()] = 0
        return widths

    return count


def _two_line_ends(text: str) -> list[int]:
    ends = {match.start() for match in re.finditer(r"(?<!\r)\n", text)}
    return [1 + (i in ends) for i in range(len(text))]


def _one_space(text: str) -> list[int]:
    spaces = [char.isspace() for char in text]
    return [int(not (b and a)) for a, b in zip([True, *spaces], spaces)]


def _characters(text: str) -> list[int]:
    return [1] * len(text)


def _without_bom(text: str) -> list[int]:
    return [int(char != "\ufeff") for char in text]


UNITS: dict[str, Callable[[str], list[int]]] = {
    "UTF-16 units": _utf16,
    "UTF-8 bytes": _utf8,
    "CR LF as one character": _one_line_end(_characters),
    "UTF-16 units and CR LF as one": _one_line_end(_utf16),
    "UTF-8 bytes and CR LF as one": _one_line_end(_utf8),
    "LF as two characters": _two_line_ends,
    "runs of white space as one character": _one_space,
    "no byte order mark": _without_bom,
}
