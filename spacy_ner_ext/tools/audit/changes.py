"""Changes of gold annotation that a model finds more probable than gold itself.

Of an entity of gold, the alternatives are the likely entities that overlap it, and no
entity, with what remains of the probability. Of a likely entity that overlaps none of
gold, the alternative is gold: no entity.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ...pipes.overlap import LabelledSpan, select_disjoint

KINDS = ("missing", "spurious", "wrong label", "wrong boundary")


@dataclass(frozen=True)
class Change:
    """An entity to add, remove or replace in a document.

    gold: The entities that it removes.
    suggested: The entity that it adds; None to add none.
    gold_probability: The probability of gold: the lowest of the entities to remove, or
        of no entity.
    probability: That of the change.
    """

    kind: str
    gold: tuple[LabelledSpan, ...]
    suggested: LabelledSpan | None
    gold_probability: float
    probability: float


def find_changes(
    gold: Sequence[LabelledSpan], likely: Mapping[LabelledSpan, float]
) -> Iterator[Change]:
    """Find the most probable change of each entity, and the entities that gold lacks.

    likely: The probability of each likely entity, and of those of gold; an entity of
        gold without a probability is not judged.
    """
    others = [span for span in likely if span not in gold]
    replacing: dict[LabelledSpan, Change] = {}
    for span in gold:
        if span not in likely:
            continue
        near = [other for other in others if _overlap(span, other)]
        best = max(near, key=likely.__getitem__, default=None)
        remaining = max(1 - sum(likely[each] for each in [span, *near]), 0.0)
        if best is None or likely[best] < remaining:
            yield Change("spurious", (span,), None, likely[span], remaining)
        elif best not in replacing:
            replaced = tuple(each for each in gold if _overlap(each, best))
            lowest = min(likely.get(each, 1.0) for each in replaced)
            kind = "wrong label" if best[:2] == span[:2] else "wrong boundary"
            replacing[best] = Change(kind, replaced, best, lowest, likely[best])
    yield from replacing.values()
    free = [o for o in others if not any(_overlap(o, span) for span in gold)]
    order = sorted(range(len(free)), key=lambda i: -likely[free[i]])
    for i in select_disjoint([span[:2] for span in free], order):
        near = [each for each in free if _overlap(free[i], each)]
        nothing = max(1 - sum(likely[each] for each in near), 0.0)
        yield Change("missing", (), free[i], nothing, likely[free[i]])


def _overlap(first: LabelledSpan, second: LabelledSpan) -> bool:
    return first[0] < second[1] and second[0] < first[1]
