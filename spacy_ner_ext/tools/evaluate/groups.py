"""Groups of entities with separate scores: by length, by sentence, seen or unseen."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from spacy.tokens import Span

from .entities import ScoredEntity

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
    """The texts of entities in a training corpus, and their labels; case matters, white
    space does not."""

    labels: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def add(self, spans: Iterable[Span]) -> None:
        """Add entities."""
        for span in spans:
            self.labels[_normalize(span.text)].add(span.label_)

    def group(self, entity: ScoredEntity) -> str:
        """Say whether the training corpus has the text of an entity."""
        labels = self.labels.get(_normalize(entity.text))
        if labels is None:
            return UNSEEN
        return SAME if entity.label in labels else OTHER


def _normalize(text: str) -> str:
    return " ".join(text.split())


def length_group(entity: ScoredEntity) -> str:
    """Group an entity by its number of tokens."""
    length = entity.end - entity.start
    return _name(length, ENTITY_BOUNDARIES, "token")


def sentence_group(entity: ScoredEntity) -> str:
    """Group an entity by the number of words of its sentence."""
    return _name(entity.sentence_length, SENTENCE_BOUNDARIES, "word")


def order_of(kind: str) -> list[str]:
    """The names of the groups of one kind, in the order of the report."""
    if kind == SEEN:
        return [SAME, OTHER, UNSEEN]
    is_length = kind == LENGTH
    boundaries = ENTITY_BOUNDARIES if is_length else SENTENCE_BOUNDARIES
    lengths = (*boundaries, boundaries[-1] + 1)
    return [_name(n, boundaries, "token" if is_length else "word") for n in lengths]


def _name(value: int, boundaries: tuple[int, ...], unit: str) -> str:
    low = 1
    for high in boundaries:
        if value <= high:
            number = str(high) if low == high else f"{low}-{high}"
            return f"{number} {unit}{'' if number == '1' else 's'}"
        low = high + 1
    return f"{low} or more {unit}s"
