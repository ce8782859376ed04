"""The part "entities" of the result: all metrics, errors and examples of entities."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from spacy.language import Language

from .corpus import CorpusStats, read_forms
from .entities import ScoredDoc
from .examples import ErrorExamples
from .matching import KINDS, match
from .metrics import Metrics
from .probabilities import Probabilities
from .shared_task import SharedTaskScores
from .span_keys import SpanKeys

# The label of a missing counterpart in confusion matrices.
NONE = "(none)"


class EntityMetrics:
    """Collects gold and predicted entities of documents.

    RAISES (UserError): If the training corpus cannot be used.
    """

    def __init__(
        self, keys: SpanKeys, train: str | Path | None, **resampling: Any
    ) -> None:
        self.keys, self.train = keys, train
        seen = None if train is None else read_forms(Path(train), keys.target)
        self.corpus_stats = CorpusStats(keys)
        self._probabilities = Probabilities()
        self._shared_task = SharedTaskScores()
        self._metrics, self._confusion = Metrics(seen, **resampling), Confusion()
        self._examples = ErrorExamples(seen)

    def add(self, doc: ScoredDoc) -> None:
        """Count a document."""
        for collector in (
            *(self.corpus_stats, self._metrics, self._shared_task),
            *(self._confusion, self._examples),
        ):
            collector.add(doc)
        self._add_probabilities(doc)

    def _add_probabilities(self, doc: ScoredDoc) -> None:
        left = {entity.key for entity in doc.entities.gold}
        self._probabilities.gold.update(label for *_, label in left)
        for entity in doc.entities.predicted:
            is_correct = entity.key in left
            self._probabilities.add(entity.label, entity.score, is_correct)
            left.discard(entity.key)

    def result(self) -> dict[str, Any]:
        """The part "entities" of the result."""
        return {
            **self._metrics.result(),
            **self._shared_task.result(),
            **self._confusion.result(),
            **self._probabilities.result(),
            "examples": self._examples.result(),
        }

    def notes(self, nlp: Language) -> Iterator[str]:
        """Write a sentence on everything that is left out."""
        component, others = self.keys.component, self.keys.others
        yield from self.corpus_stats.notes()
        if component and others:
            verb = "finds" if len(others) == 1 else "find"
            yield (
                f"The entities are those of {component.name}; {', '.join(others)} of "
                f"the pipeline {verb} entities as well: choose with --component."
            )
        if self._probabilities.without:
            yield (
                f"{self._probabilities.without} predictions have no probability, and "
                "are left out of thresholds and calibration."
            )
        yield from self._shared_task.notes()
        if component and component.has_threshold:
            yield (
                f"{component.name} leaves out predictions below its threshold: "
                "curves over the threshold start there."
            )
        if self.train is None:
            train = nlp.config.get("paths", {}).get("train")
            where = f" such as {train}" if train else ""
            yield (
                "Separate scores of seen and unseen entities need the training corpus: "
                f"give --train FILE{where}."
            )


class Confusion:
    """Counts the kinds of errors, and which labels are predicted for which."""

    def __init__(self) -> None:
        self._kinds: Counter[tuple[str, str]] = Counter()
        self._pairs: Counter[tuple[str, str]] = Counter()

    def add(self, doc: ScoredDoc) -> None:
        """Count the matches and errors of a document."""
        for each in match(doc.entities.gold, doc.entities.predicted):
            gold = each.gold.label if each.gold else NONE
            predicted = each.predicted.label if each.predicted else NONE
            self._kinds[each.kind, predicted if gold == NONE else gold] += 1
            self._pairs[gold, predicted] += 1

    def result(self) -> dict[str, Any]:
        """The parts "errors", where spurious predictions count for their own label, and
        "confusion"."""
        labels = sorted({label for pair in self._pairs for label in pair} - {NONE})
        errors: dict[str, Any] = dict.fromkeys(KINDS, 0)
        for (kind, _), n in self._kinds.items():
            errors[kind] += n
        errors["labels"] = {
            label: {kind: self._kinds[kind, label] for kind in KINDS}
            for label in labels
        }
        return {
            "errors": errors,
            "confusion": to_matrix(self._pairs, [*labels, NONE]),
        }


def to_matrix(
    pairs: Mapping[tuple[str, str], int], labels: Sequence[str]
) -> dict[str, Any]:
    """Arrange counts of gold and predicted labels in rows of gold labels."""
    rows = [[pairs.get((gold, label), 0) for label in labels] for gold in labels]
    return {"labels": list(labels), "rows": rows}
