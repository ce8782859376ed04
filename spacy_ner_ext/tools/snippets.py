"""Snippets of documents: the text around some tokens, with its entities."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, TypeVar

from spacy.tokens import Doc

# The most tokens from the first to the last error of a snippet, and those around them.
TOGETHER, AROUND = 60, 15
T = TypeVar("T")


class Entity(Protocol):
    """An entity on the tokens of a document, with a probability or None."""

    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...
    @property
    def label(self) -> str: ...
    @property
    def score(self) -> float | None: ...


def group_nearby(
    placed: Sequence[tuple[int, int, T]],
) -> Iterator[tuple[int, int, list[T]]]:
    """Group items whose tokens fit into one snippet.

    placed: Start token, end token (exclusive) and item.
    YIELDS: Start, end and items of each group.
    """
    first = last = 0
    members: list[T] = []
    for start, end, item in sorted(placed, key=lambda each: each[:2]):
        if members and end - first > TOGETHER:
            yield first, last, members
            members = []
        first, last = (first, max(last, end)) if members else (start, end)
        members.append(item)
    if members:
        yield first, last, members


def cut_snippet(
    doc: Doc, start: int, end: int, **sides: Sequence[Entity]
) -> dict[str, Any]:
    """Cut the text around some tokens, or take the whole of a short text.

    **sides: Entities; the snippet grows until it does not cut any of them.
    RETURNS: "text", "cut_before" and "cut_after" (whether text is left out), and the
        entities in it with character offsets.
    """
    if len(doc) <= TOGETHER:
        start, end = 0, len(doc)
    else:
        start, end = max(0, start - AROUND), min(len(doc), end + AROUND)
        every = [entity for entities in sides.values() for entity in entities]
        start, end = _widen(start, end, every)
    return {
        "text": doc[start:end].text,
        "cut_before": start > 0,
        "cut_after": end < len(doc),
        **{
            name: [
                _to_json(doc, entity, doc[start].idx)
                for entity in sorted(entities, key=lambda e: (e.start, e.end, e.label))
                if start <= entity.start and entity.end <= end
            ]
            for name, entities in sides.items()
        },
    }


def _widen(start: int, end: int, entities: Sequence[Entity]) -> tuple[int, int]:
    for entity in sorted(entities, key=lambda entity: -entity.end):
        if entity.start < start < entity.end:
            start = entity.start
    for entity in sorted(entities, key=lambda entity: entity.start):
        if entity.start < end < entity.end:
            end = entity.end
    return start, end


def _to_json(doc: Doc, entity: Entity, offset: int) -> dict[str, Any]:
    last = doc[entity.end - 1]
    span: dict[str, Any] = {
        "start": doc[entity.start].idx - offset,
        "end": last.idx + len(last) - offset,
        "label": entity.label,
    }
    return span if entity.score is None else {**span, "score": entity.score}
