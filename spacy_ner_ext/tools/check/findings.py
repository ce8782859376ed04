"""What a check finds: things with examples, and how texts are quoted in them."""

from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
MAX_EXAMPLES = 20
EXCERPT = 60


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, suspicious or worth knowing.

    severity: "error" if training or evaluation would go wrong, "warning" if that is
        likely, "note" if it may well be meant.
    split: The split where it was found; empty if it is about all of them.
    what: What it is, with counts and the next step.
    examples: The first places, or the worst.
    """

    severity: Severity
    split: str
    what: str
    examples: list[str] = field(default_factory=list)


@dataclass
class Places:
    """Things of one kind in a split: an exact count and the first examples."""

    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, example: str) -> None:
        """Count one."""
        self.count += 1
        if len(self.examples) < MAX_EXAMPLES:
            self.examples.append(example)


def excerpt(text: str) -> str:
    """Quote the start of a text.

    RETURNS: Its first `EXCERPT` characters in quotes.
    """
    return repr(text if len(text) <= EXCERPT else text[: EXCERPT - 3] + "...")
