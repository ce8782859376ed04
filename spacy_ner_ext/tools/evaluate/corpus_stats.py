"""Numbers of documents, tokens and entities of a corpus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from ...pipes.gold import describe_counts
from .entities import ScoredDoc
from .span_keys import SpanKeys

LEFT_OUT = ("missing", "unjudged", "unaligned", "misaligned")


class CorpusStats:
    """Counts documents, tokens and entities, and everything that is left out."""

    def __init__(self, keys: SpanKeys) -> None:
        self._keys = keys
        self._counts: Counter[str] = Counter()
        self._unknown: Counter[str] = Counter()

    def add(self, doc: ScoredDoc) -> None:
        """Count a document."""
        entities = doc.entities
        self._counts.update(
            documents=1,
            tokens=entities.n_tokens,
            gold=len(entities.gold),
            predicted=len(entities.predicted),
            **{name: getattr(entities, name) for name in LEFT_OUT},
        )
        known = self._keys.component.labels if self._keys.component else ()
        if known:
            labels = (entity.label for entity in entities.gold)
            self._unknown.update(label for label in labels if label not in known)

    def result(self) -> dict[str, Any]:
        """The counts; "unknown_labels" counts gold entities whose labels the component
        does not have."""
        names = ("documents", "tokens", "gold", "predicted", *LEFT_OUT)
        counts: dict[str, Any] = {name: self._counts[name] for name in names}
        return {**counts, "unknown_labels": dict(sorted(self._unknown.items()))}

    def notes(self) -> Iterator[str]:
        """Write a sentence on everything that is left out."""
        n = self._counts
        if not n["predicted"] + n["unjudged"] + n["unaligned"]:
            yield (
                f"The pipeline predicts nothing in {', '.join(self._keys.annotate)}: "
                "if it writes entities elsewhere, name the span group with --annotate."
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
