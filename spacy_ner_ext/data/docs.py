"""Make documents of what the formats read."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from ..util.errors import UserError
from .align import ALIGNMENTS, Alignment, Tokens
from .filter import LabelFilter
from .record import Entity, Record
from .report import ConversionReport

# A span of words with its label, and the entity of the input that it comes from.
WordSpan = tuple[int, int, Entity]


class MakesDocs(Protocol):
    """What is needed of a pipeline: spaCy's `Language`, or `BlankPipeline`."""

    @property
    def vocab(self) -> Vocab: ...

    def make_doc(self, text: str) -> Doc: ...


@dataclass(frozen=True)
class AlignOptions:
    """How documents are made, the same for all formats.

    align: What becomes of entities that do not start and end where tokens do: "strict"
        drops them, "contract" takes the tokens that are wholly inside, and "expand" all
        that they touch. The tokens of a dropped one have no annotation afterwards,
        since "no entity" would be wrong.
    spans_key: A span group that gets all entities, also those that overlap or nest;
        `doc.ents` gets those without overlap, the longest first.
    selection: The languages and labels to take. It is done before overlaps are looked
        at, so that a label that is not wanted hides no other.
    """

    align: str = "expand"
    spans_key: str | None = None
    selection: LabelFilter = field(default_factory=LabelFilter)

    def __post_init__(self) -> None:
        if self.align not in ALIGNMENTS:
            known = ", ".join(ALIGNMENTS)
            raise UserError(f"unknown alignment '{self.align}'; choose one of {known}")


DEFAULT = AlignOptions()


def make_docs(
    records: Iterable[Record],
    nlp: MakesDocs,
    report: ConversionReport,
    making: AlignOptions = DEFAULT,
) -> Iterator[Doc]:
    """Make a document of each record.

    nlp: Makes the tokens where the format has none, and has the vocabulary.
    report: Gets what was changed or dropped.
    making: How entities become spans of tokens.
    YIELDS: The documents: entities in `doc.ents`, categories in `doc.cats`; "id",
        "document", "lang" and "meta" in `doc.user_data`.
    RAISES (UserError): If an entity is empty or outside the text, or words do not fit.
    """
    for record in records:
        if making.selection.leaves_out(record.lang, record.place, report):
            continue
        doc = _tokenize(record, nlp)
        if not len(doc):
            report.note("empty", record.place, "a text without a token")
            continue
        if record.entities is not None:
            _annotate(doc, record, report, making)
        doc.cats = dict(record.cats)
        for key in ("id", "document", "lang", "meta"):
            if getattr(record, key):
                doc.user_data[key] = getattr(record, key)
        yield doc
    making.selection.warn_about_unseen(report)


def _chosen(
    record: Record, report: ConversionReport, making: AlignOptions
) -> Iterator[Entity]:
    for entity in record.entities or ():
        place = entity.place or record.place
        label = making.selection.choose(entity.label, place, report)
        if label is not None:
            yield entity._replace(label=label)


def _tokenize(record: Record, nlp: MakesDocs) -> Doc:
    if record.words is None:
        return nlp.make_doc(record.text)
    layers: dict[str, Any] = dict(record.layers)
    if record.starts is not None and "heads" not in layers:
        starts = set(record.starts)
        layers["sent_starts"] = [i in starts for i in range(len(record.words))]
    # spaCy knows no empty word.
    words = [word or " " for word in record.words]
    return Doc(nlp.vocab, words=words, spaces=record.spaces, **layers)


def _annotate(
    doc: Doc, record: Record, report: ConversionReport, making: AlignOptions
) -> None:
    assert record.entities is not None
    spans: list[WordSpan] = []
    missing: list[Span] = []
    tokens = Tokens(doc, None if record.in_words else _text(doc, record))
    for entity in _chosen(record, report, making):
        aligned = tokens.align(entity, record.place, making.align)
        _report(aligned, entity, record, report)
        if aligned.is_kept:
            spans.append((aligned.start, aligned.end, entity))
        elif aligned.start < aligned.end:
            missing.append(doc[aligned.start : aligned.end])
    unique = _without_duplicates(spans, record, report)
    flat = _without_overlap(unique, record, report, making.spans_key)
    for start, end, entity in unique:
        _set_values(doc[start:end], entity, record, report)
    ents = [_span(doc, *span) for span in flat]
    taken = {i for ent in ents for i in range(ent.start, ent.end)}
    free = {i for span in missing for i in range(span.start, span.end)} - taken
    doc.set_ents(ents, missing=[doc[i : i + 1] for i in sorted(free)])
    if making.spans_key is not None:
        doc.spans[making.spans_key] = [_span(doc, *span) for span in unique]


def _text(doc: Doc, record: Record) -> str:
    # Doc.text puts it together of all tokens.
    return record.text if record.words is None else doc.text


def _report(
    aligned: Alignment, entity: Entity, record: Record, report: ConversionReport
) -> None:
    if aligned.kind:
        place = entity.place or record.place
        report.note(aligned.kind, place, f"{entity.label} {aligned.what}")


def _span(doc: Doc, start: int, end: int, entity: Entity) -> Span:
    return Span(doc, start, end, label=entity.label)


def _set_values(
    span: Span, entity: Entity, record: Record, report: ConversionReport
) -> None:
    for name, value in entity.values.items():
        if not Span.has_extension(name):
            Span.set_extension(name, default=None)
        before = span._.get(name)
        if before is not None and before != value:
            # spaCy keeps one value for all spans of the same characters.
            what = f"{name} of {entity.label} is {value!r} and was {before!r} already"
            report.note("skipped", entity.place or record.place, what)
        else:
            span._.set(name, value)


def _without_duplicates(
    spans: list[WordSpan], record: Record, report: ConversionReport
) -> list[WordSpan]:
    unique: dict[tuple[int, int, str], WordSpan] = {}
    for start, end, entity in sorted(spans, key=lambda span: span[:2]):
        key = (start, end, entity.label)
        if key in unique:
            place = entity.place or record.place
            report.note("duplicates", place, f"{entity.label} is there twice")
        unique.setdefault(key, (start, end, entity))
    return list(unique.values())


def _without_overlap(
    spans: list[WordSpan], record: Record, report: ConversionReport, key: str | None
) -> list[WordSpan]:
    taken: set[int] = set()
    flat = []
    # As spaCy's filter_spans: the longest first, then the first.
    for start, end, entity in sorted(spans, key=lambda s: (s[0] - s[1], s[0])):
        if taken.isdisjoint(range(start, end)):
            taken.update(range(start, end))
            flat.append((start, end, entity))
        else:
            place = entity.place or record.place
            where = f"is in doc.spans['{key}'] alone" if key else "is dropped"
            what = f"{entity.label} overlaps another entity and {where}"
            report.note("overlapping", place, what)
    return sorted(flat, key=lambda span: span[0])
