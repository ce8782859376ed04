"""The report of a conversion: what was read, changed, skipped and written."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from spacy.tokens import Doc

from ..util.errors import Place
from ..util.files import replacing

MAX_EXAMPLES = 200
# A larger share of entities that begin or end inside a token is not the tokenizer's.
MAX_CUTTING = 0.1

# Everything that is noted, with its name in the printed report.
KINDS = {
    "repaired": "tags repaired",
    "relocated": "entities found at other offsets than given",
    "merged": "answers merged with others about the same text",
    "not_understood": "annotations not understood, left missing",
    "bad_files": "files that could not be read, skipped",
    "trimmed": "entities trimmed of white space",
    "expanded": "entities expanded to whole tokens",
    "contracted": "entities contracted to whole tokens",
    "split": "tokens cut where an entity begins or ends",
    "misaligned": "entities dropped, boundaries inside tokens",
    "duplicates": "duplicate entities, kept once",
    "same_token": "entities that share a token with a different one",
    "overlapping": "entities overlapping a longer or earlier one",
    "fragments": "entities with several fragments",
    "dropped": "entities dropped",
    "deselected": "entities dropped, label not selected",
    "relabelled": "entities renamed",
    "skipped": "other annotations skipped",
    "blank": "empty or white-space tokens",
    "replaced": "values replaced, not possible in this format",
    "comments": "comment lines skipped",
    "empty": "texts without tokens skipped",
    "rejected": "rejected or ignored examples skipped",
    "other_language": "texts in other languages skipped",
    "unsampled": "documents not drawn",
    "unused": "parts that reached the limit",
    "cut": "documents cut",
    "uncut": "places not cut, inside an entity",
    "repeated": "documents repeated for rare labels",
}
# Requested, or without any loss: their places are only in the JSON report.
HARMLESS = (
    *("comments", "deselected", "relabelled", "other_language", "unsampled"),
    *("unused", "cut", "repeated", "split"),
)


@dataclass
class Notes:
    """The places of one kind: their number and the first `MAX_EXAMPLES`."""

    count: int = 0
    examples: list[tuple[Place, str]] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        examples = [_note_to_dict(place, what) for place, what in self.examples]
        return {"count": self.count, "examples": examples}


@dataclass
class Counts:
    """Counts of some documents, explained in `ConversionReport`."""

    documents: int = 0
    sentences: int = 0
    tokens: int = 0
    unannotated: int = 0
    entities: Counter[str] = field(default_factory=Counter)
    cats: Counter[str] = field(default_factory=Counter)
    n_false: int = 0

    def add(self, doc: Doc, spans_key: str | None = None) -> None:
        """Count a document, with a span group in place of `doc.ents` if given."""
        self.documents += 1
        self.tokens += len(doc)
        self.sentences += count_sentences(doc)
        if spans_key is not None:
            spans = doc.spans.get(spans_key, ())
            self.entities.update(span.label_ for span in spans)
            self.unannotated += spans_key not in doc.spans
        elif doc.ents:
            self.entities.update(ent.label_ for ent in doc.ents)
        elif not doc.to_array("ENT_IOB").any():
            self.unannotated += 1
        true = true_cats(doc)
        self.cats.update(true)
        self.n_false += len(doc.cats) - len(true)

    def to_dict(self) -> dict[str, Any]:
        """The counts as JSON values."""
        numbers = ("documents", "sentences", "tokens", "unannotated")
        return {
            **{name: getattr(self, name) for name in numbers},
            "entities": dict(self.entities.most_common()),
            "cats": dict(self.cats.most_common()),
        }


def true_cats(doc: Doc) -> list[str]:
    """List the categories of a document that are true."""
    return [name for name, value in doc.cats.items() if value >= 0.5]


def count_sentences(doc: Doc) -> int:
    """Count the sentences of a document; 1 if their boundaries are unknown."""
    if not len(doc):
        return 0
    # The first token always starts one, also in a piece of a sentence.
    return 1 + int((doc.to_array("SENT_START")[1:] == 1).sum())


@dataclass(kw_only=True)
class ConversionReport(Counts):
    """The report of a conversion, filled while documents pass.

    documents, sentences, tokens: Numbers of what was written; a document without
        sentence boundaries counts as one sentence.
    unannotated: Documents without any annotation of entities.
    entities: Entities of `doc.ents` by label.
    cats: Documents by category that is true.
    n_false: How often a category is false.
    source: Path that was read.
    target: Path that was written.
    format: Name of the input format; of the output format if the report is of
        `export_corpus`.
    scheme: Tag scheme, given or recognized; empty if the format has none.
    parts: Counts of train, dev and test if the documents were split.
    folders: Number of files by path, for outputs that became a folder of files.
    notes: Places that were changed or skipped, by kind: their count and the first 200.
    n_offsets, n_cutting: Entities with offsets that no quote confirms, and how many of
        them begin or end inside a token.
    more_warnings: Warnings in addition to those that follow from the counts.
    """

    source: str = ""
    target: str = ""
    format: str = ""
    scheme: str = ""
    parts: dict[str, Counts] = field(default_factory=dict)
    folders: dict[str, int] = field(default_factory=dict)
    notes: dict[str, Notes] = field(
        default_factory=lambda: {kind: Notes() for kind in KINDS}
    )
    n_offsets: int = 0
    n_cutting: int = 0
    # Labels of the input, by old and new names.
    labels_seen: set[str] = field(default_factory=set)
    # The first name of each annotator, by all that the tool gives.
    annotators: dict[str, str] = field(default_factory=dict)
    more_warnings: list[str] = field(default_factory=list)
    log: IO[str] | None = None

    def note(self, kind: str, place: Place, what: str) -> None:
        """Count a place under a key of `KINDS`, with what was found or done there."""
        notes = self.notes[kind]
        notes.count += 1
        if len(notes.examples) < MAX_EXAMPLES:
            notes.examples.append((place, what))
        if self.log is not None:
            line = {"kind": kind, **_note_to_dict(place, what)}
            self.log.write(json.dumps(line, ensure_ascii=False) + "\n")

    @contextmanager
    def writing(self, path: Path | None) -> Iterator[None]:
        """Write the report to a .json file after the block, and all notes, without a
        limit, to NAME.notes.jsonl; None writes nothing."""
        if path is None:
            yield
            return
        with replacing(path) as summary, replacing(notes_path(path)) as notes:
            with notes.open("w", encoding="utf-8") as self.log:
                yield
            self.log = None
            text = json.dumps(self.to_dict(), ensure_ascii=False, indent=2)
            summary.write_text(text + "\n", encoding="utf-8")

    @property
    def warnings(self) -> list[str]:
        """Results that are valid but rarely wanted."""
        found = list(self.more_warnings)
        if not self.documents:
            found.append(f"{self.source}: no document is left")
        elif not self.entities and not self.cats:
            found.append(f"{self.source}: no entity in the whole corpus")
        if len(self.cats) > 1 and not self.n_false:
            what = "of several categories, none is ever 0: those that a text does not "
            found.append(f"{self.source}: {what}have are missing, not false")
        if self.n_cutting > MAX_CUTTING * self.n_offsets and self.n_cutting > 1:
            what = f"{self.n_cutting} of {self.n_offsets} entities begin or end inside "
            what += "a token: the offsets may count bytes or UTF-16 units"
            found.append(f"{self.source}: {what}")
        if self.documents == 1 and self.sentences > 1:
            what = f"all {self.sentences} sentences became one document"
            found.append(f"{self.source}: {what}")
        return found

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON values."""
        head = ("source", "target", "format", "scheme")
        return {
            **{name: shown(getattr(self, name)) for name in head},
            **super().to_dict(),
            "parts": {name: counts.to_dict() for name, counts in self.parts.items()},
            "folders": self.folders,
            **{kind: notes.to_dict() for kind, notes in self.notes.items()},
            "warnings": self.warnings,
        }


class NotedPlace(Place):
    """A place in the input, with the report that gets notes about it."""

    report: ConversionReport

    @classmethod
    def of(cls, place: Place, report: ConversionReport) -> "NotedPlace":
        """Add the report to a place."""
        noted = cls(*place)
        noted.report = report
        return noted

    def note(self, kind: str, what: str) -> None:
        """Count this place, see `ConversionReport.note`."""
        self.report.note(kind, self, what)


def _note_to_dict(place: Place, what: str) -> dict[str, Any]:
    return {"path": shown(place.path), place.unit: place.number, "what": what}


def shown(path: Path | str) -> str:
    """A printable form of a file name with any bytes."""
    return os.fsencode(path).decode("utf-8", "replace")


def notes_path(path: Path) -> Path:
    """The file of all notes, next to the .json file of a report."""
    return path.with_suffix(".notes.jsonl")
