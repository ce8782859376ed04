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

MARK = re.compile(r"\\[\\\[\]()]|\[|\](?:\((?P<label>[^\\\[\]()]*)\)|(?P<open>\())?")
NOT_A_LABEL = re.compile(r"\s*|.*(\s|://).*")
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
            _check(match, bool(opened), place)
            start = opened.pop()
            if match["label"]:
                # The opening bracket was markup, not text.
                pieces[start] = ""
                found.append((start, len(pieces), match["label"]))
                continue
        pieces.append(match[0][-1])
    if opened:
        what = "'[' is not closed; add ']' and a label, or write '\\[' for a bracket"
        raise place.error(what)
    pieces.append(line[end:])
    starts = [0, *accumulate(map(len, pieces))]
    entities = [Entity(starts[a], starts[b], label, place) for a, b, label in found]
    return Record(place, text="".join(pieces), entities=entities)


def _check(match: re.Match[str], is_opened: bool, place: Place) -> None:
    shown, label = repr(match.string[match.start() :][:EXCERPT]), match["label"]
    if match["open"]:
        what = f"{shown} is not a label: it is not closed or has a bracket or backslash"
        raise place.error(f"{what}; correct it, or write ']\\(' if it is text")
    if not is_opened:
        raise place.error("']' closes nothing; add '[', or write '\\]' for a bracket")
    if label is not None and NOT_A_LABEL.fullmatch(label):
        what = f"'({label[:EXCERPT]})' is not a label: it has white space, is a link or"
        raise place.error(f"{what} empty; correct it, or write ']\\(' if it is text")
