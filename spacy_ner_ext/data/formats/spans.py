"""The spans of a document that a writer writes."""

from collections.abc import Collection, Iterable

from spacy.tokens import Doc, Span

from ...util.errors import Place
from ..report import ConversionReport

# Annotation of tokens that no format but spaCy's own holds.
LAYERS = {
    "TAG": "tags",
    "POS": "parts of speech",
    "MORPH": "morphology",
    "LEMMA": "lemmas",
    "DEP": "parse",
}
# What readers store of a text as a whole.
NAMES = ("id", "document", "lang", "meta")


def spans_to_write(
    doc: Doc, spans_key: str | None, place: Place, report: ConversionReport
) -> list[Span]:
    """Take the entities of a document, or the spans of a group.

    Where it is not known whether there are any, files that cannot tell this say "no
    entity"; it is noted. So are spans without a label, which are left out.

    spans_key: The span group, or None for `doc.ents`.
    report: Gets what cannot be written.
    RETURNS: The spans by their start, of the same start the longest first.
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


def without_overlap(
    spans: list[Span], place: Place, report: ConversionReport
) -> list[Span]:
    """Leave out spans that overlap, for formats that give each token one tag.

    place: Which document they are of.
    report: Gets those that are left out.
    RETURNS: The longest, of equal ones the first.
    """
    kept: list[Span] = []
    taken: set[int] = set()
    for span in sorted(spans, key=lambda span: (span.start - span.end, span.start)):
        tokens = range(span.start, span.end)
        if taken.isdisjoint(tokens):
            taken.update(tokens)
            kept.append(span)
        else:
            what = f"{span.label_} {span.text!r} overlaps another span"
            report.note("dropped", place, what)
    return kept


def note_lost(
    doc: Doc,
    spans: Iterable[Span],
    place: Place,
    report: ConversionReport,
    *,
    held: Collection[str],
    spans_key: str | None,
) -> None:
    """Note what a document has and a format does not hold.

    spans: The spans that are written.
    report: Gets what is left out.
    held: What the format holds of "categories", "attributes" (of extensions) and "ids"
        (the name of the document, its language and the like).
    spans_key: The span group that is written, or None for `doc.ents`.
    """
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
