"""Create spaCy documents from the records that formats read."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from spacy.tokens import Doc, Span

from ..pipes.overlap import longest_first, select_disjoint
from .align import CUTTING, Tokens
from .lang import MakesDocs
from .options import DEFAULT, ConvertOptions
from .record import Entity, Record
from .report import ConversionReport
from .split_tokens import split_tokens

# A span of tokens, and the entity of the input that it is made from, without white
# space at its ends.
TokenSpan = tuple[int, int, Entity]
SHARED = "shares a token with a different entity"
ADVICE = "cut the token with --align split"


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
            annotation = _Annotation(record, report, options)
            entities = list(annotation.select())
            if options.align == "split" and not record.in_words:
                doc = _split(doc, record, entities, nlp, report)
            annotation.add_to(doc, entities)
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


def _split(
    doc: Doc,
    record: Record,
    entities: list[Entity],
    nlp: MakesDocs,
    report: ConversionReport,
) -> Doc:
    cut = split_tokens(doc, record, entities, report)
    if cut is None:
        return doc
    new = _tokenize(cut, nlp)
    new.has_unknown_spaces = doc.has_unknown_spaces
    return new


class _Annotation(NamedTuple):
    """The entities of one record, which it adds to the document."""

    record: Record
    report: ConversionReport
    options: ConvertOptions

    def add_to(self, doc: Doc, entities: list[Entity]) -> None:
        spans: list[TokenSpan] = []
        missing: set[int] = set()
        # `doc.text` joins all tokens.
        text = self.record.text if self.record.words is None else doc.text
        tokens = Tokens(doc, None if self.record.in_words else text)
        for entity in entities:
            found = tokens.align(entity, self.record.place, self.options.align)
            if found.kind:
                self._note(found.kind, entity, found.what)
            if not tokens.in_words and not entity.is_quoted:
                self.report.n_offsets += 1
                self.report.n_cutting += found.kind in CUTTING
            if found.is_kept:
                bounds = found[:2] if tokens.in_words else tokens.trim(entity)
                trimmed = entity._replace(start=bounds[0], end=bounds[1])
                spans.append((found.start, found.end, trimmed))
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

    def select(self) -> Iterator[Entity]:
        """The entities with wanted labels, before overlaps are resolved: a label that
        is not wanted hides no other."""
        for entity in self.record.entities or ():
            place = entity.place or self.record.place
            label = self.options.filter.select(entity.label, place, self.report)
            if label is not None:
                yield entity._replace(label=label)

    def _without_duplicates(self, spans: list[TokenSpan]) -> list[TokenSpan]:
        unique: dict[tuple[int, int, str], TokenSpan] = {}
        for start, end, entity in sorted(spans, key=lambda span: span[:2]):
            key = (start, end, entity.label)
            first = unique.setdefault(key, (start, end, entity))[2]
            if first is entity:
                continue
            if (first.start, first.end) == (entity.start, entity.end):
                self._note("duplicates", entity, "is given twice")
            else:
                self._note("same_token", entity, f"{SHARED} and is dropped; {ADVICE}")
        return list(unique.values())

    def _without_overlap(self, spans: list[TokenSpan]) -> list[TokenSpan]:
        bounds = [span[:2] for span in spans]
        order = longest_first(bounds)
        kept = set(select_disjoint(bounds, order))
        chosen = [spans[i] for i in sorted(kept)]
        for i in order:
            if i not in kept:
                self._note_overlap(spans[i], chosen)
        return chosen

    def _note_overlap(self, span: TokenSpan, chosen: list[TokenSpan]) -> None:
        key = self.options.spans_key
        where = f"is only in doc.spans['{key}']" if key else "is dropped"
        start, end, entity = span
        # Those that were chosen do not overlap, so they are in the order of their ends.
        first = bisect_right(chosen, start, key=itemgetter(1))
        stop = bisect_left(chosen, end, key=itemgetter(0))
        others = [other for _, _, other in chosen[first:stop]]
        if any(o.start < entity.end and entity.start < o.end for o in others):
            self._note("overlapping", entity, f"overlaps another entity and {where}")
        else:
            self._note("same_token", entity, f"{SHARED} and {where}; {ADVICE}")

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
