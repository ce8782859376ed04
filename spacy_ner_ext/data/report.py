"""What a conversion read, changed, left out and wrote."""

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

# What can be noted, and how it is called in the printed report.
KINDS = {
    "repaired": "tags repaired",
    "trimmed": "entities trimmed of white space",
    "expanded": "entities expanded to whole tokens",
    "contracted": "entities contracted to whole tokens",
    "misaligned": "entities dropped, not of whole tokens",
    "duplicates": "entities given twice, kept once",
    "overlapping": "entities that overlap a longer or earlier one",
    "fragments": "entities of several fragments",
    "dropped": "entities dropped",
    "deselected": "entities dropped, label not wanted",
    "relabelled": "entities with another label",
    "skipped": "annotations of other kinds left out",
    "blank": "empty or white-space tokens",
    "replaced": "things that the format cannot hold, replaced",
    "comments": "comment lines skipped",
    "empty": "texts without a token left out",
    "rejected": "examples left out that were rejected or ignored",
    "other_language": "texts of other languages left out",
    "unsampled": "documents left out by sampling",
    "unused": "readings that ended at the limit",
    "cut": "documents cut into shorter ones",
    "uncut": "places not cut, since inside an entity",
    "repeated": "documents repeated for rare labels",
}
# What loses nothing, or was asked for: its places are in the JSON report alone.
HARMLESS = (
    *("comments", "deselected", "relabelled", "other_language", "unsampled"),
    *("unused", "cut", "repeated"),
)


@dataclass
class Notes:
    """All places of one kind: an exact count and the first `MAX_EXAMPLES`.

    examples: Where it is, and what was found and done.
    """

    count: int = 0
    examples: list[tuple[Place, str]] = field(default_factory=list)


@dataclass
class Counts:
    """What some documents hold.

    documents, sentences, tokens: Their numbers; a document without sentence starts
        counts as one sentence.
    unannotated: Documents without any annotation of entities.
    entities: Entities of `doc.ents` by label.
    cats: Documents of which a category is true, by category.
    """

    documents: int = 0
    sentences: int = 0
    tokens: int = 0
    unannotated: int = 0
    entities: Counter[str] = field(default_factory=Counter)
    cats: Counter[str] = field(default_factory=Counter)

    def add(self, doc: Doc, spans_key: str | None = None) -> None:
        """Count one document.

        spans_key: The span group to count in place of `doc.ents`.
        """
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
        self.cats.update(true_cats(doc))

    def to_dict(self) -> dict[str, Any]:
        """The counts as plain JSON values."""
        return {
            "documents": self.documents,
            "sentences": self.sentences,
            "tokens": self.tokens,
            "unannotated": self.unannotated,
            "entities": dict(self.entities.most_common()),
            "cats": dict(self.cats.most_common()),
        }


def true_cats(doc: Doc) -> list[str]:
    """List the categories of a document."""
    return [name for name, value in doc.cats.items() if value >= 0.5]


def count_sentences(doc: Doc) -> int:
    """Count sentences.

    RETURNS: Their number; 1 where sentence starts are unknown.
    """
    if not len(doc):
        return 0
    # The first word starts one in any case, in a piece of a sentence too.
    return 1 + int((doc.to_array("SENT_START")[1:] == 1).sum())


@dataclass(kw_only=True)
class ConversionReport(Counts):
    """Counts of one conversion, filled while the documents pass.

    source: What was read.
    target: What was written.
    format: The name of the format.
    scheme: The tag scheme, given or recognised; empty if the format has none.
    parts: What each part holds, if the documents were split.
    notes: Places that were changed or left out, by kind.
    labels_seen: Labels of the input, by their old and new names.
    more_warnings: Results that are valid but seldom meant, beside those that the counts
        show.
    log: Gets each note as a line of JSON.
    """

    source: str = ""
    target: str = ""
    format: str = ""
    scheme: str = ""
    parts: dict[str, Counts] = field(default_factory=dict)
    notes: dict[str, Notes] = field(
        default_factory=lambda: {kind: Notes() for kind in KINDS}
    )
    labels_seen: set[str] = field(default_factory=set)
    more_warnings: list[str] = field(default_factory=list)
    log: IO[str] | None = None

    def note(self, kind: str, place: Place, what: str) -> None:
        """Count one place.

        what: What was found there and what was done.
        """
        notes = self.notes[kind]
        notes.count += 1
        if len(notes.examples) < MAX_EXAMPLES:
            notes.examples.append((place, what))
        if self.log is not None:
            line = {"kind": kind, **_note_to_dict(place, what)}
            self.log.write(json.dumps(line, ensure_ascii=False) + "\n")

    @contextmanager
    def writing(self, path: Path | None) -> Iterator[None]:
        """Write the report to a file at the end, and beside it all notes.

        path: The .json file; None to write nothing. The notes, also those of which this
            file has no example, go to NAME.notes.jsonl.
        RAISES (UserError): If one of the files cannot be written.
        """
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
        """Results that are valid but seldom meant."""
        found = list(self.more_warnings)
        if not self.documents:
            found.append(f"{self.source}: no document is left")
        elif not self.entities and not self.cats:
            found.append(f"{self.source}: no entity in the whole corpus")
        if self.documents == 1 and self.sentences > 1:
            found.append(
                f"{self.source}: all {self.sentences} sentences became one document"
            )
        return found

    def to_dict(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        head = ("source", "target", "format", "scheme")
        return {
            **{name: shown(getattr(self, name)) for name in head},
            **super().to_dict(),
            "parts": {name: counts.to_dict() for name, counts in self.parts.items()},
            **{kind: _notes_to_dict(notes) for kind, notes in self.notes.items()},
            "warnings": self.warnings,
        }


def _notes_to_dict(notes: Notes) -> dict[str, Any]:
    examples = [_note_to_dict(place, what) for place, what in notes.examples]
    return {"count": notes.count, "examples": examples}


def _note_to_dict(place: Place, what: str) -> dict[str, Any]:
    return {"path": shown(place.path), place.unit: place.number, "what": what}


def shown(path: Path | str) -> str:
    """Make the name of a file printable, whatever bytes it has."""
    return os.fsencode(path).decode("utf-8", "replace")


def notes_path(path: Path) -> Path:
    """Name the file of all notes.

    path: The .json file of the report.
    """
    return path.with_suffix(".notes.jsonl")
