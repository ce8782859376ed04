"""The spans of a document that a writer writes, and what its format loses."""

from collections.abc import Collection, Iterable

from spacy.tokens import Doc, Span

from ...pipes.overlap import longest_first, select_disjoint
from ...util.errors import Place
from ..report import ConversionReport

# Annotation of tokens that only spaCy's own format holds.
LAYERS = {
    "TAG": "tags",
    "POS": "parts of speech",
    "MORPH": "morphology",
    "LEMMA": "lemmas",
    "DEP": "parse",
}
# The user data that readers set.
NAMES = ("id", "document", "lang", "meta")


def spans_to_write(
    doc: Doc, spans_key: str | None, place: Place, report: ConversionReport
) -> list[Span]:
    """Get the entities of a document, or a span group, that have a label, by start.

    For a format without missing annotation: it becomes "no entity", which is noted.
    """
    if spans_key is None:
        spans = list(doc.ents)
        is_known = doc.has_annotation("ENT_IOB", require_complete=True)
    else:
        is_known = spans_key in doc.spans
        spans = list(doc.spans[spans_key]) if is_known else []
    if not is_known:
        report.note("replaced", place, "tokens without annotation become 'no entity'")
    kept = []
    for span in spans:
        if not len(span):
            report.note("dropped", place, f"{span.label_} covers no token")
        elif not span.label_.strip():
            report.note("dropped", place, f"{span.text!r} has no label")
        else:
            kept.append(span)
    return sorted(kept, key=lambda span: (span.start, -span.end))


def spans_or_none(
    doc: Doc, spans_key: str | None, place: Place, report: ConversionReport
) -> list[Span] | None:
    """Get the spans for a format that can express missing annotation, and note what it
    loses; None if the document is not annotated."""
    is_known = spans_key in doc.spans
    if spans_key is None:
        is_known = doc.has_annotation("ENT_IOB")
    spans = spans_to_write(doc, spans_key, place, report) if is_known else None
    held = ("categories", "ids")
    note_lost(doc, spans or (), place, report, held=held, spans_key=spans_key)
    return spans


def without_overlap(
    spans: list[Span], place: Place, report: ConversionReport
) -> list[Span]:
    """Keep the longest of overlapping spans, for formats with one tag per token."""
    bounds = [(span.start, span.end) for span in spans]
    order = longest_first(bounds)
    kept = set(select_disjoint(bounds, order))
    for span in (spans[i] for i in order if i not in kept):
        what = f"{span.label_} {span.text!r} overlaps another span"
        report.note("dropped", place, what)
    return [spans[i] for i in sorted(kept)]


def note_lost(
    doc: Doc,
    spans: Iterable[Span],
    place: Place,
    report: ConversionReport,
    *,
    held: Collection[str],
    spans_key: str | None,
) -> None:
    """Note what a document has and a format does not hold. It may hold "categories",
    "attributes" (values of extensions) and "ids" (`NAMES`)."""
    lost = [what for attr, what in LAYERS.items() if doc.to_array(attr).any()]
    if doc.cats and "categories" not in held:
        lost.append("categories")
    is_attribute = [isinstance(key, tuple) for key in doc.user_data]
    if any(is_attribute) and "attributes" not in held:
        lost.append("extension attributes")
    known = NAMES if "ids" in held else ()
    lost += [
        f"user data {key!r}"
        for key, value in doc.user_data.items()
        if isinstance(key, str) and key not in known and value
    ]
    lost += [f"span group {key!r}" for key in doc.spans if key != spans_key]
    if spans_key is not None and doc.ents:
        lost.append("entities of doc.ents")
    if any(span.kb_id or span.id for span in spans):
        lost.append("IDs of spans")
    for what in lost:
        report.note("skipped", place, what)
