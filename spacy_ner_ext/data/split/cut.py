"""Cut long documents into shorter ones, as EDS-NLP's `split` does, but no entity."""

import re
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

import numpy
from spacy.tokens import Doc, Span

from ...util.errors import Place
from ..report import ConversionReport
from .settings import SplitOptions

ATTRS: tuple[int | str, ...] = (
    *("ENT_IOB", "ENT_TYPE", "ENT_KB_ID", "ENT_ID", "SENT_START"),
    *("TAG", "POS", "MORPH", "LEMMA"),
)
PARSE = ("DEP", "HEAD")


def cut_docs(
    docs: Iterable[tuple[Place, Doc]], shaping: SplitOptions, report: ConversionReport
) -> Iterator[tuple[Place, Doc]]:
    """Cut documents of more than `max_length` tokens.

    A piece takes as many parts as it can hold of what `split_regex` (or sentence
    starts) divide; a part that is longer alone is cut at any token. An entity stays
    whole, and is counted where it makes a piece longer than wanted.

    docs: The documents, and where they are.
    report: Gets the documents that were cut or could not be.
    YIELDS: The pieces; one keeps the document's name with a number behind, and the name
        itself as its "document".
    """
    for place, doc in docs:
        bounds = _find_bounds(doc, shaping, report, place)
        if len(bounds) == 2:
            yield place, doc
            continue
        report.note("cut", place, f"into {len(bounds) - 1}")
        for piece in _pieces(doc, bounds):
            yield place, piece


def _find_bounds(
    doc: Doc, shaping: SplitOptions, report: ConversionReport, place: Place
) -> list[int]:
    """Where the pieces of a document start, and its end."""
    size = shaping.max_length
    if len(doc) <= size or not (size or shaping.split_regex):
        return [0, len(doc)]
    inside = _inside_entities(doc)
    wanted = [*_marks(doc, shaping.split_regex), len(doc)]
    marks = [mark for mark in wanted if mark not in inside]
    if not size:
        for _ in range(len(wanted) - len(marks)):
            report.note("uncut", place, "an entity lies over a match")
        return [0, *marks]
    bounds, before = [0], 0
    for mark in marks:
        if mark - bounds[-1] > size and before > bounds[-1]:
            bounds.append(before)
        while mark - bounds[-1] > size:
            end = _cut_anywhere(bounds[-1], size, mark, inside)
            if end != bounds[-1] + size:
                what = f"an entity lies over token {bounds[-1] + size}"
                report.note("uncut", place, what)
            if end == mark:
                break
            bounds.append(end)
        before = mark
    return [*bounds, len(doc)]


def _marks(doc: Doc, regex: str) -> list[int]:
    """The tokens before which the document may be cut."""
    if not regex:
        if not doc.has_annotation("SENT_START"):
            return []
        return [token.i for token in doc if token.i and token.is_sent_start]
    starts = [token.idx for token in doc]
    ends = {match.end() for match in re.finditer(regex, doc.text) if match.group()}
    marks = {bisect_left(starts, end) for end in ends}
    return sorted(mark for mark in marks if 0 < mark < len(doc))


def _inside_entities(doc: Doc) -> set[int]:
    groups = [doc.ents, *doc.spans.values()]
    spans = (span for group in groups for span in group)
    return {i for span in spans for i in range(span.start + 1, span.end)}


def _cut_anywhere(start: int, size: int, stop: int, inside: set[int]) -> int:
    for end in range(start + size, start, -1):
        if end not in inside:
            return end
    return next((i for i in range(start + size, stop) if i not in inside), stop)


def _pieces(doc: Doc, bounds: list[int]) -> Iterator[Doc]:
    # Not Span.as_doc: it copies the whole document for each piece.
    attrs = [*ATTRS, *(PARSE if doc.has_annotation("DEP") else ())]
    values = doc.to_array(attrs)
    words = [token.text for token in doc]
    spaces = [bool(token.whitespace_) for token in doc]
    name = doc.user_data.get("id", "")
    groups = _Pointers(doc)
    for number, (start, end) in enumerate(pairwise(bounds), start=1):
        own = None if doc.has_unknown_spaces else spaces[start:end]
        piece = Doc(doc.vocab, words=words[start:end], spaces=own)
        piece.from_array(attrs, _inner_heads(values[start:end], attrs))
        piece.cats = dict(doc.cats)
        groups.fill(piece, start, end)
        if name:
            piece.user_data["id"] = f"{name}-{number}"
            piece.user_data.setdefault("document", name)
        yield piece


def _inner_heads(values: Any, attrs: list[int | str]) -> Any:
    if "HEAD" not in attrs:
        return values
    column = attrs.index("HEAD")
    offsets = values[:, column].astype("int64")
    heads = numpy.arange(len(values)) + offsets
    values = values.copy()
    # A word whose head is in another piece becomes a root.
    values[(heads < 0) | (heads >= len(values)), column] = 0
    return values


class _Pointers:
    """The spans and attributes of a document, which pieces take in their order."""

    def __init__(self, doc: Doc) -> None:
        self.groups = {
            key: deque(sorted(group, key=lambda span: (span.start, span.end)))
            for key, group in doc.spans.items()
        }
        self.values: dict[Any, Any] = doc.user_data
        placed = [key for key in self.values if _has_place(key)]
        self.attributes: deque[Any] = deque(
            sorted(placed, key=lambda key: (key[2], key[3] or 0))
        )
        taken = set(placed)
        self.whole = {key: v for key, v in self.values.items() if key not in taken}
        self.offset = 0

    def fill(self, piece: Doc, start: int, end: int) -> None:
        piece.user_data.update(self.whole)
        for key, group in self.groups.items():
            own = []
            while group and group[0].end <= end:
                span = group.popleft()
                first, last = span.start - start, span.end - start
                kept = {"kb_id": span.kb_id, "span_id": span.id}
                own.append(Span(piece, first, last, span.label, **kept))
            piece.spans[key] = own
        size = len(piece.text)
        while self.attributes and self.attributes[0][2] < self.offset + size:
            key = self.attributes.popleft()
            _, name, first, last = key
            moved = None if last is None else last - self.offset
            values: dict[Any, Any] = piece.user_data
            values["._.", name, first - self.offset, moved] = self.values[key]
        self.offset += size


def _has_place(key: Any) -> bool:
    # ("._.", name, first character, last character) of a span or a token.
    return isinstance(key, tuple) and len(key) == 4 and key[2] is not None
