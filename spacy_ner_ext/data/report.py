"""What a conversion read, changed and left out."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MAX_EXAMPLES = 200

# What a reader can note, and how it is called in the printed report.
KINDS = {
    "repaired": "tags repaired",
    "trimmed": "entities trimmed of white-space tokens",
    "dropped": "entities dropped",
    "blank": "empty or white-space tokens",
    "comments": "comment lines skipped",
}


@dataclass(frozen=True)
class Note:
    """One place in an input file.

    path (Path): The file.
    line (int): The line, 1-based.
    what (str): What was found there and what was done.
    """

    path: Path
    line: int
    what: str


@dataclass
class Notes:
    """All places of one kind: an exact count and the first `MAX_EXAMPLES`."""

    count: int = 0
    examples: list[Note] = field(default_factory=list)


@dataclass
class ConversionReport:
    """Counts of one conversion, filled while the documents are read.

    source (str): The file that was read.
    target (str): The file that was written.
    format (str): The name of the input format.
    scheme (str): The tag scheme, given or recognised; empty if the format has none.
    documents (int), sentences (int), tokens (int): What was read.
    entities (Counter[str]): Entities per label.
    notes (Dict[str, Notes]): Places that were changed or left out, by kind.
    """

    source: str = ""
    target: str = ""
    format: str = ""
    scheme: str = ""
    documents: int = 0
    sentences: int = 0
    tokens: int = 0
    entities: Counter[str] = field(default_factory=Counter)
    notes: dict[str, Notes] = field(
        default_factory=lambda: {kind: Notes() for kind in KINDS}
    )

    def add(self, kind: str, path: Path, line: int, what: str) -> None:
        """Count one place.

        kind (str): One of `KINDS`.
        path (Path): The file.
        line (int): The line, 1-based.
        what (str): What was found there and what was done.
        """
        notes = self.notes[kind]
        notes.count += 1
        if len(notes.examples) < MAX_EXAMPLES:
            notes.examples.append(Note(path, line, what))

    @property
    def warnings(self) -> list[str]:
        """RETURNS (List[str]): Results that are valid but seldom meant."""
        found = []
        if not self.entities:
            found.append(f"{self.source}: no entity in the whole file")
        if self.documents == 1 and self.sentences > 1:
            found.append(
                f"{self.source}: all {self.sentences} sentences became one document"
            )
        return found

    def to_dict(self) -> dict[str, Any]:
        """RETURNS (Dict[str, Any]): The report as plain JSON values."""
        head = ("source", "target", "format", "scheme")
        counts = ("documents", "sentences", "tokens")
        return {
            **{name: getattr(self, name) for name in head + counts},
            "entities": dict(self.entities.most_common()),
            **{kind: _notes_to_dict(notes) for kind, notes in self.notes.items()},
            "warnings": self.warnings,
        }


def _notes_to_dict(notes: Notes) -> dict[str, Any]:
    examples = [
        {"path": str(note.path), "line": note.line, "what": note.what}
        for note in notes.examples
    ]
    return {"count": notes.count, "examples": examples}
