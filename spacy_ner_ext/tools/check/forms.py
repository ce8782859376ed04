"""Surface forms of entities: annotated in different ways, and seen in training.

A form is in conflict if it has entities of several labels, or entities and places
outside. Places outside are ignored where they are unlikely to be mistakes: for words
that are names now and then, with fewer than `NAME_SHARE` of their places annotated
("Us", "May", "It"), and for single characters whose rarer kind has fewer than
`MIN_PLACES` places or `NAME_SHARE` of them. Conflicts are ranked by the places that
differ from the form's most common kind.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from ...data.forms import SplitForms
from .findings import MAX_EXAMPLES, Finding, excerpt

NAME_SHARE = 0.1
MIN_PLACES = 2
# Conflicts in the JSON.
MAX_CONFLICTS = 200
# In place of a label.
OUTSIDE = ""
SEEN = (
    *("entities", "form", "form_and_label"),
    *("distinct", "distinct_form", "distinct_form_and_label"),
)


@dataclass(frozen=True)
class Conflict:
    """A form with its places by label, the most common first, and by split; `minority`
    counts those that differ from the most common kind."""

    form: str
    places: dict[str, dict[str, int]]
    minority: int

    def __str__(self) -> str:
        kinds = []
        for label, places in self.places.items():
            n = sum(places.values())
            times = f"{n} time{'s' * (n > 1)} ({', '.join(places)})"
            kinds.append(f"{label or 'not an entity'} {times}")
        return f"{excerpt(self.form)} is {', '.join(kinds[:-1])} and {kinds[-1]}"

    def to_dict(self) -> dict[str, Any]:
        labels = dict(self.places)
        outside = labels.pop(OUTSIDE, {})
        found = {"labels": labels, "outside": outside}
        return {"form": self.form, "minority": self.minority, **found}


@dataclass
class Conflicts:
    """The number of forms in conflict, of their places that differ from the most common
    kind, and the forms with the most such places."""

    count: int
    places: int
    worst: list[Conflict]

    def to_dict(self) -> dict[str, Any]:
        worst = [conflict.to_dict() for conflict in self.worst]
        return {"count": self.count, "places": self.places, "worst": worst}

    def findings(self) -> list[Finding]:
        what = (
            f"strings that are annotated in different ways: {self.count}, in "
            f"{self.places} places that differ from the most common way"
        )
        examples = [str(conflict) for conflict in self.worst[:MAX_EXAMPLES]]
        return [Finding("note", "", what, examples)] if self.count else []


def find_conflicts(splits: Mapping[str, SplitForms]) -> Conflicts:
    """Find the forms in conflict, within and across splits."""
    totals: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for split in splits.values():
        for (form, label), n in split.annotated.items():
            totals[form][label] += n
    minorities = {}
    for form, kinds in totals.items():
        outside = sum(split.outside[form] for split in splits.values())
        minorities[form] = _minority(form, kinds, outside)
    found = sorted((-n, form) for form, n in minorities.items() if n)
    worst = [
        Conflict(form, _places(form, totals[form], splits), -n)
        for n, form in found[:MAX_CONFLICTS]
    ]
    return Conflicts(len(found), sum(minorities.values()), worst)


def _minority(form: str, labels: Counter[str], outside: int) -> int:
    """The places that differ from the most common kind; 0 without a conflict."""
    inside = labels.total()
    kinds = [*labels.values()]
    if outside and inside >= NAME_SHARE * (inside + outside):
        kinds.append(outside)
    minority = sum(kinds) - max(kinds)
    if len(form) == 1 and minority < max(MIN_PLACES, NAME_SHARE * sum(kinds)):
        return 0
    return minority


def _places(
    form: str, labels: Iterable[str], splits: Mapping[str, SplitForms]
) -> dict[str, dict[str, int]]:
    places = {
        label: {name: split.annotated[form, label] for name, split in splits.items()}
        for label in sorted(labels)
    }
    places[OUTSIDE] = {name: split.outside[form] for name, split in splits.items()}
    by_count = sorted(places.items(), key=lambda item: -sum(item[1].values()))
    some = {label: {s: n for s, n in found.items() if n} for label, found in by_count}
    return {label: found for label, found in some.items() if found}


class SplitSeen(NamedTuple):
    """Entities of a split that occur in the training set, `all` and by label, the most
    frequent first. A model may find these from memory; only the others show what it
    learned.

    "form" counts those whose form is in train, "form_and_label" those with the same
    label, too; the distinct counts have each form once per label.
    """

    split: str
    all: Counter[str]
    labels: dict[str, Counter[str]]


def count_seen(name: str, split: SplitForms, train: SplitForms) -> SplitSeen:
    """Compare the entities of a split with those of the training set."""
    known = {form for form, _ in train.annotated}
    total = Counter(dict.fromkeys(SEEN, 0))
    labels = {label: total.copy() for _, label in split.annotated}
    for (form, label), n in split.annotated.items():
        seen = (1, form in known, (form, label) in train.annotated)
        counts = dict(zip(SEEN, (*(n * each for each in seen), *seen)))
        total.update(counts)
        labels[label].update(counts)
    ranked = sorted(labels, key=lambda label: (-labels[label]["entities"], label))
    return SplitSeen(name, total, {label: labels[label] for label in ranked})
