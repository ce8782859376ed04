"""The most instructive errors, selected while documents stream by.

An error weighs more the more the model should have known better. A wrong prediction
weighs its probability. A missed entity weighs 1 if the training data has its form with
its label, else 0.5. Nearby errors are one example: the heaviest counts in full, each
other adds a tenth of its weight. Kinds of errors and labels get equal shares of the
examples, see `TopExamples`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from .entities import Entity, ScoredDoc
from .groups import SAME, SeenForms
from .matching import CORRECT, WRONG_LABEL, Match, match
from .snippets import cut_snippet, group_nearby
from .top_examples import MOST, TopExamples

# The weight of a prediction without a probability, and of an unseen missed entity.
UNKNOWN = 0.5
FURTHER = 0.1


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

    def _is_seen(self, entity: Entity | None) -> bool:
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


def _name(entity: Entity | None) -> str:
    return "" if entity is None else f"‘{entity.text}’ ({entity.label})"
