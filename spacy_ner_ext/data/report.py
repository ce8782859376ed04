"""What a conversion read, changed, left out and wrote."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from spacy.tokens import Doc

from .errors import Place

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

    examples (List[Tuple[Place, str]]): Where it is, and what was found and done.
    """

    count: int = 0
    examples: list[tuple[Place, str]] = field(default_factory=list)


@dataclass
class Counts:
    """What some documents hold.

    documents (int), sentences (int), tokens (int): Their numbers; a document without
        sentence starts counts as one sentence.
    unannotated (int): Documents without any annotation of entities.
    entities (Counter[str]): Entities of `doc.ents` by label.
    cats (Counter[str]): Documents of which a category is true, by category.
    """

    documents: int = 0
    sentences: int = 0
    tokens: int = 0
    unannotated: int = 0
    entities: Counter[str] = field(default_factory=Counter)
    cats: Counter[str] = field(default_factory=Counter)

    def add(self, doc: Doc) -> None:
        """Count one document.

        doc (Doc): The document.
        """
        self.documents += 1
        self.tokens += len(doc)
        self.sentences += count_sentences(doc)
        ents = doc.ents
        if ents:
            self.entities.update(ent.label_ for ent in ents)
        elif not doc.to_array("ENT_IOB").any():
            self.unannotated += 1
        self.cats.update(name for name, value in doc.cats.items() if value >= 0.5)

    def to_dict(self) -> dict[str, Any]:
        """RETURNS (Dict[str, Any]): The counts as plain JSON values."""
        return {
            "documents": self.documents,
            "sentences": self.sentences,
            "tokens": self.tokens,
            "unannotated": self.unannotated,
            "entities": dict(self.entities.most_common()),
            "cats": dict(self.cats.most_common()),
        }


def count_sentences(doc: Doc) -> int:
    """Count sentences.

    doc (Doc): A document.
    RETURNS (int): Their number; 1 where sentence starts are unknown.
    """
    if not len(doc):
        return 0
    # The first word starts one in any case, in a piece of a sentence too.
    return 1 + int((doc.to_array("SENT_START")[1:] == 1).sum())


@dataclass(kw_only=True)
class ConversionReport(Counts):
    """Counts of one conversion, filled while the documents pass.

    source (str): What was read.
    target (str): What was written.
    format (str): The name of the format.
    scheme (str): The tag scheme, given or recognised; empty if the format has none.
    parts (Dict[str, Counts]): What each part holds, if the documents were split.
    notes (Dict[str, Notes]): Places that were changed or left out, by kind.
    labels_seen (Set[str]): Labels of the input, by their old and new names.
    more_warnings (List[str]): Results that are valid but seldom meant, beside those
        that the counts show.
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

    def note(self, kind: str, place: Place, what: str) -> None:
        """Count one place.

        kind (str): One of `KINDS`.
        place (Place): Where it is.
        what (str): What was found there and what was done.
        """
        notes = self.notes[kind]
        notes.count += 1
        if len(notes.examples) < MAX_EXAMPLES:
            notes.examples.append((place, what))

    @property
    def warnings(self) -> list[str]:
        """RETURNS (List[str]): Results that are valid but seldom meant."""
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
        """RETURNS (Dict[str, Any]): The report as plain JSON values."""
        head = ("source", "target", "format", "scheme")
        return {
            **{name: getattr(self, name) for name in head},
            **super().to_dict(),
            "parts": {name: counts.to_dict() for name, counts in self.parts.items()},
            **{kind: _notes_to_dict(notes) for kind, notes in self.notes.items()},
            "warnings": self.warnings,
        }


def _notes_to_dict(notes: Notes) -> dict[str, Any]:
    examples = [
        {"path": str(place.path), place.unit: place.number, "what": what}
        for place, what in notes.examples
    ]
    return {"count": notes.count, "examples": examples}
