"""Markup inside the text, one text a line: `[Ada](PER) met [Bob](PER).`"""

import re
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

from ...util.errors import Place, UserError
from ..docs import reads_docs
from ..record import Entity, Record
from ..report import ConversionReport
from ..text import check_input, read_lines

MARK = re.compile(r"\\[\\\[\]()]|\[|\](?:\((?P<label>[^\\\[\]()]*)\))?")
WHITE_SPACE = re.compile(r"\s")
EXCERPT = 40


@reads_docs
def read_inline(path: Path, report: ConversionReport) -> Iterator[Record]:
    """Read lines of text with entities such as `[Ada](PER)`."""
    check_input(path)
    is_empty = True
    for number, line in read_lines(path):
        if line.strip():
            is_empty = False
            yield _record(line, Place(path, number))
    if is_empty:
        raise UserError("the file holds no text; check how it was made", path)


def _record(line: str, place: Place) -> Record:
    pieces: list[str] = []
    opened: list[int] = []
    found: list[tuple[int, int, str]] = []
    end = 0
    for match in MARK.finditer(line):
        pieces.append(line[end : match.start()])
        end = match.end()
        if match[0] == "[":
            opened.append(len(pieces))
        elif match[0].startswith("]"):
            start = _opening(opened, line, match, place)
            if match["label"] is not None:
                # The opening bracket was markup, not text.
                pieces[start] = ""
                found.append((start, len(pieces), _label(match, place)))
                continue
        pieces.append(match[0][-1])
    if opened:
        what = "'[' is not closed; add ']' and a label, or write '\\[' for a bracket"
        raise place.error(what)
    pieces.append(line[end:])
    starts = [0, *accumulate(len(piece) for piece in pieces)]
    entities = [
        Entity(starts[start], starts[end], label, place) for start, end, label in found
    ]
    return Record(place, text="".join(pieces), entities=entities)


def _opening(opened: list[int], line: str, match: re.Match[str], place: Place) -> int:
    if match["label"] is None and line.startswith("(", match.end()):
        shown = line[match.start() : match.end() + EXCERPT]
        what = f"{shown!r} is not a label: it is not closed or has a bracket or "
        raise place.error(f"{what}backslash; correct it, or write ']\\(' if it is text")
    if not opened:
        raise place.error("']' closes nothing; add '[', or write '\\]' for a bracket")
    return opened.pop()


def _label(match: re.Match[str], place: Place) -> str:
    label = match["label"]
    if not label:
        raise place.error("'()' has no label; write one such as '(PER)'")
    if "://" in label or WHITE_SPACE.search(label):
        what = f"'({label[:EXCERPT]})' is not a label: it has white space or is a link"
        raise place.error(f"{what}; write ']\\(' if it is text")
    return label
