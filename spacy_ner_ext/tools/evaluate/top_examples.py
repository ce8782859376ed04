"""The best examples of a stream."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable
from typing import Any

MOST = 100
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
