"""The spans of a document that a writer writes."""

from spacy.tokens import Doc, Span

from ..errors import Place
from ..report import ConversionReport


def spans_to_write(
    doc: Doc, spans_key: str | None, place: Place, report: ConversionReport
) -> list[Span]:
    """Take the entities of a document, or the spans of a group.

    Where it is not known whether there are any, files that cannot tell this say "no
    entity"; it is noted. So are spans without a label, which are left out.

    doc (Doc): The document.
    spans_key (Optional[str]): The span group, or None for `doc.ents`.
    place (Place): Which document it is.
    report (ConversionReport): Gets what cannot be written.
    RETURNS (List[Span]): The spans by their start, of the same start the longest first.
    """
    if spans_key is None:
        spans = list(doc.ents)
        is_known = doc.has_annotation("ENT_IOB", require_complete=True)
    else:
        is_known = spans_key in doc.spans
        spans = list(doc.spans[spans_key]) if is_known else []
    if not is_known:
        report.note("replaced", place, "tokens without annotation become 'no entity'")
    for span in spans:
        if not span.label_.strip():
            report.note("dropped", place, f"{span.text!r} has no label")
    labelled = (span for span in spans if span.label_.strip())
    return sorted(labelled, key=lambda span: (span.start, -span.end))
