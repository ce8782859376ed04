"""What there is to judge in a corpus, found out before a pipeline runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from spacy.tokens import Doc
from spacy.vocab import Vocab

from ...data.formats.docbin import find_files
from ...data.read import read_docs
from ...pipes.gold import missing_tokens
from ...pipes.spans import ENTS, read_spans
from ...util.errors import UserError
from .groups import SeenForms


@dataclass(frozen=True)
class Annotation:
    """What documents of a corpus are annotated with.

    entities: Whether entities are, in one of the places that were asked for.
    categories: Whether categories are.
    groups: Where there are entities, if what was asked for is not there.
    """

    entities: bool
    categories: bool
    groups: tuple[str, ...] = ()


def find_annotation(path: Path, target: Sequence[str], categories: bool) -> Annotation:
    """Find out what a corpus is annotated with; no more is read than it takes.

    path: A .spacy file, or a folder of them.
    target: Where entities may be; nothing if they are not wanted.
    RAISES (UserError): If a file cannot be read.
    RAISES (UserError): If there is no document with a token.
    """
    has_entities, has_categories = not target, not categories
    groups: dict[str, None] = {}
    empty = True
    for doc in _read(path):
        empty = False
        groups.update(dict.fromkeys(_annotated(doc)))
        has_entities = has_entities or not missing_tokens(doc, target).all()
        has_categories = has_categories or bool(doc.cats)
        if has_entities and has_categories:
            break
    if empty:
        raise UserError(f"{path} has no document with a token; give another corpus")
    found = has_entities and bool(target), has_categories and categories
    return Annotation(*found, tuple(groups))


def read_forms(path: Path, target: Sequence[str]) -> SeenForms:
    """Read the entities of a training corpus.

    path: A .spacy file, or a folder of them.
    RAISES (UserError): If a file cannot be read.
    RAISES (UserError): If there are none.
    """
    seen = SeenForms()
    for doc in _read(path):
        seen.add(read_spans(doc, target))
    if not seen.labels:
        places = ", ".join(target)
        raise UserError(f"--train {path} has no entities in {places}; leave it out")
    return seen


def _annotated(doc: Doc) -> list[str]:
    return ([ENTS] if doc.has_annotation("ENT_IOB") else []) + list(doc.spans)


def _read(path: Path) -> Iterator[Doc]:
    for file in find_files(path):
        # With a vocabulary of its own, which goes with it.
        yield from (doc for doc in read_docs(file, Vocab()) if len(doc))
