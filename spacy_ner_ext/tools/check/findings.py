"""Findings of a check, with examples."""

from dataclasses import dataclass, field
from typing import Literal

from spacy.tokens import Span

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
MAX_EXAMPLES = 20
EXCERPT = 60


@dataclass(frozen=True)
class Finding:
    """A problem, or something worth knowing.

    severity: "error" if training or evaluation would be wrong, "warning" if that is
        likely, "note" if it may be intended.
    split: The split; empty if it is about all of them.
    what: A sentence with counts and the next step.
    examples: The first places, or the worst.
    """

    severity: Severity
    split: str
    what: str
    examples: list[str] = field(default_factory=list)


@dataclass
class Places:
    """Places of one kind: an exact count and the first examples."""

    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, example: str) -> None:
        """Count a place."""
        self.count += 1
        if len(self.examples) < MAX_EXAMPLES:
            self.examples.append(example)


def excerpt(text: str) -> str:
    """Quote the start of a text."""
    return repr(text if len(text) <= EXCERPT else text[: EXCERPT - 3] + "...")


def place_of(place: str, span: Span) -> str:
    """Quote a span with its label and the place of its document."""
    return f"{place}: {span.label_} {excerpt(span.text)}"
