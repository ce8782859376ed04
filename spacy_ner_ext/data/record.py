"""An annotated text as a format has it, before it becomes a spaCy document."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..util.errors import Place, UserError


class Entity(NamedTuple):
    """An annotated span of characters or words, end exclusive.

    place: Where it is in the input, if not where its record is.
    values: Values of span extensions, by name.
    is_quoted: Whether its text was found by a quote, so that its offsets are right.
    """

    start: int
    end: int
    label: str
    place: Place | None = None
    values: Mapping[str, Any] = {}
    is_quoted: bool = False


@dataclass
class Record:
    """One annotated text, given as characters or as words.

    words, spaces: The gold tokens, and whether a space follows each; None if unknown.
    entities: The entities; None if the text is not annotated.
    in_words: Whether entities count words in place of characters.
    missing: Spans without annotation, counted as the entities are; what is neither
        there nor in an entity is not an entity.
    is_complete: Whether all entities are annotated; otherwise everything outside of
        entities is missing.
    starts: The words that start a sentence; None if unknown.
    layers: Other annotation of the words, by the argument of `spacy.tokens.Doc`.
    choices: The categories that were chosen, by question, of a tool that asks several.
    document: The document that it is a part of.
    """

    place: Place
    text: str = ""
    words: list[str] | None = None
    spaces: list[bool] | None = None
    entities: list[Entity] | None = None
    in_words: bool = False
    missing: list[tuple[int, int]] = field(default_factory=list)
    is_complete: bool = True
    starts: list[int] | None = None
    layers: dict[str, list[Any]] = field(default_factory=dict)
    cats: dict[str, float] = field(default_factory=dict)
    choices: Mapping[str, Iterable[str]] | None = None
    id: str = ""
    document: str = ""
    lang: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)


def group_sentences(records: Iterable[Record], docs_of: int) -> Iterator[Record]:
    """Join `docs_of` sentences, or with 0 all, of the same `document` and `lang`."""
    if type(docs_of) is not int or docs_of < 0:
        raise UserError(f"docs_of must be 0 or more, not {docs_of!r}")
    group: list[Record] = []
    for record in records:
        if group and (
            len(group) == docs_of
            or (record.document, record.lang) != (group[0].document, group[0].lang)
        ):
            yield _join(group, docs_of)
            group = []
        group.append(record)
    if group:
        yield _join(group, docs_of)


def _join(group: list[Record], docs_of: int) -> Record:
    joined = group[0]
    if not docs_of and joined.document:
        joined.id = joined.document
    if joined.starts is None:
        joined.starts = [0]
    if not joined.is_complete:
        joined.is_complete = True
        joined.missing.append((0, len(joined.words or ())))
    for record in group[1:]:
        assert joined.words is not None and record.words is not None
        assert joined.entities is not None and record.entities is not None
        n = len(joined.words)
        joined.words += record.words
        if joined.spaces is None or record.spaces is None:
            joined.spaces = None
        else:
            joined.spaces += record.spaces
        joined.entities += [
            e._replace(start=n + e.start, end=n + e.end) for e in record.entities
        ]
        joined.missing += [(n + start, n + end) for start, end in record.missing]
        if not record.is_complete:
            joined.missing.append((n, n + len(record.words)))
        starts = [0] if record.starts is None else record.starts
        joined.starts += [n + start for start in starts]
        for name, values in record.layers.items():
            moved = [n + head for head in values] if name == "heads" else values
            joined.layers[name] += moved
    return joined
