"""What a corpus holds, and what of it is not judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from ...pipes.gold import describe_counts
from .entity_records import ScoredDoc
from .span_keys import Places

COUNTED = ("missing", "unjudged", "unaligned", "misaligned")


class CorpusTotals:
    """Counts documents, tokens and entities.

    places: Where entities are, with the labels of the component.
    """

    def __init__(self, places: Places) -> None:
        self._places = places
        self._totals: Counter[str] = Counter()
        self._unknown: Counter[str] = Counter()

    def add(self, judged: ScoredDoc) -> None:
        """Count a document."""
        record, known = judged.record, self._places.labels
        counts = {"documents": 1, "tokens": record.n_tokens}
        counts.update(gold=len(record.gold), predicted=len(record.predicted))
        counts.update((name, getattr(record, name)) for name in COUNTED)
        self._totals.update(counts)
        if known:
            labels = (entity.label for entity in record.gold)
            self._unknown.update(label for label in labels if label not in known)

    @property
    def documents(self) -> int:
        """The number of documents."""
        return self._totals["documents"]

    @property
    def is_annotated(self) -> bool:
        """Whether gold says something of any token."""
        return self._totals["missing"] < self._totals["tokens"]

    def result(self) -> dict[str, Any]:
        """The numbers; "unknown_labels" are those of gold
        entities that the component does not know, with how many there are.
        """
        names = ("documents", "tokens", "gold", "predicted", *COUNTED)
        counts: dict[str, Any] = {name: self._totals[name] for name in names}
        return {**counts, "unknown_labels": dict(sorted(self._unknown.items()))}

    def notes(self) -> Iterator[str]:
        """A sentence on each thing that is not judged."""
        n = self._totals
        if not n["predicted"] + n["unjudged"] + n["unaligned"]:
            yield (
                f"There is no prediction in {', '.join(self._places.annotate)}: if the "
                "pipeline writes entities elsewhere, name the span group with "
                "--annotate."
            )
        if n["missing"]:
            yield (
                f"{n['missing']} of {n['tokens']} tokens have no annotation; "
                f"{n['unjudged']} predictions over them are neither right nor wrong."
            )
        if n["unaligned"]:
            yield (
                f"{n['unaligned']} predictions are over white space that gold does not "
                "have, and are left out."
            )
        if n["misaligned"]:
            yield (
                f"{n['misaligned']} gold entities start or end inside a token of the "
                "pipeline, so that it may not find them exactly."
            )
        if self._unknown:
            yield (
                f"{self._unknown.total()} gold entities have labels that the pipeline "
                f"does not know, and count as missed or wrong: "
                f"{describe_counts(self._unknown)}; rename labels with 'convert', or "
                "train with them."
            )
