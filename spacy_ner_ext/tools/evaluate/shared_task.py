"""The four schemes of SemEval 2013 task 9 (Segura-Bedmar et al.), by nervaluate."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from .entities import ScoredDoc, ScoredEntity

SCHEMES = ("strict", "exact", "partial", "ent_type")
COUNTS = ("correct", "incorrect", "partial", "missed", "spurious")
# A partial match counts one half; nervaluate has none in the other schemes.
HALF = 0.5


class SharedTaskScores:
    """Collects nervaluate's counts of each document, if nervaluate is installed and no
    entities overlap: it matches each entity with the first that it overlaps."""

    def __init__(self) -> None:
        try:
            # The module exists since version 1.
            from nervaluate.evaluator import Evaluator
        except ImportError:
            Evaluator = None
        self._evaluator: Any = Evaluator
        self._n_overlapping = 0
        self._all: dict[str, Counter[str]] = defaultdict(Counter)
        self._labels: dict[str, dict[str, Counter[str]]] = defaultdict(
            lambda: defaultdict(Counter)
        )

    def add(self, doc: ScoredDoc) -> None:
        """Count a document."""
        gold, predicted = doc.entities.gold, doc.entities.predicted
        labels = sorted({entity.label for entity in (*gold, *predicted)})
        if not labels or self._evaluator is None:
            return
        if _overlap(gold) or _overlap(predicted):
            self._n_overlapping += 1
            return
        # One document at a time needs only its own labels, and no memory.
        sides = [_to_json(gold)], [_to_json(predicted)]
        found = self._evaluator(*sides, tags=labels, loader="dict").evaluate()
        _add(self._all, found["overall"])
        for label, counts in found["entities"].items():
            _add(self._labels[label], counts)

    def result(self) -> dict[str, Any]:
        """The part "nervaluate" of the result, None if it is left out."""
        if self._evaluator is None or self._n_overlapping:
            return {"nervaluate": None}
        labels = {label: _scores(self._labels[label]) for label in sorted(self._labels)}
        return {"nervaluate": {**_scores(self._all), "labels": labels}}

    def notes(self) -> Iterator[str]:
        """Say why nervaluate is left out."""
        if self._evaluator is None:
            yield (
                "The schemes of nervaluate are left out, as it is not installed: with "
                'Python 3.11 or newer, pip install "spacy-ner-ext[report]".'
            )
        elif self._n_overlapping:
            yield (
                "The schemes of nervaluate are left out, as entities overlap in "
                f"{self._n_overlapping} documents, which nervaluate counts wrongly."
            )


def _overlap(entities: Sequence[ScoredEntity]) -> bool:
    spans = sorted((entity.start, entity.end) for entity in entities)
    return any(end > start for (_, end), (start, _) in pairwise(spans))


def _to_json(entities: Sequence[ScoredEntity]) -> list[dict[str, Any]]:
    # nervaluate's ends are inclusive.
    return [
        {"label": entity.label, "start": entity.start, "end": entity.end - 1}
        for entity in entities
    ]


def _add(total: dict[str, Counter[str]], found: dict[str, Any]) -> None:
    for scheme in SCHEMES:
        for name in COUNTS:
            total[scheme][name] += getattr(found[scheme], name)


def _scores(counts: dict[str, Counter[str]]) -> dict[str, Any]:
    return {scheme: _scheme(counts[scheme]) for scheme in SCHEMES}


def _scheme(counts: Counter[str]) -> dict[str, Any]:
    matched = counts["correct"] + counts["incorrect"] + counts["partial"]
    actual, possible = matched + counts["spurious"], matched + counts["missed"]
    value = counts["correct"] + HALF * counts["partial"]
    precision = value / actual if actual else 0.0
    recall = value / possible if possible else 0.0
    both = precision + recall
    return {
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / both if both else 0.0,
        **{name: counts[name] for name in COUNTS},
        "possible": possible,
        "actual": actual,
    }
