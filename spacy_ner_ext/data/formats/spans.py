"""The spans of a document that a writer writes, and what its format loses."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import wraps
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from spacy.tokens import Doc, Span

from ...pipes.overlap import longest_first, select_disjoint
from ...util.errors import Place
from ..mentions import EXCERPT
from ..report import ConversionReport, NotedPlace

# Annotation of tokens that only spaCy's own format holds.
LAYERS = {"TAG": "tags", "POS": "parts of speech", "MORPH": "morphology"}
LAYERS |= {"LEMMA": "lemmas", "DEP": "parse"}
# The user data that readers set.
NAMES = ("id", "document", "lang", "meta")


class ExportedDoc(NamedTuple):
    """A document to write, and the span group to write in place of `doc.ents`."""

    doc: Doc
    place: NotedPlace
    spans_key: str | None

    def _is_annotated(self, completely: bool = False) -> bool:
        if self.spans_key is not None:
            return self.spans_key in self.doc.spans
        return self.doc.has_annotation("ENT_IOB", require_complete=completely)

    def spans(self) -> list[Span]:
        """Get the entities or the span group, those with a label, by start. Missing
        annotation becomes "no entity", which is noted."""
        doc, key, note = self.doc, self.spans_key, self.place.note
        if not self._is_annotated(completely=True):
            note("replaced", "tokens without annotation become 'no entity'")
        kept = []
        for span in doc.ents if key is None else doc.spans.get(key, ()):
            if not len(span):
                note("dropped", f"{span.label_} covers no token")
            elif not span.label_.strip():
                note("dropped", f"{span.text!r} has no label")
            else:
                kept.append(span)
        return sorted(kept, key=lambda span: (span.start, -span.end))

    def spans_or_none(self) -> list[Span] | None:
        """Get the spans for a format that can express missing annotation, and note what
        it loses; None if the document is not annotated."""
        spans = self.spans() if self._is_annotated() else None
        self.note_lost(spans or (), held=("categories", "ids"))
        return spans

    def note_lost(self, spans: Iterable[Span], held: Collection[str] = ()) -> None:
        """Note what the document has and the format does not hold. It may hold
        "categories", "attributes" (values of extensions) and "ids" (`NAMES`)."""
        doc, data, key = self.doc, self.doc.user_data, self.spans_key
        names = [
            name for name, value in data.items() if isinstance(name, str) and value
        ]
        known = NAMES if "ids" in held else ()
        has_attributes = any(isinstance(name, tuple) for name in data)
        lost = {what: bool(doc.to_array(attr).any()) for attr, what in LAYERS.items()}
        lost["categories"] = bool(doc.cats) and "categories" not in held
        lost["extension attributes"] = has_attributes and "attributes" not in held
        lost |= {f"user data {name!r}": name not in known for name in names}
        lost |= {f"span group {name!r}": name != key for name in doc.spans}
        lost["entities of doc.ents"] = key is not None and bool(doc.ents)
        lost["IDs of spans"] = any(span.kb_id or span.id for span in spans)
        for what, is_lost in lost.items():
            if is_lost:
                self.place.note("skipped", what)


def without_overlap(spans: list[Span], place: NotedPlace) -> list[Span]:
    """Keep the longest of overlapping spans, for formats with one tag per token."""
    bounds = [(span.start, span.end) for span in spans]
    order = longest_first(bounds)
    kept = set(select_disjoint(bounds, order))
    for span in (spans[i] for i in order if i not in kept):
        place.note("dropped", f"{span.label_} {span.text!r} overlaps another span")
    return [spans[i] for i in sorted(kept)]


def written(
    value: Any, forbidden: re.Pattern[str], other: str, place: NotedPlace
) -> str:
    """Get a value as text, without what a line cannot have; changes are noted."""
    text = forbidden.sub(other, str(value)).encode("utf-8", "replace").decode()
    if text != value:
        place.note("replaced", f"{repr(value)[:EXCERPT]} becomes {text[:EXCERPT]!r}")
    return text


def writes_docs(
    write: Callable[[Iterator[ExportedDoc], Path, str], None],
) -> Callable[..., None]:
    """Turn a function that writes `ExportedDoc`s into a writer of documents."""

    @wraps(write)
    def write_documents(
        docs: Iterable[Doc],
        folder: Path,
        name: str,
        *,
        report: ConversionReport,
        spans_key: str | None = None,
    ) -> None:
        source = Path(report.source or name)
        places = (Place(source, number, "document") for number in count(1))
        exported = (
            ExportedDoc(doc, NotedPlace.of(place, report), spans_key)
            for doc, place in zip(docs, places)
        )
        write(exported, folder, name)

    return write_documents
