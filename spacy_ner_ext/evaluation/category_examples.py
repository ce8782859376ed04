"""The texts whose categories are wrong that tell the most."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Any

from .records import Judged

LIMIT = 100
# Characters of a text that are shown.
LENGTH = 500


class CategoryExamples:
    """Keeps the texts that the component is surest about while it is wrong.

    The weight of a text is the sum of what its wrong categories score, and what its
    missed ones lack.

    limit (int): How many texts are kept.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit = limit
        self._kept: list[tuple[float, int, dict[str, Any]]] = []

    def add(self, judged: Judged, gold: Sequence[str], chosen: Sequence[str]) -> None:
        """Keep a document if it is among those that tell the most.

        judged (Judged): A document whose categories are wrong.
        gold (Sequence[str]): Those it has.
        chosen (Sequence[str]): Those that it was given.
        """
        scores = judged.example.predicted.cats
        weight = sum(scores[label] for label in chosen if label not in gold)
        weight += sum(1 - scores.get(label, 0) for label in gold if label not in chosen)
        text = judged.example.reference.text
        example = {
            "document": judged.record.index,
            "text": text[:LENGTH],
            "cut": len(text) > LENGTH,
            "gold": list(gold),
            "predicted": [{"label": each, "score": scores[each]} for each in chosen],
            "weight": weight,
        }
        # Of the same weight, the first of the corpus stays.
        item = (weight, -judged.record.index, example)
        if len(self._kept) < self.limit:
            heapq.heappush(self._kept, item)
        else:
            heapq.heappushpop(self._kept, item)

    def result(self) -> list[dict[str, Any]]:
        """RETURNS (List[Dict[str, Any]]): The texts, what tells the most first."""
        ordered = sorted(self._kept, key=lambda kept: kept[:2], reverse=True)
        return [example for *_, example in ordered]
