"""How many entities to be found are already known from training.

A model may find those by heart; only the others tell whether it has learned more.
"""

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from .forms import SplitForms


@dataclass
class Seen:
    """Entities of one label and how many of them are in the training set.

    entities: The entities.
    form: Those whose form is in train, with any label.
    form_and_label: Those whose form is in train with the same label.
    distinct, distinct_form, distinct_form_and_label: The same, with each form counted
        once a label.
    """

    entities: int = 0
    form: int = 0
    form_and_label: int = 0
    distinct: int = 0
    distinct_form: int = 0
    distinct_form_and_label: int = 0

    def add(self, n: int, has_form: bool, has_both: bool) -> None:
        """Count the entities of a form and label.

        has_form, has_both: Whether the form is in train, and with this label.
        """
        self.entities += n
        self.form += n * has_form
        self.form_and_label += n * has_both
        self.distinct += 1
        self.distinct_form += has_form
        self.distinct_form_and_label += has_both

    def to_dict(self) -> dict[str, Any]:
        """The counts as plain JSON values."""
        return asdict(self)


@dataclass
class SplitSeen:
    """What of a split is in the training set.

    split: The name of the split.
    all: All entities.
    labels: Those of each label, the most common first.
    """

    split: str
    all: Seen
    labels: dict[str, Seen]

    def to_dict(self) -> dict[str, Any]:
        """The counts as plain JSON values."""
        labels = {label: seen.to_dict() for label, seen in self.labels.items()}
        return {"split": self.split, "all": self.all.to_dict(), "labels": labels}


def count_seen(name: str, split: SplitForms, train: SplitForms) -> SplitSeen:
    """Compare the entities of a split with those of the training set.

    name: The name of the split.
    train: The forms of the training set.
    """
    known = {form for form, _ in train.annotated}
    entities: Counter[str] = Counter()
    for (_, label), n in split.annotated.items():
        entities[label] += n
    counts = SplitSeen(name, Seen(), {label: Seen() for label, _ in _ranked(entities)})
    for (form, label), n in split.annotated.items():
        for seen in (counts.all, counts.labels[label]):
            seen.add(n, form in known, (form, label) in train.annotated)
    return counts


def _ranked(entities: Counter[str]) -> list[tuple[str, int]]:
    return sorted(entities.items(), key=lambda item: (-item[1], item[0]))
