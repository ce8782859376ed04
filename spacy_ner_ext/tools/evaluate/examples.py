"""The most instructive errors, kept while documents pass.

How much an error tells is measured by what the model should have known. A wrong
prediction weighs as much as its probability: the surer, the worse. A missed entity
weighs 1 if training data has its form with its label, and 0.5 if it does not, or if
nothing is known of it. Of errors near to each other the heaviest counts in full, and
each of the others adds a tenth of its weight. So that they are not all alike, they are
taken evenly from the kinds of errors and labels, see `shortlist`.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from spacy.tokens import Doc

from .entity_records import Entity, EvaluatedEntity, ScoredDoc
from .groups import SAME, SeenForms
from .matching import CORRECT, WRONG_LABEL, Match, match
from .snippets import Passage, cut, passages
from .top_examples import MOST, Shortlist

# What a prediction without a probability weighs, and an entity that is hard to know.
UNKNOWN = 0.5
FURTHER = 0.1


class ErrorExamples:
    """Keeps the most instructive errors of entities.

    seen: The entities of the training corpus.
    most: How many examples are kept.
    """

    def __init__(self, seen: SeenForms | None = None, most: int = MOST) -> None:
        self.seen = seen
        self._shortlist = Shortlist(most)

    def add(self, judged: ScoredDoc) -> None:
        """Look for errors in a document."""
        record, doc = judged.record, judged.example.reference
        placed = [
            (*_tokens(error), error)
            for error in match(record.gold, record.predicted)
            if error.kind != CORRECT
        ]
        for passage in passages(placed):
            self._add_passage(passage, record, doc)

    def _add_passage(
        self, passage: Passage[Match], record: EvaluatedEntity, doc: Doc
    ) -> None:
        weights = [self.weigh(error) for error in passage.members]
        heaviest = weights.index(max(weights))
        weight = weights.pop(heaviest) + FURTHER * sum(weights)
        error = passage.members[heaviest]
        self._shortlist.add(
            (error.kind, _label(error)),
            weight,
            (record.index, passage.start),
            lambda: {
                "document": record.index,
                **cut(
                    *(doc, passage.start, passage.end),
                    gold=record.gold,
                    predicted=record.predicted,
                ),
                "kinds": dict(Counter(each.kind for each in passage.members)),
                "weight": round(weight, 4),
                "reason": self._reason(error),
            },
        )

    def weigh(self, error: Match) -> float:
        """Measure how much an error tells."""
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
        sure = "" if predicted.score is None else f" with {predicted.score:.2f}"
        if gold is None:
            return f"{_name(predicted)} was predicted{sure}, for no gold entity."
        if error.kind == WRONG_LABEL:
            return f"{_name(gold)} was predicted as {predicted.label}{sure}."
        return f"{_name(gold)} was predicted as {_name(predicted)}{sure}."

    def result(self) -> list[dict[str, Any]]:
        """ "examples" of the result, those that tell
        most first.
        """
        return self._shortlist.result()


def _tokens(error: Match) -> tuple[int, int]:
    entities = [each for each in (error.gold, error.predicted) if each is not None]
    return min(e.start for e in entities), max(e.end for e in entities)


def _label(error: Match) -> str:
    entity = error.gold or error.predicted
    return "" if entity is None else entity.label


def _name(entity: Entity | None) -> str:
    return "" if entity is None else f"‘{entity.text}’ ({entity.label})"
