"""Create spaCy documents from the records that formats read."""

from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple

from spacy.tokens import Doc, Span

from ..pipes.overlap import longest_first, select_disjoint
from .align import CUTTING, Tokens
from .lang import MakesDocs
from .options import DEFAULT, ConvertOptions
from .record import Entity, Record
from .report import ConversionReport

# A span of tokens, and the entity of the input that it is made from.
TokenSpan = tuple[int, int, Entity]


def reads_docs(read: Callable[..., Iterator[Record]]) -> Callable[..., Iterator[Doc]]:
    """Turn a function that reads records into one that reads documents."""

    @wraps(read)
    def read_documents(
        path: Path,
        nlp: MakesDocs,
        *,
        report: ConversionReport | None = None,
        options: ConvertOptions = DEFAULT,
        **own: Any,
    ) -> Iterator[Doc]:
        report = ConversionReport() if report is None else report
        records = read(Path(path), report, **own)
        yield from make_docs(records, nlp, report, options)

    return read_documents


def make_docs(
    records: Iterable[Record],
    nlp: MakesDocs,
    report: ConversionReport,
    options: ConvertOptions = DEFAULT,
) -> Iterator[Doc]:
    """Create a document from each record, with its names in `doc.user_data`."""
    for record in records:
        if options.filter.skips(record.lang, record.place, report):
            continue
        doc = _tokenize(record, nlp)
        if not len(doc):
            report.note("empty", record.place, "a text without tokens")
            continue
        if record.entities is not None:
            _Annotation(record, report, options).add_to(doc)
        doc.cats = dict(record.cats)
        for key in ("id", "document", "lang", "meta"):
            if getattr(record, key):
                doc.user_data[key] = getattr(record, key)
        yield doc
    options.filter.warn_about_unseen(report)


def _tokenize(record: Record, nlp: MakesDocs) -> Doc:
    if record.words is None:
        return nlp.make_doc(record.text)
    layers: dict[str, Any] = dict(record.layers)
    if record.starts is not None and "heads" not in layers:
        starts = set(record.starts)
        layers["sent_starts"] = [i in starts for i in range(len(record.words))]
    # spaCy does not allow empty words.
    words = [word or " " for word in record.words]
    return Doc(nlp.vocab, words=words, spaces=record.spaces, **layers)


class _Annotation(NamedTuple):
    """The entities of one record, which it adds to the document."""

    record: Record
    report: ConversionReport
    options: ConvertOptions

    def add_to(self, doc: Doc) -> None:
        spans: list[TokenSpan] = []
        missing: set[int] = set()
        # `doc.text` joins all tokens.
        text = self.record.text if self.record.words is None else doc.text
        tokens = Tokens(doc, None if self.record.in_words else text)
        for entity in self._selected():
            found = tokens.align(entity, self.record.place, self.options.align)
            if found.kind:
                self._note(found.kind, entity, found.what)
            if not tokens.in_words and not entity.is_quoted:
                self.report.n_offsets += 1
                self.report.n_cutting += found.kind in CUTTING
            if found.is_kept:
                spans.append((found.start, found.end, entity))
            else:
                missing.update(range(found.start, found.end))
        for start, end in self.record.missing:
            missing.update(tokens.touched(start, end))
        if not self.record.is_complete:
            missing.update(range(len(doc)))
        unique = self._without_duplicates(spans)
        ents = [_span(doc, span) for span in self._without_overlap(unique)]
        for span in unique:
            self._set_values(_span(doc, span), span[2])
        missing -= {i for ent in ents for i in range(ent.start, ent.end)}
        doc.set_ents(ents, missing=[doc[i : i + 1] for i in sorted(missing)])
        if self.options.spans_key is not None:
            doc.spans[self.options.spans_key] = [_span(doc, span) for span in unique]

    def _note(self, kind: str, entity: Entity, what: str) -> None:
        place = entity.place or self.record.place
        self.report.note(kind, place, f"{entity.label} {what}")

    def _selected(self) -> Iterator[Entity]:
        # Before overlaps are resolved: a label that is not wanted hides no other.
        for entity in self.record.entities or ():
            place = entity.place or self.record.place
            label = self.options.filter.select(entity.label, place, self.report)
            if label is not None:
                yield entity._replace(label=label)

    def _without_duplicates(self, spans: list[TokenSpan]) -> list[TokenSpan]:
        unique: dict[tuple[int, int, str], TokenSpan] = {}
        for start, end, entity in sorted(spans, key=lambda span: span[:2]):
            key = (start, end, entity.label)
            if key in unique:
                self._note("duplicates", entity, "is given twice")
            unique.setdefault(key, (start, end, entity))
        return list(unique.values())

    def _without_overlap(self, spans: list[TokenSpan]) -> list[TokenSpan]:
        key = self.options.spans_key
        bounds = [span[:2] for span in spans]
        order = longest_first(bounds)
        kept = set(select_disjoint(bounds, order))
        where = f"is only in doc.spans['{key}']" if key else "is dropped"
        for i in order:
            if i not in kept:
                what = f"overlaps another entity and {where}"
                self._note("overlapping", spans[i][2], what)
        return [spans[i] for i in sorted(kept)]

    def _set_values(self, span: Span, entity: Entity) -> None:
        for name, value in entity.values.items():
            if not Span.has_extension(name):
                Span.set_extension(name, default=None)
            before = span._.get(name)
            if before is not None and before != value:
                # spaCy keeps one value for all spans of the same characters.
                what = f"has {name} = {value!r}, but it is {before!r} already"
                self._note("skipped", entity, what)
            else:
                span._.set(name, value)


def _span(doc: Doc, span: TokenSpan) -> Span:
    start, end, entity = span
    return Span(doc, start, end, label=entity.label)
