"""The best of a stream of examples."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable
from typing import Any

MOST = 100
Place = tuple[int, int]


class Shortlist:
    """Keeps the heaviest examples of a stream, taken evenly from groups.

    Examples are ranked by weight in their group: first come those that are the best of
    a group, then the second of each, and so on. What is kept does not depend on the
    order in which they come.

    most: How many are kept.
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

        place: Where it is, which no other has; of two of one weight the first is
            better.
        make: Makes it; called only if it is kept.
        """
        insort(self._groups.setdefault(group, []), (-weight, place))
        if len(self._made) < self.most or self._drop_worst() != place:
            self._made[place] = make()

    def _drop_worst(self) -> Place:
        """The worst has the highest rank of all, so it is the last of its group."""
        ends = [(len(kept), kept[-1], group) for group, kept in self._groups.items()]
        _, (_, place), group = max(ends)
        self._groups[group].pop()
        if not self._groups[group]:
            del self._groups[group]
        self._made.pop(place, None)
        return place

    def result(self) -> list[dict[str, Any]]:
        """The examples, first the best of groups."""
        ranked = sorted(
            (rank, entry)
            for kept in self._groups.values()
            for rank, entry in enumerate(kept)
        )
        return [self._made[place] for _, (_, place) in ranked]
