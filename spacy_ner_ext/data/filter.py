"""Choose languages and labels, and give labels other names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from spacy.tokens import Doc, Span
from spacy.util import find_matching_language

from ..util.errors import Place, UserError
from .report import ConversionReport

# spaCy's code for no language in particular.
ANY_LANGUAGE = "xx"


@dataclass(frozen=True)
class LabelFilter:
    """What is taken of a corpus.

    langs: The languages; texts that tell another are left out. Empty, or with "xx", for
        all.
    map: Labels that get another name.
    labels: The labels to keep, by their new names; empty for all.
    """

    langs: tuple[str, ...] = ()
    map: Mapping[str, str] = field(default_factory=dict)
    labels: Sequence[str] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.map, Mapping):
            raise UserError(f"map = {self.map!r} does not map names; correct it")
        if not isinstance(self.labels, list | tuple):
            raise UserError(f"labels = {self.labels!r} is no list; correct it")

    def leaves_out(self, lang: str, place: Place, report: ConversionReport) -> bool:
        """Find out whether a text is in another language, and note it if so.

        lang: The language that it tells, such as "en" or "en-US"; empty if it tells
            none.
        report: Gets a text that is left out.
        """
        if not lang or not self.langs or ANY_LANGUAGE in self.langs:
            return False
        if lang in self.langs or _known_language(lang) in self.langs:
            return False
        report.note("other_language", place, f"language {lang}")
        return True

    def choose(self, label: str, place: Place, report: ConversionReport) -> str | None:
        """Look up what becomes of a label.

        label: The label of an entity.
        report: Gets an entity that is changed or dropped.
        RETURNS: The new label; None to drop the entity.
        """
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
        """Tell which of the labels no entity had."""
        wanted = {*self.labels, *self.map}
        for label in sorted(wanted - report.labels_seen):
            what = f"{report.source}: no entity has the label {label}"
            report.more_warnings.append(what)

    def apply(self, doc: Doc, place: Place, report: ConversionReport) -> None:
        """Choose the entities and spans of a document.

        Words of dropped entities are no entity afterwards, which models learn as such.

        doc: The document, which is changed.
        report: Gets entities that are changed or dropped.
        """
        if not self.map and not self.labels:
            return
        kept, outside = [], []
        for ent in doc.ents:
            label = self.choose(ent.label_, place, report)
            if label is None:
                outside.append(ent)
            else:
                kept.append(_renamed(ent, label))
        # What is not annotated stays so.
        doc.set_ents(kept, outside=outside, default="unmodified")
        for key, group in list(doc.spans.items()):
            labels = [self.choose(span.label_, place, report) for span in group]
            chosen = zip(group, labels, strict=True)
            doc.spans[key] = [_renamed(s, label) for s, label in chosen if label]


@lru_cache(maxsize=256)
def _known_language(lang: str) -> str | None:
    code = lang.replace("_", "-").split("-")[0].lower()
    # Codes of three letters have one of two.
    return code if len(code) == 2 else find_matching_language(code)


def _renamed(span: Span, label: str) -> Span:
    if label == span.label_:
        return span
    start, end = span.start, span.end
    return Span(span.doc, start, end, label, kb_id=span.kb_id, span_id=span.id)
