"""Cut long documents into shorter ones, never inside an entity."""

import re
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy
from spacy.tokens import Doc, Span

from ...util.errors import Place
from ..options import ConvertOptions
from ..report import ConversionReport, NotedPlace

ATTRS: tuple[int | str, ...] = (
    *("ENT_IOB", "ENT_TYPE", "ENT_KB_ID", "ENT_ID", "SENT_START"),
    *("TAG", "POS", "MORPH", "LEMMA"),
)
PARSE = ("DEP", "HEAD")


def cut_docs(
    docs: Iterable[tuple[Place, Doc]], options: ConvertOptions, report: ConversionReport
) -> Iterator[tuple[Place, Doc]]:
    """Cut documents of more than `max_length` tokens, as EDS-NLP's `split` does.

    A piece has as many segments as it can hold; `split_regex` or sentence starts
    separate segments. A longer segment is cut between any two tokens, but no entity is.
    """
    for place, doc in docs:
        noted = NotedPlace.of(place, report)
        bounds = _Cuts(doc, options.max_length, options.split_regex, noted).bounds()
        if len(bounds) == 2:
            yield place, doc
            continue
        noted.note("cut", f"into {len(bounds) - 1}")
        for piece in _pieces(doc, bounds):
            yield place, piece


class _Cuts(NamedTuple):
    """Where a document is cut."""

    doc: Doc
    size: int
    regex: str
    place: NotedPlace

    def bounds(self) -> list[int]:
        """The first token of each piece, and the end of the document."""
        doc, size = self.doc, self.size
        if len(doc) <= size or not (size or self.regex):
            return [0, len(doc)]
        inside = _inside_entities(doc)
        wanted = [*self._marks(), len(doc)]
        marks = [mark for mark in wanted if mark not in inside]
        if size:
            return [*self._fill(marks, inside), len(doc)]
        for _ in range(len(wanted) - len(marks)):
            self.place.note("uncut", "an entity contains a match")
        return [0, *marks]

    def _fill(self, marks: list[int], inside: set[int]) -> list[int]:
        """The starts of pieces that are as long as possible."""
        starts, before = [0], 0
        for mark in marks:
            if mark - starts[-1] > self.size and before > starts[-1]:
                starts.append(before)
            while mark - starts[-1] > self.size:
                wanted = starts[-1] + self.size
                end = _cut_anywhere(starts[-1], self.size, mark, inside)
                if end != wanted:
                    self.place.note("uncut", f"an entity contains token {wanted}")
                if end == mark:
                    break
                starts.append(end)
            before = mark
        return starts

    def _marks(self) -> list[int]:
        """The tokens that may start a piece."""
        doc = self.doc
        if not self.regex:
            if not doc.has_annotation("SENT_START"):
                return []
            return [token.i for token in doc if token.i and token.is_sent_start]
        starts = [token.idx for token in doc]
        matches = re.finditer(self.regex, doc.text)
        ends = {match.end() for match in matches if match.group()}
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
    # Not Span.as_doc, which copies the whole document for each piece.
    attrs = [*ATTRS, *(PARSE if doc.has_annotation("DEP") else ())]
    values = doc.to_array(attrs)
    words = [token.text for token in doc]
    spaces = [bool(token.whitespace_) for token in doc]
    name = doc.user_data.get("id", "")
    rest = _Remaining(doc)
    for number, (start, end) in enumerate(pairwise(bounds), start=1):
        own = None if doc.has_unknown_spaces else spaces[start:end]
        piece = Doc(doc.vocab, words=words[start:end], spaces=own)
        piece.from_array(attrs, _inner_heads(values[start:end], attrs))
        piece.cats = dict(doc.cats)
        rest.move_to(piece, start, end)
        if name:
            piece.user_data["id"] = f"{name}-{number}"
            piece.user_data.setdefault("document", name)
        yield piece


def _inner_heads(values: Any, attrs: list[int | str]) -> Any:
    """Make tokens whose head is in another piece roots."""
    if "HEAD" not in attrs:
        return values
    column = attrs.index("HEAD")
    offsets = values[:, column].astype("int64")
    heads = numpy.arange(len(values)) + offsets
    values = values.copy()
    values[(heads < 0) | (heads >= len(values)), column] = 0
    return values


class _Remaining:
    """The span groups and user data of a document that are not in a piece yet."""

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
        self.shared = {k: v for k, v in self.values.items() if not _has_place(k)}
        self.offset = 0

    def move_to(self, piece: Doc, start: int, end: int) -> None:
        piece.user_data.update(self.shared)
        for key, group in self.groups.items():
            own = []
            while group and group[0].end <= end:
                span = group.popleft()
                first, last = span.start - start, span.end - start
                ids = {"kb_id": span.kb_id, "span_id": span.id}
                own.append(Span(piece, first, last, span.label, **ids))
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
