"""Align character spans with tokens: what `--align` does."""

from bisect import bisect_left, bisect_right
from functools import cached_property
from typing import NamedTuple

from spacy.tokens import Doc, Span

from ..util.errors import Place
from .record import Entity

ALIGNMENTS = ("strict", "contract", "expand", "split")
# Kinds of notes about entities that begin or end inside a token.
CUTTING = ("expanded", "contracted", "misaligned")
EXCERPT = 40


class Alignment(NamedTuple):
    """The tokens of an entity, or those that it touches if it is dropped."""

    start: int
    end: int
    # How it was changed: a key of `report.KINDS`, and in words.
    kind: str = ""
    what: str = ""
    is_kept: bool = True


BLANK = Alignment(0, 0, "dropped", "covers only white space", False)


class Tokens:
    """The tokens of a document; `text` is None if its entities count tokens."""

    def __init__(self, doc: Doc, text: str | None) -> None:
        self.doc = doc
        self.in_words = text is None
        self.text = text or ""

    @cached_property
    def starts(self) -> list[int]:
        # Faster than a loop over tokens.
        return self.doc.to_array("IDX").tolist()

    @cached_property
    def ends(self) -> list[int]:
        return self.doc.to_array(["IDX", "LENGTH"]).sum(axis=1).tolist()

    def touched(self, start: int, end: int) -> range:
        """The tokens that a span touches."""
        if self.in_words:
            return range(start, end)
        return range(bisect_right(self.ends, start), bisect_left(self.starts, end))

    def align(self, entity: Entity, place: Place, mode: str) -> Alignment:
        """Find the tokens of an entity, without white space at its ends, since spaCy
        refuses to train on it."""
        self._check(entity, entity.place or place)
        if self.in_words:
            return self._trim(entity.start, entity.end)
        start, end = self.trim(entity)
        if start >= end:
            return BLANK
        return self._align(start, end, mode, start > entity.start or end < entity.end)

    def trim(self, entity: Entity) -> tuple[int, int]:
        """The characters of an entity without white space at its ends."""
        quoted = self.text[entity.start : entity.end]
        start = entity.start + len(quoted) - len(quoted.lstrip())
        return start, entity.start + len(quoted.rstrip())

    def _check(self, entity: Entity, place: Place) -> None:
        size = len(self.doc) if self.in_words else len(self.text)
        unit = "words" if self.in_words else "characters"
        span = f"{entity.label or 'an entity'} from {entity.start} to {entity.end}"
        if not entity.label.strip():
            raise place.error(f"{span} has no label; add one")
        if not 0 <= entity.start < entity.end <= size:
            what = f"{span} is not in the text of {size} {unit}"
            if 0 <= entity.end <= entity.start <= size:
                what = f"{span} is empty"
            raise place.error(f"{what}; correct its start and end")

    def _align(self, start: int, end: int, mode: str, is_trimmed: bool) -> Alignment:
        first = bisect_right(self.starts, start) - 1
        stop = bisect_left(self.ends, end) + 1
        if self.starts[first] == start and self.ends[stop - 1] == end:
            kind = "trimmed" if is_trimmed else ""
            return Alignment(first, stop, kind, "loses white space at its ends")
        quoted = repr(self.text[start:end][:EXCERPT])
        touched = excerpt(self.doc[first:stop])
        if mode == "expand":
            return Alignment(first, stop, "expanded", f"{quoted} becomes {touched}")
        lost = Alignment(
            first, stop, "misaligned", f"{quoted} is part of {touched}", False
        )
        inner = first + (self.starts[first] < start)
        inner_stop = stop - (self.ends[stop - 1] > end)
        if mode == "strict" or inner >= inner_stop:
            return lost
        what = f"{quoted} becomes {excerpt(self.doc[inner:inner_stop])}"
        kept = self._trim(inner, inner_stop)
        return kept._replace(kind="contracted", what=what) if kept.is_kept else lost

    def _trim(self, start: int, end: int) -> Alignment:
        first, stop = start, end
        while first < stop and not self.doc[first].text.strip():
            first += 1
        while first < stop and not self.doc[stop - 1].text.strip():
            stop -= 1
        if first == stop:
            return BLANK
        if (first, stop) == (start, end):
            return Alignment(start, end)
        removed = end - start - (stop - first)
        return Alignment(first, stop, "trimmed", f"loses {removed} blank tokens")


def excerpt(span: Span) -> str:
    """The start of a span, quoted."""
    return repr(span.text[:EXCERPT])
