"""The result of a check."""

from dataclasses import asdict, dataclass, field
from typing import Any

from .config import Limits
from .findings import SEVERITIES, Finding
from .forms import Conflicts
from .labels import rare_labels
from .pieces import PieceScan
from .seen import SplitSeen
from .splits import SplitStats


@dataclass
class CheckReport:
    """The result of a check.

    splits: The splits in the order they were given.
    findings: What is wrong, errors first.
    rare: Labels with fewer entities in training are rare.
    seen: What of the other splits is in the training set.
    conflicts: Strings that are annotated in different ways.
    limits: The limits of the config, if one was given.
    tokenizer: The tokenizer that pieces are of; empty if there is none.
    pieces: Pieces by split, if there is a tokenizer.
    """

    splits: list[SplitStats]
    findings: list[Finding]
    rare: int = 0
    seen: list[SplitSeen] = field(default_factory=list)
    conflicts: Conflicts = field(default_factory=Conflicts)
    limits: Limits = field(default_factory=Limits)
    tokenizer: str = ""
    pieces: dict[str, PieceScan] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.findings.sort(key=lambda found: SEVERITIES.index(found.severity))

    def of(self, severity: str) -> list[Finding]:
        """Select findings."""
        return [found for found in self.findings if found.severity == severity]

    @property
    def rare_labels(self) -> dict[str, int]:
        """Labels that are rare in train, the rarest first."""
        return rare_labels(self.splits[0], self.rare)

    def to_dict(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        pieces = {name: scan.to_dict() for name, scan in self.pieces.items()}
        return {
            "splits": [split.to_dict() for split in self.splits],
            "findings": [asdict(found) for found in self.findings],
            "rare": {"fewer_than": self.rare, "labels": self.rare_labels},
            "seen": [seen.to_dict() for seen in self.seen],
            "conflicts": self.conflicts.to_dict(),
            "limits": self.limits.to_dict(),
            "pieces": {"tokenizer": self.tokenizer, "splits": pieces},
        }
