"""The annotation of a corpus, read before a pipeline runs, and its statistics."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from spacy.tokens import Doc
from spacy.vocab import Vocab

from ...data.read import find_files, read_docs
from ...pipes.gold import describe_counts, missing_tokens
from ...pipes.spans import ENTS, read_spans
from ...util.errors import UserError
from .entities import ScoredDoc
from .groups import SeenForms
from .span_keys import SpanKeys

LEFT_OUT = ("missing", "unjudged", "unaligned", "misaligned")


class Annotation(NamedTuple):
    """Whether a corpus has the wanted gold; `keys` are those of any entities in it."""

    entities: bool
    categories: bool
    keys: tuple[str, ...]


def find_annotation(path: Path, target: Sequence[str], categories: bool) -> Annotation:
    """Find the annotation of a corpus, reading no more documents than necessary.

    path: A .spacy file or a folder of them.
    target: Keys of gold entities; none to ignore entities.
    categories: Whether to look for categories.
    RAISES (UserError): If a file cannot be read, or no document has a token.
    """
    has_entities, has_categories = not target, not categories
    keys: dict[str, None] = {}
    empty = True
    for doc in _read(path):
        empty = False
        keys.update(dict.fromkeys(_annotated(doc)))
        has_entities = has_entities or not missing_tokens(doc, target).all()
        has_categories = has_categories or bool(doc.cats)
        if has_entities and has_categories:
            break
    if empty:
        raise UserError(f"{path} has no document with a token; give another corpus")
    return Annotation(
        has_entities and bool(target), has_categories and categories, tuple(keys)
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


class CorpusStats:
    """Counts documents, tokens and entities, and everything that is left out."""

    def __init__(self, keys: SpanKeys) -> None:
        self._keys = keys
        self._counts: Counter[str] = Counter()
        self._unknown: Counter[str] = Counter()

    def add(self, doc: ScoredDoc) -> None:
        """Count a document."""
        entities = doc.entities
        self._counts.update(
            documents=1,
            tokens=entities.n_tokens,
            gold=len(entities.gold),
            predicted=len(entities.predicted),
            **{name: getattr(entities, name) for name in LEFT_OUT},
        )
        known = self._keys.component.labels if self._keys.component else ()
        if known:
            labels = (entity.label for entity in entities.gold)
            self._unknown.update(label for label in labels if label not in known)

    def result(self) -> dict[str, Any]:
        """The counts; "unknown_labels" counts gold entities whose labels the component
        does not have."""
        names = ("documents", "tokens", "gold", "predicted", *LEFT_OUT)
        counts: dict[str, Any] = {name: self._counts[name] for name in names}
        return {**counts, "unknown_labels": dict(sorted(self._unknown.items()))}

    def notes(self) -> Iterator[str]:
        """Write a sentence on everything that is left out."""
        n = self._counts
        if not n["predicted"] + n["unjudged"] + n["unaligned"]:
            yield (
                f"The pipeline predicts nothing in {', '.join(self._keys.annotate)}: "
                "if it writes entities elsewhere, name the span group with --annotate."
            )
        if n["missing"]:
            yield (
                f"{n['missing']} of {n['tokens']} tokens have no annotation; "
                f"{n['unjudged']} predictions over them are neither right nor wrong."
            )
        if n["unaligned"]:
            yield (
                f"{n['unaligned']} predictions are over white space that gold does not "
                "have, and are left out."
            )
        if n["misaligned"]:
            yield (
                f"{n['misaligned']} gold entities start or end inside a token of the "
                "pipeline, so that it may not find them exactly."
            )
        if self._unknown:
            yield (
                f"{self._unknown.total()} gold entities have labels that the pipeline "
                f"does not know, and count as missed or wrong: "
                f"{describe_counts(self._unknown)}; rename labels with 'convert', or "
                "train with them."
            )
