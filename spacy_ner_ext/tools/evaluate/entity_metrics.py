"""The part "entities" of the result: all metrics, errors and examples of entities."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
from spacy.language import Language

from ...scorers.reliability import reliability
from ...scorers.thresholds import threshold_curves
from .corpus import read_forms
from .corpus_stats import CorpusStats
from .entities import ScoredDoc
from .examples import ErrorExamples
from .matching import KINDS, match
from .metrics import Metrics
from .settings import EvaluationSettings
from .shared_task import SharedTaskScores
from .span_keys import SpanKeys

# The label of a missing counterpart in confusion matrices.
NONE = "(none)"


class EntityMetrics:
    """Collects gold and predicted entities of documents.

    RAISES (UserError): If the training corpus cannot be used.
    """

    def __init__(self, keys: SpanKeys, settings: EvaluationSettings) -> None:
        self.keys, self.settings = keys, settings
        train = settings.train
        seen = None if train is None else read_forms(Path(train), keys.target)
        self.corpus_stats = CorpusStats(keys)
        self._probabilities = Probabilities()
        self._shared_task = SharedTaskScores()
        # In the order of their parts in the result.
        self._collectors = (
            Metrics(seen, **settings.resampling),
            self._shared_task,
            Confusion(),
            self._probabilities,
        )
        self._examples = ErrorExamples(seen)

    def add(self, doc: ScoredDoc) -> None:
        """Count a document."""
        self.corpus_stats.add(doc)
        for collector in self._collectors:
            collector.add(doc)
        self._examples.add(doc)

    def result(self) -> dict[str, Any]:
        """The part "entities" of the result."""
        parts = [collector.result() for collector in self._collectors]
        merged = {key: value for part in parts for key, value in part.items()}
        return {**merged, "examples": self._examples.result()}

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
        if self.settings.train is None:
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
        self._pairs: Counter[tuple[str | None, str | None]] = Counter()

    def add(self, doc: ScoredDoc) -> None:
        """Count the matches and errors of a document."""
        for each in match(doc.entities.gold, doc.entities.predicted):
            gold = each.gold.label if each.gold else None
            predicted = each.predicted.label if each.predicted else None
            self._kinds[each.kind, gold or predicted or ""] += 1
            self._pairs[gold, predicted] += 1

    def result(self) -> dict[str, Any]:
        """The parts "errors", where spurious predictions count for their own label, and
        "confusion"."""
        labels = sorted({label for pair in self._pairs for label in pair if label})
        errors: dict[str, Any] = dict.fromkeys(KINDS, 0)
        for (kind, _), n in self._kinds.items():
            errors[kind] += n
        errors["labels"] = {
            label: {kind: self._kinds[kind, label] for kind in KINDS}
            for label in labels
        }
        sides = [*labels, None]
        rows = [[self._pairs[gold, predicted] for predicted in sides] for gold in sides]
        confusion = {"labels": [*labels, NONE], "rows": rows}
        return {"errors": errors, "confusion": confusion}


class Probabilities:
    """Collects the probability of each prediction, and whether it is correct.

    Predictions without a probability, such as those of an entity ruler, are only
    counted, in `without`.
    """

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self._scores, self._labels = array("d"), array("q")
        self._correct = array("b")
        self._gold: Counter[str] = Counter()
        self.without = 0

    def add(self, doc: ScoredDoc) -> None:
        """Add the predictions of a document."""
        left = {entity.key for entity in doc.entities.gold}
        self._gold.update(label for *_, label in left)
        for entity in doc.entities.predicted:
            self.without += entity.score is None
            if entity.score is not None:
                self._scores.append(entity.score)
                self._labels.append(self._ids.setdefault(entity.label, len(self._ids)))
                self._correct.append(entity.key in left)
            left.discard(entity.key)

    def result(self) -> dict[str, Any]:
        """The parts "thresholds" and "calibration", None without probabilities."""
        scores, correct = numpy.array(self._scores), numpy.array(self._correct, "bool")
        names = numpy.array(list(self._ids), dtype=object)
        labels = names[numpy.array(self._labels, "int64")]
        return {
            "thresholds": threshold_curves(scores, correct, labels, self._gold),
            "calibration": reliability(scores, correct, labels),
        }
