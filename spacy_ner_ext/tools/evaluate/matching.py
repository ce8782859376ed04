"""Which prediction belongs to which gold entity, and what is wrong with it.

Each gold entity and each prediction is in one match. Pairs are made in this order, in
each step those with the highest Dice coefficient first: the same tokens and label; the
same tokens; a common token and the same label; a common token. What is left of gold is
missed, and what is left of the predictions is spurious.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...scorers.counts import Neighbours
from .entity_records import Entity

CORRECT = "correct"
WRONG_LABEL = "wrong_label"
WRONG_BOUNDARY = "wrong_boundary"
WRONG_BOTH = "wrong_label_and_boundary"
MISSED = "missed"
SPURIOUS = "spurious"
# Kinds of pairs, in the order in which they are made.
PAIRS = (CORRECT, WRONG_LABEL, WRONG_BOUNDARY, WRONG_BOTH)
KINDS = (CORRECT, MISSED, SPURIOUS, WRONG_LABEL, WRONG_BOUNDARY, WRONG_BOTH)


@dataclass(frozen=True)
class Match:
    """A gold entity and its prediction, or one of them alone.

    kind: One of KINDS.
    gold: The gold entity; None if the prediction is spurious.
    predicted: The prediction; None if the gold entity is missed.
    """

    kind: str
    gold: Entity | None
    predicted: Entity | None


def match(gold: Sequence[Entity], predicted: Sequence[Entity]) -> list[Match]:
    """Match the entities of a document.

    gold: The gold entities, each of which is different.
    RETURNS: The matches: pairs by their kind, then what is missed, then what is
        spurious.
    """
    matches = []
    free_gold, free_predicted = dict(enumerate(gold)), dict(enumerate(predicted))
    for kind, _, i, j in sorted(_candidates(gold, predicted)):
        if i in free_gold and j in free_predicted:
            pair = (free_gold.pop(i), free_predicted.pop(j))
            matches.append(Match(PAIRS[kind], *pair))
    matches += [Match(MISSED, entity, None) for entity in free_gold.values()]
    matches += [Match(SPURIOUS, None, entity) for entity in free_predicted.values()]
    return matches


def _candidates(
    gold: Sequence[Entity], predicted: Sequence[Entity]
) -> Iterator[tuple[int, float, int, int]]:
    """Pairs with a common token, as order of the kind, negative Dice coefficient, and
    places of both."""
    near = Neighbours(entity.key for entity in gold)
    place = {entity.key: i for i, entity in enumerate(gold)}
    for j, entity in enumerate(predicted):
        for dice, other in near.of(entity.key):
            same_span = other[:2] == entity.key[:2]
            kind = 2 * (not same_span) + (other[2] != entity.label)
            yield kind, -dice, place[other], j
