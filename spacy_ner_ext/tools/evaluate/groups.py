"""Groups of entities that have scores of their own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from spacy.tokens import Span

from .entity_records import Entity

LENGTH = "entity_length"
SEEN = "seen"
SENTENCE = "sentence_length"
# The longest entities and sentences of each group but the last.
ENTITY_BOUNDARIES = (1, 2, 3, 4)
SENTENCE_BOUNDARIES = (10, 20, 30, 50)
SAME = "seen with this label"
OTHER = "seen with another label"
UNSEEN = "unseen"


@dataclass
class SeenForms:
    """The texts of entities in a training corpus, as they are but for white space.

    labels: The labels of each.
    """

    labels: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def add(self, spans: Iterable[Span]) -> None:
        """Add entities."""
        for span in spans:
            self.labels[form_of(span.text)].add(span.label_)

    def group(self, entity: Entity) -> str:
        """How the training corpus has the text of an entity."""
        labels = self.labels.get(form_of(entity.text))
        if labels is None:
            return UNSEEN
        return SAME if entity.label in labels else OTHER


def form_of(text: str) -> str:
    """The text with single spaces."""
    return " ".join(text.split())


def length_group(entity: Entity) -> str:
    """How many tokens an entity has."""
    length = entity.end - entity.start
    name = _range(length, ENTITY_BOUNDARIES)
    return f"{name} token" if length == 1 else f"{name} tokens"


def sentence_group(entity: Entity) -> str:
    """How many words the sentence of an entity has."""
    return f"{_range(entity.sentence_length, SENTENCE_BOUNDARIES)} words"


def order_of(kind: str) -> list[str]:
    """List the groups of a kind.

    RETURNS: Their names, in the order in which they are shown.
    """
    if kind == SEEN:
        return [SAME, OTHER, UNSEEN]
    is_length = kind == LENGTH
    boundaries = ENTITY_BOUNDARIES if is_length else SENTENCE_BOUNDARIES
    names = [_range(border, boundaries) for border in (*boundaries, boundaries[-1] + 1)]
    unit = "token" if is_length else "word"
    return [f"{name} {unit}{'' if name == '1' else 's'}" for name in names]


def _range(value: int, boundaries: tuple[int, ...]) -> str:
    low = 1
    for high in boundaries:
        if value <= high:
            return str(high) if low == high else f"{low}-{high}"
        low = high + 1
    return f"{low} or more"
