"""All that is found out of entities."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spacy.language import Language

from .confusion import Errors
from .corpus import read_forms
from .corpus_stats import CorpusTotals
from .entity_records import ScoredDoc
from .examples import ErrorExamples
from .metrics import Metrics
from .probabilities import Probabilities
from .settings import EvaluationSettings
from .shared_task import SharedTaskScores
from .span_keys import Places


class Entities:
    """Collects what gold and predicted entities tell.

    places: Where they are.
    settings: How they are evaluated.
    RAISES (UserError): If the training corpus cannot be used.
    """

    def __init__(self, places: Places, settings: EvaluationSettings) -> None:
        self.places, self.settings = places, settings
        train = settings.train
        seen = None if train is None else read_forms(Path(train), places.target)
        self.totals = CorpusTotals(places)
        self.metrics = Metrics(seen, **settings.resampling)
        self.shared_task = SharedTaskScores()
        self.errors = Errors()
        self.probabilities = Probabilities()
        self.examples = ErrorExamples(seen)

    def add(self, judged: ScoredDoc) -> None:
        """Take what is needed of a document."""
        self.totals.add(judged)
        self.metrics.add(judged)
        self.shared_task.add(judged)
        self.errors.add(judged)
        self.probabilities.add(judged)
        self.examples.add(judged)

    def result(self) -> dict[str, Any]:
        """ "entities" of the result."""
        return {
            **self.metrics.result(),
            **self.shared_task.result(),
            **self.errors.result(),
            **self.probabilities.result(),
            "examples": self.examples.result(),
        }

    def notes(self, nlp: Language) -> Iterator[str]:
        """Tell what is left out."""
        places = self.places
        yield from self.totals.notes()
        if places.others:
            verb = "finds" if len(places.others) == 1 else "find"
            yield (
                f"The entities are those of {places.component}; "
                f"{', '.join(places.others)} of the pipeline {verb} entities as well: "
                "choose with --component."
            )
        if self.probabilities.without:
            yield (
                f"{self.probabilities.without} predictions have no probability, and "
                "are left out of thresholds and calibration."
            )
        yield from self.shared_task.notes()
        if places.leaves_out:
            yield (
                f"{places.component} leaves out predictions below its threshold: "
                "curves over the threshold start there."
            )
        if self.settings.train is None:
            train = nlp.config.get("paths", {}).get("train")
            where = f" such as {train}" if train else ""
            yield (
                "Scores of seen and unseen entities need the corpus of the training: "
                f"give --train FILE{where}."
            )
