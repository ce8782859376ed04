"""How a text categorizer does: scores, confusion, thresholds and calibration."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy
from spacy.language import Language
from spacy.pipeline import TextCategorizer
from spacy.pipeline.textcat_multilabel import MultiLabel_TextCategorizer

from ...scorers.counts import EXACT
from ...scorers.reliability import reliability
from ...scorers.thresholds import threshold_curves
from .category_examples import CategoryExamples
from .confusion import NONE
from .entity_records import Entity, EvaluatedEntity, ScoredDoc
from .metrics import Metrics

# The least value of a category that a text has.
ASSIGNED = 0.5


@dataclass(frozen=True)
class Categorizer:
    """A component that categorizes texts.

    component: Its name.
    labels: Its categories.
    exclusive: Whether a text has exactly one.
    threshold: The lowest score of a category that is assigned, if a text may have
        several.
    """

    component: str
    labels: tuple[str, ...]
    exclusive: bool
    threshold: float

    def gold(self, cats: Mapping[str, float]) -> list[str]:
        """The categories that a text has.

        cats: The gold of the text.
        RETURNS: Their names, with those that the component does not know.
        """
        if self.exclusive:
            return [max(cats, key=cats.__getitem__)] if any(cats.values()) else []
        return [label for label, value in cats.items() if value >= ASSIGNED]

    def chosen(self, cats: Mapping[str, float]) -> list[str]:
        """The categories that the component gives a text."""
        known = [label for label in self.labels if label in cats]
        if self.exclusive:
            return [max(known, key=cats.__getitem__)] if known else []
        return [label for label in known if cats[label] >= self.threshold]


def find_categorizer(nlp: Language) -> Categorizer | None:
    """Find the component that categorizes texts.

    RETURNS: The last one; None if there is none.
    """
    for name in reversed(nlp.pipe_names):
        pipe = nlp.get_pipe(name)
        if isinstance(pipe, TextCategorizer):
            exclusive = not isinstance(pipe, MultiLabel_TextCategorizer)
            threshold = float(pipe.cfg["threshold"])
            return Categorizer(name, tuple(pipe.labels), exclusive, threshold)
    return None


class Categories:
    """Collects what a text categorizer says of texts that have gold categories.

    categorizer: The component.
    resamples: How many resamples intervals are made of; 0 for no intervals.
    confidence: The share of resamples inside an interval.
    seed: The seed of the resamples.
    """

    def __init__(
        self,
        categorizer: Categorizer,
        *,
        resamples: int = 1000,
        confidence: float = 0.95,
        seed: int = 0,
    ) -> None:
        self.categorizer = categorizer
        # A category is a span over the whole text: what is counted is the same.
        self._metrics = Metrics(
            resamples=resamples, confidence=confidence, seed=seed, counters=(EXACT,)
        )
        self._examples = CategoryExamples()
        self._pairs: Counter[tuple[str, str]] = Counter()
        self._labels: list[str] = []
        self._scores, self._right = array("d"), array("b")
        self._support: Counter[str] = Counter()
        self.documents = self.correct = 0

    def add(self, judged: ScoredDoc) -> None:
        """Count a document, unless it has no gold categories."""
        cats = judged.example.reference.cats
        if not cats:
            return
        found = judged.example.predicted.cats
        gold, chosen = self.categorizer.gold(cats), self.categorizer.chosen(found)
        self.documents += 1
        self.correct += set(gold) == set(chosen)
        self._support.update(gold)
        self._metrics.add(_as_spans(judged, gold, chosen))
        self._add_scores(found, gold, chosen)
        if self.categorizer.exclusive:
            self._pairs[gold[0] if gold else NONE, chosen[0] if chosen else NONE] += 1
        if set(gold) != set(chosen):
            self._examples.add(judged, gold, chosen)

    def _add_scores(
        self, found: Mapping[str, float], gold: Sequence[str], chosen: Sequence[str]
    ) -> None:
        judged = chosen if self.categorizer.exclusive else self.categorizer.labels
        for label in judged:
            if label in found:
                self._labels.append(label)
                self._scores.append(found[label])
                self._right.append(label in gold)

    def result(self) -> dict[str, Any] | None:
        """ "categories" of the result; None if no
        text has gold categories.
        """
        if not self.documents:
            return None
        scores, right = numpy.asarray(self._scores), numpy.asarray(self._right, bool)
        return {
            "component": self.categorizer.component,
            "exclusive": self.categorizer.exclusive,
            "documents": self.documents,
            "accuracy": self.correct / self.documents,
            **self._metrics.result()["metrics"][EXACT],
            "confusion": self._confusion() if self.categorizer.exclusive else None,
            "thresholds": threshold_curves(scores, right, self._labels, self._support),
            "calibration": reliability(scores, right, self._labels),
            "examples": self._examples.result(),
        }

    @property
    def unknown(self) -> Counter[str]:
        """Gold categories that the component cannot give."""
        known = self.categorizer.labels
        return Counter({k: n for k, n in self._support.items() if k not in known})

    def _confusion(self) -> dict[str, Any]:
        names = {name for pair in self._pairs for name in pair}
        labels = sorted((names | set(self.categorizer.labels)) - {NONE})
        labels += [NONE] if NONE in names else []
        rows = [[self._pairs[gold, found] for found in labels] for gold in labels]
        return {"labels": labels, "rows": rows}


def _as_spans(
    judged: ScoredDoc, gold: Sequence[str], chosen: Sequence[str]
) -> ScoredDoc:
    """A document whose entities are its categories."""
    record = EvaluatedEntity(judged.record.index, 1, _spans(gold), _spans(chosen))
    return replace(judged, record=record)


def _spans(labels: Sequence[str]) -> tuple[Entity, ...]:
    return tuple(Entity(0, 1, label, "") for label in labels)
