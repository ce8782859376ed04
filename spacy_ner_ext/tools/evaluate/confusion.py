"""What is wrong, and which labels are taken for which."""

from __future__ import annotations

from collections import Counter
from typing import Any

from .entity_records import ScoredDoc
from .matching import KINDS, match

NONE = "(none)"


class Errors:
    """Collects the kinds of errors, see `matching`, and the confusion of labels."""

    def __init__(self) -> None:
        self._kinds: Counter[tuple[str, str]] = Counter()
        self._pairs: Counter[tuple[str | None, str | None]] = Counter()

    def add(self, judged: ScoredDoc) -> None:
        """Count what is right and wrong in a document."""
        for each in match(judged.record.gold, judged.record.predicted):
            gold = each.gold.label if each.gold else None
            predicted = each.predicted.label if each.predicted else None
            self._kinds[each.kind, gold or predicted or ""] += 1
            self._pairs[gold, predicted] += 1

    def result(self) -> dict[str, Any]:
        """ "errors", where a label's are those of its gold
        entities and its spurious predictions, and "confusion".
        """
        labels = sorted({label for pair in self._pairs for label in pair if label})
        errors: dict[str, Any] = dict.fromkeys(KINDS, 0)
        for (kind, _), n in self._kinds.items():
            errors[kind] += n
        errors["labels"] = {
            label: {kind: self._kinds[kind, label] for kind in KINDS}
            for label in labels
        }
        sides = [*labels, None]
        rows = [[self._pairs[gold, found] for found in sides] for gold in sides]
        confusion = {"labels": [*labels, NONE], "rows": rows}
        return {"errors": errors, "confusion": confusion}
