"""Strings that are annotated in one way here and in another there.

The form of an entity is its tokens with one space between, in upper and lower case as
they are; white-space tokens are left out. A place of a form is an entity of this form,
or tokens that are equal to it and all known to be outside of entities. Inside a longer
entity a form says nothing ("Washington" in "Washington Post"), and inside a longer form
only the longer one counts.

A form is in conflict if it has entities of several labels, or entities and places
outside. Of the latter those are left out that are no sign of a mistake: words that are
names now and then, with fewer than `NAME_SHARE` of their places annotated ("Us", "May",
"It"), and single characters where the rarer kind has fewer than `MIN_PLACES` places or
`NAME_SHARE` of them. The conflicts with the most places that differ from the form's
most common kind come first.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from spacy.tokens import Doc, Span

from .findings import MAX_EXAMPLES, Finding, excerpt

NAME_SHARE = 0.1
MIN_PLACES = 2
# How many conflicts the reports list.
MAX_CONFLICTS = 200
# Stands where the label would be.
OUTSIDE = ""


@dataclass
class SplitForms:
    """The forms of a split.

    annotated: Entities by form and label.
    outside: Places outside of entities by form, for the forms of all splits.
    """

    annotated: Counter[tuple[str, str]] = field(default_factory=Counter)
    outside: Counter[str] = field(default_factory=Counter)

    def add(self, ents: Sequence[Span]) -> None:
        """Count the entities of a document."""
        self.annotated.update((form_of(ent), ent.label_) for ent in ents)

    def add_outside(self, doc: Doc, index: "FormIndex") -> None:
        """Count the places of a document that are no entity."""
        outside = (doc.to_array("ENT_IOB") == 2).tolist()
        tokens = [(token.text, out) for token, out in zip(doc, outside)]
        words = [(text, out) for text, out in tokens if not text.isspace()]
        texts = [" ".join(text.split()) for text, _ in words]
        end = 0
        for i, text in enumerate(texts):
            for size in index.sizes.get(text, ()):
                if not end < i + size <= len(texts):
                    continue
                form = " ".join(texts[i : i + size])
                if form in index.forms and all(out for _, out in words[i : i + size]):
                    self.outside[form] += 1
                    end = i + size
                    break


def form_of(span: Span) -> str:
    """Normalise the text of an entity.

    RETURNS: Its tokens with one space between.
    """
    return " ".join(" ".join(token.text for token in span).split())


class FormIndex:
    """All forms, to be looked for token by token.

    forms: The forms.
    sizes: How many tokens the forms have that start with a token, the most first.
    """

    def __init__(self, splits: Iterable[SplitForms]) -> None:
        self.forms = {form for split in splits for form, _ in split.annotated if form}
        sizes: defaultdict[str, set[int]] = defaultdict(set)
        for form in self.forms:
            words = form.split()
            sizes[words[0]].add(len(words))
            # A token may hold a space.
            sizes[form].add(1)
        self.sizes = {word: sorted(found)[::-1] for word, found in sizes.items()}


@dataclass(frozen=True)
class Conflict:
    """A form that is annotated in several ways.

    form: The form.
    places: Its places by label, `OUTSIDE` for none, and by split; the most common label
        first.
    minority: How many places differ from the most common kind.
    """

    form: str
    places: dict[str, dict[str, int]]
    minority: int

    def __str__(self) -> str:
        kinds = []
        for label, places in self.places.items():
            times = sum(places.values())
            what = label if label != OUTSIDE else "not an entity"
            kinds.append(
                f"{what} {times} time{'s' * (times > 1)} ({', '.join(places)})"
            )
        return f"{excerpt(self.form)} is {', '.join(kinds[:-1])} and {kinds[-1]}"

    def to_dict(self) -> dict[str, Any]:
        """The conflict as plain JSON values."""
        places = dict(self.places)
        outside = places.pop(OUTSIDE, {})
        return {
            "form": self.form,
            "minority": self.minority,
            "labels": places,
            "outside": outside,
        }


@dataclass
class Conflicts:
    """All forms in conflict.

    count: How many forms there are.
    places: How many of their places differ from the most common kind.
    worst: Those with the most such places, up to `MAX_CONFLICTS`.
    """

    count: int = 0
    places: int = 0
    worst: list[Conflict] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """The conflicts as plain JSON values."""
        worst = [conflict.to_dict() for conflict in self.worst]
        return {"count": self.count, "places": self.places, "worst": worst}

    def findings(self) -> list[Finding]:
        """What is to be told of them, at most one."""
        if not self.count:
            return []
        what = (
            f"strings that are annotated in different ways: {self.count}, in "
            f"{self.places} places that differ from the most common way"
        )
        examples = [str(conflict) for conflict in self.worst[:MAX_EXAMPLES]]
        return [Finding("note", "", what, examples)]


def find_conflicts(splits: Mapping[str, SplitForms]) -> Conflicts:
    """Find the forms in conflict, within and across splits.

    splits: The forms of each split.
    """
    totals: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for split in splits.values():
        for (form, label), n in split.annotated.items():
            totals[form][label] += n
    found = []
    for form, kinds in totals.items():
        outside = sum(split.outside[form] for split in splits.values())
        minority = _minority(form, kinds, outside)
        if minority:
            found.append((-minority, form))
    found.sort()
    worst = [
        Conflict(form, _places(form, totals[form], splits), -n)
        for n, form in found[:MAX_CONFLICTS]
    ]
    return Conflicts(len(found), -sum(n for n, _ in found), worst)


def _minority(form: str, labels: Counter[str], outside: int) -> int:
    """The places that differ from the most common kind; 0 if it is no conflict."""
    inside = labels.total()
    if outside and inside >= NAME_SHARE * (inside + outside):
        kinds = [*labels.values(), outside]
    else:
        kinds = [*labels.values()]
    minority = sum(kinds) - max(kinds)
    if len(form) == 1 and minority < max(MIN_PLACES, NAME_SHARE * sum(kinds)):
        return 0
    return minority


def _places(
    form: str, labels: Counter[str], splits: Mapping[str, SplitForms]
) -> dict[str, dict[str, int]]:
    places = {
        label: {name: split.annotated[form, label] for name, split in splits.items()}
        for label in sorted(labels)
    }
    places[OUTSIDE] = {name: split.outside[form] for name, split in splits.items()}
    by_count = sorted(places.items(), key=lambda item: -sum(item[1].values()))
    some = {label: {s: n for s, n in found.items() if n} for label, found in by_count}
    return {label: found for label, found in some.items() if found}
