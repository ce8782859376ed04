"""Choose labels and give them other names."""

from collections.abc import Iterable, Iterator

from spacy.tokens import Doc, Span

from ..errors import Place
from ..report import ConversionReport
from .settings import Shaping


def select_labels(
    docs: Iterable[tuple[Place, Doc]], shaping: Shaping, report: ConversionReport
) -> Iterator[tuple[Place, Doc]]:
    """Rename labels and drop entities of labels that are not wanted.

    Words of dropped entities are no entity afterwards, which models learn as such.

    docs (Iterable[Tuple[Place, Doc]]): The documents, and where they are.
    shaping (Shaping): The labels.
    report (ConversionReport): Gets the entities that were changed or dropped, and
        labels that no entity has.
    YIELDS (Tuple[Place, Doc]): The same documents, changed.
    """
    unseen = set(shaping.labels) | set(shaping.map)
    for place, doc in docs:
        seen = {ent.label_ for ent in doc.ents}
        seen.update(span.label_ for group in doc.spans.values() for span in group)
        unseen -= seen | {shaping.map.get(label, label) for label in seen}
        if seen:
            _select_entities(doc, shaping, report, place)
            _select_groups(doc, shaping)
        yield place, doc
    for label in sorted(unseen):
        report.more_warnings.append(f"{report.source}: no entity has the label {label}")


def _renamed(span: Span, shaping: Shaping) -> Span:
    label = shaping.map.get(span.label_, span.label_)
    if label == span.label_:
        return span
    return Span(
        span.doc, span.start, span.end, label, kb_id=span.kb_id, span_id=span.id
    )


def _is_wanted(span: Span, shaping: Shaping) -> bool:
    return not shaping.labels or span.label_ in shaping.labels


def _select_entities(
    doc: Doc, shaping: Shaping, report: ConversionReport, place: Place
) -> None:
    kept, outside = [], []
    for old in doc.ents:
        span = _renamed(old, shaping)
        if not _is_wanted(span, shaping):
            report.note("deselected", place, f"{span.label_} {span.text!r}")
            outside.append(span)
            continue
        if span.label != old.label:
            report.note("relabelled", place, f"{old.label_} to {span.label_}")
        kept.append(span)
    # What is not annotated stays so.
    doc.set_ents(kept, outside=outside, default="unmodified")


def _select_groups(doc: Doc, shaping: Shaping) -> None:
    for key, group in list(doc.spans.items()):
        renamed = (_renamed(span, shaping) for span in group)
        doc.spans[key] = [span for span in renamed if _is_wanted(span, shaping)]
