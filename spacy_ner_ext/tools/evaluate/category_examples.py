"""The texts whose categories are wrong that tell the most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .entity_records import ScoredDoc
from .top_examples import MOST, Shortlist

# Characters of a text that are shown.
LENGTH = 500


class CategoryExamples:
    """Keeps the texts that the component is surest about while it is wrong.

    The weight of a text is the sum of what its wrong categories score, and what its
    missed ones lack.

    most: How many texts are kept.
    """

    def __init__(self, most: int = MOST) -> None:
        self._shortlist = Shortlist(most)

    def add(
        self, judged: ScoredDoc, gold: Sequence[str], chosen: Sequence[str]
    ) -> None:
        """Keep a document if it is among those that tell the most.

        judged: A document whose categories are wrong.
        chosen: Those that it was given.
        """
        scores = judged.example.predicted.cats
        weight = sum(scores[label] for label in chosen if label not in gold)
        weight += sum(1 - scores.get(label, 0) for label in gold if label not in chosen)
        index, text = judged.record.index, judged.example.reference.text
        self._shortlist.add(
            (),
            weight,
            (index, 0),
            lambda: {
                "document": index,
                "text": text[:LENGTH],
                "cut": len(text) > LENGTH,
                "gold": list(gold),
                "predicted": [
                    {"label": each, "score": scores[each]} for each in chosen
                ],
                "weight": round(weight, 4),
            },
        )

    def result(self) -> list[dict[str, Any]]:
        """The texts, what tells the most first."""
        return self._shortlist.result()
