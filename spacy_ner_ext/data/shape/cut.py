"""Cut long documents into shorter ones, as EDS-NLP's `split` does, but no entity."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import pairwise

from spacy.tokens import Doc, Span

from ..errors import Place
from ..report import ConversionReport
from .settings import Shaping


def cut_docs(
    docs: Iterable[tuple[Place, Doc]], shaping: Shaping, report: ConversionReport
) -> Iterator[tuple[Place, Doc]]:
    """Cut documents of more than `max_length` tokens.

    A piece takes as many parts as it can hold of what `split_regex` (or sentence
    starts) divide; a part that is longer alone is cut at any token. An entity stays
    whole, and is counted where it makes a piece longer than wanted.

    docs (Iterable[Tuple[Place, Doc]]): The documents, and where they are.
    shaping (Shaping): Where to cut.
    report (ConversionReport): Gets the documents that were cut or could not be.
    YIELDS (Tuple[Place, Doc]): The pieces; one keeps the document's name with a number
        behind, and the name itself as its "document".
    """
    for place, doc in docs:
        bounds = _find_bounds(doc, shaping, report, place)
        if len(bounds) == 2:
            yield place, doc
            continue
        report.note("cut", place, f"into {len(bounds) - 1}")
        for number, (start, end) in enumerate(pairwise(bounds), start=1):
            yield place, _piece(doc, start, end, number)


def _find_bounds(
    doc: Doc, shaping: Shaping, report: ConversionReport, place: Place
) -> list[int]:
    """Where the pieces of a document start, and its end."""
    size = shaping.max_length
    if len(doc) <= size or not (size or shaping.split_regex):
        return [0, len(doc)]
    inside = _inside_entities(doc)
    wanted = [*_marks(doc, shaping.split_regex), len(doc)]
    marks = [mark for mark in wanted if mark not in inside]
    if len(marks) < len(wanted):
        n = len(wanted) - len(marks)
        report.note("uncut", place, f"an entity lies over {n} places to cut at")
    if not size:
        return [0, *marks]
    bounds, before = [0], 0
    for mark in marks:
        if mark - bounds[-1] > size and before > bounds[-1]:
            bounds.append(before)
        while mark - bounds[-1] > size:
            end = _cut_anywhere(bounds[-1], size, mark, inside)
            if end - bounds[-1] > size:
                what = f"an entity makes {end - bounds[-1]} tokens"
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


def _piece(doc: Doc, start: int, end: int, number: int) -> Doc:
    span = doc[start:end]
    piece = span.as_doc(copy_user_data=True)
    piece.has_unknown_spaces = doc.has_unknown_spaces
    piece.cats = dict(doc.cats)
    for key, group in doc.spans.items():
        piece.spans[key] = [
            Span(
                piece,
                old.start - start,
                old.end - start,
                old.label,
                kb_id=old.kb_id,
                span_id=old.id,
            )
            for old in group
            if start <= old.start and old.end <= end
        ]
    name = doc.user_data.get("id", "")
    if name:
        piece.user_data["id"] = f"{name}-{number}"
        piece.user_data.setdefault("document", name)
    return piece
