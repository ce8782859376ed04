"""Read the annotation of a corpus before a pipeline runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from spacy.tokens import Doc
from spacy.vocab import Vocab

from ...data.read import find_files, read_docs
from ...pipes.gold import missing_tokens
from ...pipes.spans import ENTS, read_spans
from ...util.errors import UserError
from .groups import SeenForms


@dataclass(frozen=True)
class Annotation:
    """The annotation of a corpus.

    entities: Whether it has gold entities under the target keys.
    categories: Whether it has gold categories.
    groups: The keys under which entities were found.
    """

    entities: bool
    categories: bool
    groups: tuple[str, ...] = ()


def find_annotation(path: Path, target: Sequence[str], categories: bool) -> Annotation:
    """Find the annotation of a corpus, reading no more documents than necessary.

    path: A .spacy file or a folder of them.
    target: Keys of gold entities; none to ignore entities.
    categories: Whether to look for categories.
    RAISES (UserError): If a file cannot be read, or no document has a token.
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
    return Annotation(
        has_entities and bool(target), has_categories and categories, tuple(groups)
    )


def read_forms(path: Path, target: Sequence[str]) -> SeenForms:
    """Read the entities of a training corpus.

    RAISES (UserError): If a file cannot be read, or the corpus has no entities.
    """
    seen = SeenForms()
    for doc in _read(path):
        seen.add(read_spans(doc, target))
    if not seen.labels:
        keys = ", ".join(target)
        raise UserError(f"--train {path} has no entities in {keys}; leave it out")
    return seen


def _annotated(doc: Doc) -> list[str]:
    return ([ENTS] if doc.has_annotation("ENT_IOB") else []) + list(doc.spans)


def _read(path: Path) -> Iterator[Doc]:
    for file in find_files(path):
        # A separate vocabulary is freed with the documents of its file.
        yield from (doc for doc in read_docs(file, Vocab()) if len(doc))
