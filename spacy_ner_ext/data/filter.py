"""Skip texts in other languages, and select and rename labels."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from spacy.tokens import Doc, Span
from spacy.util import find_matching_language

from ..util.errors import Place
from .report import ConversionReport

# spaCy's code for texts of any language.
ANY_LANGUAGE = "xx"


class LabelFilter(NamedTuple):
    """The languages and labels to keep, empty for all, and new names of labels."""

    langs: tuple[str, ...] = ()
    map: Mapping[str, str] = {}
    labels: Sequence[str] = ()

    def skips(self, lang: str, place: Place, report: ConversionReport) -> bool:
        """Whether a text marked with a language, such as "en-US", is to be skipped."""
        if not lang or not self.langs or ANY_LANGUAGE in self.langs:
            return False
        if lang in self.langs or _two_letters(lang) in self.langs:
            return False
        report.note("other_language", place, f"language {lang}")
        return True

    def select(self, label: str, place: Place, report: ConversionReport) -> str | None:
        """Look up the new name of a label; None if its entities are dropped."""
        report.labels_seen.add(label)
        new = self.map.get(label, label)
        report.labels_seen.add(new)
        if self.labels and new not in self.labels:
            report.note("deselected", place, new)
            return None
        if new != label:
            report.note("relabelled", place, f"{label} to {new}")
        return new

    def warn_about_unseen(self, report: ConversionReport) -> None:
        """Warn about labels in `labels` and `map` that no entity has."""
        for label in sorted({*self.labels, *self.map} - report.labels_seen):
            what = f"{report.source}: no entity has the label {label}"
            report.more_warnings.append(what)

    def apply(self, doc: Doc, place: Place, report: ConversionReport) -> None:
        """Select and rename the entities and spans of a document in place."""
        if not self.map and not self.labels:
            return
        kept, outside = [], []
        for ent in doc.ents:
            label = self.select(ent.label_, place, report)
            if label is None:
                outside.append(ent)
            else:
                kept.append(_renamed(ent, label))
        # Tokens of dropped entities become O; those without annotation stay so.
        doc.set_ents(kept, outside=outside, default="unmodified")
        for key, group in list(doc.spans.items()):
            labels = [self.select(span.label_, place, report) for span in group]
            selected = zip(group, labels, strict=True)
            doc.spans[key] = [_renamed(s, label) for s, label in selected if label]


@lru_cache(maxsize=256)
def _two_letters(lang: str) -> str | None:
    code = lang.replace("_", "-").split("-")[0].lower()
    return code if len(code) == 2 else find_matching_language(code)


def _renamed(span: Span, label: str) -> Span:
    if label == span.label_:
        return span
    start, end = span.start, span.end
    return Span(span.doc, start, end, label, kb_id=span.kb_id, span_id=span.id)
