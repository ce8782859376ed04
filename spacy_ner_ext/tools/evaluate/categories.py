"""Metrics of text categories: scores, confusion, thresholds, calibration, examples."""

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
from .entities import DocEntities, Entity, ScoredDoc
from .entity_metrics import NONE
from .metrics import Metrics
from .top_examples import MOST, TopExamples

# A gold category is assigned from this value.
ASSIGNED = 0.5
# The most characters of an example.
LENGTH = 500


@dataclass(frozen=True)
class Categorizer:
    """A text categorizer of a pipeline.

    component: Its name.
    exclusive: Whether a text has exactly one category.
    threshold: The lowest score of an assigned category, if a text may have several.
    """

    component: str
    labels: tuple[str, ...]
    exclusive: bool
    threshold: float

    def gold(self, cats: Mapping[str, float]) -> list[str]:
        """The gold categories of a text, with those that the component does not
        know."""
        if self.exclusive:
            return [max(cats, key=cats.__getitem__)] if any(cats.values()) else []
        return [label for label, value in cats.items() if value >= ASSIGNED]

    def predicted(self, cats: Mapping[str, float]) -> list[str]:
        """The categories that the component assigns to a text."""
        known = [label for label in self.labels if label in cats]
        if self.exclusive:
            return [max(known, key=cats.__getitem__)] if known else []
        return [label for label in known if cats[label] >= self.threshold]


def find_categorizer(nlp: Language) -> Categorizer | None:
    """Find the last text categorizer of a pipeline."""
    for name in reversed(nlp.pipe_names):
        pipe = nlp.get_pipe(name)
        if isinstance(pipe, TextCategorizer):
            exclusive = not isinstance(pipe, MultiLabel_TextCategorizer)
            threshold = float(pipe.cfg["threshold"])
            return Categorizer(name, tuple(pipe.labels), exclusive, threshold)
    return None


class CategoryMetrics:
    """Collects gold and predicted categories of documents."""

    def __init__(
        self,
        categorizer: Categorizer,
        *,
        resamples: int = 1000,
        confidence: float = 0.95,
        seed: int = 0,
        most: int = MOST,
    ) -> None:
        self.categorizer = categorizer
        # A category counts like an entity that spans the whole text.
        self._metrics = Metrics(
            resamples=resamples, confidence=confidence, seed=seed, counters=(EXACT,)
        )
        self._examples = TopExamples(most)
        self._pairs: Counter[tuple[str, str]] = Counter()
        self._labels: list[str] = []
        self._scores, self._right = array("d"), array("b")
        self._support: Counter[str] = Counter()
        self.documents = self.correct = 0

    def add(self, doc: ScoredDoc) -> None:
        """Count a document, unless it has no gold categories."""
        cats = doc.example.reference.cats
        if not cats:
            return
        scores = doc.example.predicted.cats
        gold, predicted = (
            self.categorizer.gold(cats),
            self.categorizer.predicted(scores),
        )
        self.documents += 1
        self.correct += set(gold) == set(predicted)
        self._support.update(gold)
        self._metrics.add(_as_entities(doc, gold, predicted))
        self._add_scores(scores, gold, predicted)
        if self.categorizer.exclusive:
            self._pairs[(gold or [NONE])[0], (predicted or [NONE])[0]] += 1
        if set(gold) != set(predicted):
            self._add_example(doc, gold, predicted)

    def _add_scores(
        self, scores: Mapping[str, float], gold: Sequence[str], predicted: Sequence[str]
    ) -> None:
        exclusive, labels = self.categorizer.exclusive, self.categorizer.labels
        for label in predicted if exclusive else labels:
            if label in scores:
                self._labels.append(label)
                self._scores.append(scores[label])
                self._right.append(label in gold)

    def _add_example(
        self, doc: ScoredDoc, gold: Sequence[str], predicted: Sequence[str]
    ) -> None:
        """Weigh a text by the scores of wrong categories, and by what the scores of
        missed ones lack."""
        scores = doc.example.predicted.cats
        weight = sum(scores[label] for label in predicted if label not in gold)
        missed = [label for label in gold if label not in predicted]
        weight += sum(1 - scores.get(label, 0) for label in missed)
        index, text = doc.entities.index, doc.example.reference.text
        self._examples.add(
            (),
            weight,
            (index, 0),
            lambda: {
                "document": index,
                "text": text[:LENGTH],
                "cut": len(text) > LENGTH,
                "gold": list(gold),
                "predicted": [
                    {"label": label, "score": scores[label]} for label in predicted
                ],
                "weight": round(weight, 4),
            },
        )

    def result(self) -> dict[str, Any] | None:
        """The part "categories" of the result, None without gold categories."""
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
    def unknown(self) -> list[str]:
        """Gold categories that the component cannot predict."""
        return sorted(self._support.keys() - set(self.categorizer.labels))

    def _confusion(self) -> dict[str, Any]:
        names = {name for pair in self._pairs for name in pair}
        labels = sorted((names | set(self.categorizer.labels)) - {NONE})
        labels += [NONE] if NONE in names else []
        rows = [[self._pairs[gold, found] for found in labels] for gold in labels]
        return {"labels": labels, "rows": rows}


def _as_entities(
    doc: ScoredDoc, gold: Sequence[str], predicted: Sequence[str]
) -> ScoredDoc:
    return replace(
        doc,
        entities=DocEntities(
            index=doc.entities.index,
            n_tokens=1,
            gold=tuple(Entity(0, 1, label, "") for label in gold),
            predicted=tuple(Entity(0, 1, label, "") for label in predicted),
        ),
    )
