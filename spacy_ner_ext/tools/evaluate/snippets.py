"""What is shown of a document: its text around some tokens, with entities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from spacy.tokens import Doc

from .entity_records import Entity

# Tokens between the first and the last error that are shown together, and around them.
TOGETHER, AROUND = 60, 15
T = TypeVar("T")


@dataclass
class Passage(Generic[T]):
    """Tokens with what is to be shown there.

    start: The first token.
    end: The end, exclusive.
    members: What is there.
    """

    start: int
    end: int
    members: list[T]


def passages(placed: Sequence[tuple[int, int, T]]) -> Iterator[Passage[T]]:
    """Put together what is near to each other.

    placed: First token, end (exclusive), and what is there.
    YIELDS: Each with at most TOGETHER tokens, unless a member is longer.
    """
    passage: Passage[T] | None = None
    for start, end, member in sorted(placed, key=lambda each: each[:2]):
        if passage is None or end - passage.start > TOGETHER:
            if passage is not None:
                yield passage
            passage = Passage(start, end, [])
        passage.end = max(passage.end, end)
        passage.members.append(member)
    if passage is not None:
        yield passage


def cut(doc: Doc, start: int, end: int, **sides: Sequence[Entity]) -> dict[str, Any]:
    """Take the text around some tokens; the whole text if it is short.

    **sides: Entities, none of which is cut.
    RETURNS: "text", "cut_before" and "cut_after" (whether there is more), and the
        entities in it, with offsets of characters.
    """
    every = [entity for entities in sides.values() for entity in entities]
    if len(doc) <= TOGETHER:
        start, end = 0, len(doc)
    else:
        start, end = max(0, start - AROUND), min(len(doc), end + AROUND)
        start, end = _widened(start, end, every)
    return {
        "text": doc[start:end].text,
        "cut_before": start > 0,
        "cut_after": end < len(doc),
        **{
            name: [
                _span(doc, entity, doc[start].idx)
                for entity in sorted(entities, key=lambda entity: entity.key)
                if start <= entity.start and entity.end <= end
            ]
            for name, entities in sides.items()
        },
    }


def _widened(start: int, end: int, entities: Sequence[Entity]) -> tuple[int, int]:
    """As many tokens more as no entity is cut."""
    for entity in sorted(entities, key=lambda entity: -entity.end):
        if entity.start < start < entity.end:
            start = entity.start
    for entity in sorted(entities, key=lambda entity: entity.start):
        if entity.start < end < entity.end:
            end = entity.end
    return start, end


def _span(doc: Doc, entity: Entity, offset: int) -> dict[str, Any]:
    last = doc[entity.end - 1]
    span: dict[str, Any] = {
        "start": doc[entity.start].idx - offset,
        "end": last.idx + len(last) - offset,
        "label": entity.label,
    }
    return span if entity.score is None else {**span, "score": entity.score}
