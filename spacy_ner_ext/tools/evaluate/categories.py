"""Metrics of text categories: scores, confusion, thresholds, calibration, examples."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from spacy.language import Language
from spacy.pipeline import TextCategorizer
from spacy.pipeline.textcat_multilabel import MultiLabel_TextCategorizer

from ...scorers.counts import EXACT
from .entities import DocEntities, ScoredDoc, ScoredEntity
from .entity_metrics import NONE, to_matrix
from .examples import MOST, TopExamples
from .metrics import Metrics
from .probabilities import Probabilities

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
        """The gold categories of a text, known to the component or unknown."""
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
        self._probabilities = Probabilities()
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
        self._probabilities.gold.update(gold)
        self._metrics.add(_as_entities(doc, gold, predicted))
        scored = predicted if self.categorizer.exclusive else self.categorizer.labels
        for label in scored:
            if label in scores:
                self._probabilities.add(label, scores[label], label in gold)
        if self.categorizer.exclusive:
            self._pairs[(gold or [NONE])[0], (predicted or [NONE])[0]] += 1
        if set(gold) != set(predicted):
            self._add_example(doc, gold, predicted)

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
        return {
            "component": self.categorizer.component,
            "exclusive": self.categorizer.exclusive,
            "documents": self.documents,
            "accuracy": self.correct / self.documents,
            **self._metrics.result()["metrics"][EXACT],
            "confusion": self._confusion() if self.categorizer.exclusive else None,
            **self._probabilities.result(),
            "examples": self._examples.result(),
        }

    @property
    def unknown(self) -> list[str]:
        """Gold categories that the component cannot predict."""
        return sorted(self._probabilities.gold.keys() - set(self.categorizer.labels))

    def _confusion(self) -> dict[str, Any]:
        names = {name for pair in self._pairs for name in pair}
        labels = sorted((names | set(self.categorizer.labels)) - {NONE})
        return to_matrix(self._pairs, [*labels, NONE] if NONE in names else labels)


def _as_entities(
    doc: ScoredDoc, gold: Sequence[str], predicted: Sequence[str]
) -> ScoredDoc:
    return replace(
        doc,
        entities=DocEntities(
            index=doc.entities.index,
            n_tokens=1,
            gold=tuple(ScoredEntity(0, 1, label, "") for label in gold),
            predicted=tuple(ScoredEntity(0, 1, label, "") for label in predicted),
        ),
    )
