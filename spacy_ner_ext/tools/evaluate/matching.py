"""Match predictions to gold entities, and classify the errors.

Each gold entity and each prediction is in exactly one match. Pairs are formed in this
order, and in each step by descending Dice coefficient: same tokens and label; same
tokens; a common token and the same label; a common token. The remaining gold entities
are missed, the remaining predictions spurious.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...scorers.counts import Neighbours
from .entities import ScoredEntity

CORRECT = "correct"
WRONG_LABEL = "wrong_label"
WRONG_BOUNDARY = "wrong_boundary"
WRONG_BOTH = "wrong_label_and_boundary"
MISSED = "missed"
SPURIOUS = "spurious"
# Kinds of pairs, in the order in which they are formed.
PAIRS = (CORRECT, WRONG_LABEL, WRONG_BOUNDARY, WRONG_BOTH)
KINDS = (CORRECT, MISSED, SPURIOUS, WRONG_LABEL, WRONG_BOUNDARY, WRONG_BOTH)


@dataclass(frozen=True)
class Match:
    """A gold entity (None for a spurious prediction) with its prediction (None if it is
    missed); `kind` is one of KINDS."""

    kind: str
    gold: ScoredEntity | None
    predicted: ScoredEntity | None


def match(
    gold: Sequence[ScoredEntity], predicted: Sequence[ScoredEntity]
) -> list[Match]:
    """Match the distinct gold entities and the predictions of a document.

    RETURNS: The pairs by kind, then the missed and the spurious entities.
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
    gold: Sequence[ScoredEntity], predicted: Sequence[ScoredEntity]
) -> Iterator[tuple[int, float, int, int]]:
    """Pairs with a common token: place of the kind in PAIRS, negative Dice coefficient,
    numbers of both entities."""
    near = Neighbours(entity.key for entity in gold)
    place = {entity.key: i for i, entity in enumerate(gold)}
    for j, entity in enumerate(predicted):
        for dice, other in near.of(entity.key):
            same_span = other[:2] == entity.key[:2]
            kind = 2 * (not same_span) + (other[2] != entity.label)
            yield kind, -dice, place[other], j
