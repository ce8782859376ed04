"""Findings of a check, with examples."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from spacy.tokens import Span

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
MAX_EXAMPLES = 20
EXCERPT = 60


@dataclass(frozen=True)
class Finding:
    """An error makes training or evaluation wrong, a warning may do so, and a note may
    be intended. `split` is empty if the finding is about all of them."""

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
        self.count += 1
        if len(self.examples) < MAX_EXAMPLES:
            self.examples.append(example)


def make_warnings(split: str, kinds: Iterable[tuple[str, Places]]) -> list[Finding]:
    """Warn of each kind of place that occurs in a split."""
    return [
        Finding("warning", split, f"{what}: {places.count}", places.examples)
        for what, places in kinds
        if places.count
    ]


def excerpt(text: str) -> str:
    """Quote the start of a text."""
    return repr(text if len(text) <= EXCERPT else text[: EXCERPT - 3] + "...")


def place_of(place: str, span: Span) -> str:
    """Quote a span with its label and the place of its document."""
    return f"{place}: {span.label_} {excerpt(span.text)}"
