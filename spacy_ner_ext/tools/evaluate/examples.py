"""The most instructive errors, selected while documents stream by.

An error weighs more the more the model should have known better. A wrong prediction
weighs its probability. A missed entity weighs 1 if the training data has its form with
its label, else 0.5. Nearby errors are one example: the heaviest counts in full, each
other adds a tenth of its weight. Kinds of errors and labels get equal shares of the
examples, see `TopExamples`.
"""

from bisect import insort
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from ..snippets import cut_snippet, group_nearby
from .entities import ScoredDoc, ScoredEntity
from .groups import SAME, SeenForms
from .matching import CORRECT, WRONG_LABEL, Match, match

MOST = 100
# The weight of a prediction without a probability, and of an unseen missed entity.
UNKNOWN = 0.5
FURTHER = 0.1
Place = tuple[int, int]


class TopExamples:
    """Keeps the examples of a stream with the highest weights, evenly from groups.

    Examples are ranked by weight within their group: the best of each group come first,
    then the second of each, and so on. Which ones are kept does not depend on the order
    of the stream.
    """

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self._groups: dict[tuple[str, ...], list[tuple[float, Place]]] = {}
        self._made: dict[Place, dict[str, Any]] = {}

    def add(
        self,
        group: tuple[str, ...],
        weight: float,
        place: Place,
        make: Callable[[], dict[str, Any]],
    ) -> None:
        """Keep an example if it is among the best so far.

        place: The unique place of the example, which decides between equal weights.
        make: Makes the example, called only if it is kept.
        """
        insort(self._groups.setdefault(group, []), (-weight, place))
        if len(self._made) < self.most or self._drop_worst() != place:
            self._made[place] = make()

    def _drop_worst(self) -> Place:
        # The highest rank of all is the last of its group.
        ends = [(len(kept), kept[-1], group) for group, kept in self._groups.items()]
        _, (_, place), group = max(ends)
        self._groups[group].pop()
        if not self._groups[group]:
            del self._groups[group]
        self._made.pop(place, None)
        return place

    def result(self) -> list[dict[str, Any]]:
        """The examples by rank, then by weight."""
        ranked = sorted(
            (rank, entry)
            for kept in self._groups.values()
            for rank, entry in enumerate(kept)
        )
        return [self._made[place] for _, (_, place) in ranked]


class ErrorExamples:
    """Keeps the most instructive errors of entities.

    seen: The entities of the training corpus.
    """

    def __init__(self, seen: SeenForms | None = None, most: int = MOST) -> None:
        self.seen = seen
        self._examples = TopExamples(most)

    def add(self, doc: ScoredDoc) -> None:
        """Add the errors of a document."""
        placed = [
            (*_tokens(error), error)
            for error in match(doc.entities.gold, doc.entities.predicted)
            if error.kind != CORRECT
        ]
        for start, end, errors in group_nearby(placed):
            self._add_snippet(doc, start, end, errors)

    def _add_snippet(
        self, doc: ScoredDoc, start: int, end: int, errors: Sequence[Match]
    ) -> None:
        entities = doc.entities
        weights = [self._weigh(error) for error in errors]
        heaviest = weights.index(max(weights))
        weight = weights.pop(heaviest) + FURTHER * sum(weights)
        error = errors[heaviest]
        self._examples.add(
            (error.kind, _label(error)),
            weight,
            (entities.index, start),
            lambda: {
                "document": entities.index,
                **cut_snippet(
                    *(doc.example.reference, start, end),
                    gold=entities.gold,
                    predicted=entities.predicted,
                ),
                "kinds": dict(Counter(each.kind for each in errors)),
                "weight": round(weight, 4),
                "reason": self._reason(error),
            },
        )

    def _weigh(self, error: Match) -> float:
        if error.predicted is not None:
            score = error.predicted.score
            return UNKNOWN if score is None else score
        return 1.0 if self._is_seen(error.gold) else UNKNOWN

    def _is_seen(self, entity: ScoredEntity | None) -> bool:
        if self.seen is None or entity is None:
            return False
        return self.seen.group(entity) == SAME

    def _reason(self, error: Match) -> str:
        gold, predicted = error.gold, error.predicted
        if predicted is None:
            seen = ", as in training data," if self._is_seen(gold) else ""
            return f"{_name(gold)}{seen} was missed."
        score = "" if predicted.score is None else f" with {predicted.score:.2f}"
        if gold is None:
            return f"{_name(predicted)} was predicted{score}, for no gold entity."
        if error.kind == WRONG_LABEL:
            return f"{_name(gold)} was predicted as {predicted.label}{score}."
        return f"{_name(gold)} was predicted as {_name(predicted)}{score}."

    def result(self) -> list[dict[str, Any]]:
        """The examples, the most instructive first."""
        return self._examples.result()


def _tokens(error: Match) -> tuple[int, int]:
    entities = [each for each in (error.gold, error.predicted) if each is not None]
    return min(e.start for e in entities), max(e.end for e in entities)


def _label(error: Match) -> str:
    entity = error.gold or error.predicted
    return "" if entity is None else entity.label


def _name(entity: ScoredEntity | None) -> str:
    return "" if entity is None else f"‘{entity.text}’ ({entity.label})"
