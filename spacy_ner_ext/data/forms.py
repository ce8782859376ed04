"""Surface forms of entities, and the places of each.

The form of an entity is its tokens joined by single spaces, in their own case, without
white-space tokens. A place of a form is an entity of this form, or tokens equal to it
that are all known to be outside of entities. Places inside a longer entity do not count
("Washington" in "Washington Post"), and of overlapping forms only the longest does.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from spacy.tokens import Doc, Span


def form_of(span: Span) -> str:
    return " ".join(" ".join(token.text for token in span).split())


@dataclass
class SplitForms:
    """Entities of a split by form and label, and places outside of entities by form,
    for the forms of all splits."""

    annotated: Counter[tuple[str, str]] = field(default_factory=Counter)
    outside: Counter[str] = field(default_factory=Counter)

    def add(self, ents: Sequence[Span]) -> None:
        for ent in ents:
            self.annotated[form_of(ent), ent.label_] += 1

    def add_outside(self, doc: Doc, index: "FormIndex") -> None:
        """Count the places of a document that are outside of entities."""
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


class FormIndex:
    """All forms, and the sizes in tokens of those that start with a token, longest
    first."""

    def __init__(self, splits: Iterable[SplitForms]) -> None:
        self.forms = {form for split in splits for form, _ in split.annotated if form}
        sizes: defaultdict[str, set[int]] = defaultdict(set)
        for form in self.forms:
            words = form.split()
            sizes[words[0]].add(len(words))
            # A token may hold a space.
            sizes[form].add(1)
        self.sizes = {word: sorted(found)[::-1] for word, found in sizes.items()}
