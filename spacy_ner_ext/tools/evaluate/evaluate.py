"""Evaluate a pipeline on a corpus."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spacy.language import Language

from ...util.errors import UserError
from ...util.extras import require
from ...util.files import write_json
from ..loading import load_pipeline
from .categories import Categories, Categorizer, find_categorizer
from .comparison import Comparison
from .corpus import find_annotation
from .entity_metrics import Entities
from .entity_records import ScoredDoc
from .predict import Stopwatch, judge
from .settings import EvaluationSettings
from .span_keys import Places, find_places

FORMAT = 1
NOWHERE = Places(None, (), ())
Pair = tuple[ScoredDoc, ScoredDoc | None]


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found out.

    data: Plain JSON values.
    """

    data: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return self.data

    def to_json(self, path: str | Path) -> None:
        """Write all of it to a file.

        RAISES (UserError): If the file cannot be written.
        """
        write_json(self.data, Path(path))

    def to_html(self, path: str | Path) -> None:
        """Write the report, one HTML page that works offline.

        RAISES (UserError): If the file cannot be written, or if matplotlib or Jinja is
            not installed (`pip install "spacy-ner-ext[report]"`).
        """
        require_report()
        from .report.page import write_report

        write_report(self.data, Path(path))


def require_report() -> None:
    """Import the libraries of the report.

    RAISES (UserError): If one is not installed.
    """
    for module in ("jinja2", "matplotlib"):
        require(module, "report")


def evaluate(
    nlp: Language | str | Path,
    corpus: str | Path,
    *,
    baseline: Language | str | Path | None = None,
    progress: Callable[[Iterable[Pair]], Iterable[Pair]] = iter,
    **settings: Any,
) -> Evaluation:
    """Evaluate a pipeline on a corpus: metrics with confidence intervals, errors,
    groups of entities, calibration, thresholds and examples.

    Documents are read, predicted and forgotten one by one. Exact scores are those of
    `spacy evaluate`.

    nlp: The pipeline.
    corpus: A .spacy file with gold, or a folder of them.
    baseline: Another pipeline that it is compared with.
    progress: Passes documents on, and may show how far it is.
    **settings: `train`, `component`, `target`, `annotate`, `resamples`, `confidence`,
        `seed` and `batch_size`, see `EvaluationSettings`.
    RETURNS: What was found out.
    RAISES (UserError): If a setting or the corpus cannot be used, or a pipeline has
        nothing to judge.
    """
    options = EvaluationSettings(**settings)
    other = None if baseline is None else _load(baseline)
    return _Run(_load(nlp), other, Path(corpus), options)(progress)


def _load(nlp: Language | str | Path) -> Language:
    return nlp if isinstance(nlp, Language) else load_pipeline(nlp)


class _Run:
    """An evaluation."""

    def __init__(
        self,
        nlp: Language,
        baseline: Language | None,
        corpus: Path,
        settings: EvaluationSettings,
    ) -> None:
        self.nlp, self.baseline, self.corpus = nlp, baseline, corpus
        self.settings, self.stopwatch = settings, Stopwatch()
        places = find_places(
            nlp, settings.component, settings.target, settings.annotate
        )
        self.places = places or NOWHERE
        self.categorizer = find_categorizer(nlp)
        if places is None and self.categorizer is None:
            raise UserError(
                "the pipeline has no component that finds entities or categories, but "
                f"{', '.join(nlp.pipe_names) or 'none at all'}; give another one, or "
                "say with --target where entities are"
            )
        self._make_collectors()

    def _make_collectors(self) -> None:
        settings, categorizer = self.settings, self.categorizer
        found = find_annotation(self.corpus, self.places.target, bool(categorizer))
        if not found.entities and not found.categories:
            raise UserError(self._why_nothing(found.groups))
        self.entities = Entities(self.places, settings) if found.entities else None
        self.categories: Categories | None = None
        if found.categories and isinstance(categorizer, Categorizer):
            self.categories = Categories(categorizer, **settings.resampling)
        self.comparison: Comparison | None = None
        if self.baseline is not None and found.entities:
            self.comparison = Comparison(**settings.resampling)

    def _why_nothing(self, groups: tuple[str, ...]) -> str:
        wanted = [*self.places.target, *(["doc.cats"] if self.categorizer else [])]
        there = f" (it has {', '.join(groups)})" if groups else ""
        return (
            f"{self.corpus} has no annotation in {' or '.join(wanted)}: give a corpus "
            f"with gold, or name the place that has it with --target{there}"
        )

    def __call__(self, progress: Callable) -> Evaluation:
        with closing(self._pairs()) as pairs:
            for ours, theirs in progress(pairs):
                for collector in (self.entities, self.categories):
                    if collector is not None:
                        collector.add(ours)
                if self.comparison is not None and theirs is not None:
                    self.comparison.add(ours, theirs)
        return Evaluation(self._result())

    def _pairs(self) -> Generator[Pair, None, None]:
        """Documents with the predictions of the pipeline, and those of the baseline."""
        batch_size = self.settings.batch_size
        documents = judge(
            self.nlp, self.corpus, self.places, batch_size, self.stopwatch
        )
        if self.comparison is None or self.baseline is None:
            yield from ((document, None) for document in documents)
            return
        places = self._places_of_baseline(self.baseline)
        others = judge(self.baseline, self.corpus, places, batch_size)
        yield from zip(documents, others, strict=True)

    def _places_of_baseline(self, baseline: Language) -> Places:
        named = self.settings.component
        component = named if named in baseline.pipe_names else None
        places = find_places(
            baseline, component, self.places.target, self.settings.annotate
        )
        if places is None or places.component is None:
            raise UserError(
                "the baseline has no component that finds entities, but "
                f"{', '.join(baseline.pipe_names) or 'none at all'}; give another one"
            )
        return places

    def _result(self) -> dict[str, Any]:
        entities, categories = self.entities, self.categories
        corpus: dict[str, Any] = {"path": str(self.corpus)}
        corpus.update(entities.totals.result() if entities else {})
        return {
            "format": FORMAT,
            "model": describe(self.nlp),
            "corpus": corpus,
            "settings": self.settings.to_dict(self.places),
            "speed": self.stopwatch.to_dict(),
            "notes": list(self._notes()),
            "entities": entities.result() if entities else None,
            "categories": categories.result() if categories else None,
            "comparison": self._compared(),
        }

    def _compared(self) -> dict[str, Any] | None:
        if self.comparison is None or self.baseline is None:
            return None
        return {"model": describe(self.baseline), **self.comparison.result()}

    def _notes(self) -> Iterator[str]:
        if self.entities is not None:
            yield from self.entities.notes(self.nlp)
        elif self.places.target:
            places = ", ".join(self.places.target)
            yield (
                f"Entities are not judged: the corpus has no annotation in {places}; "
                "name the span group that has it with --target."
            )
        if self.categorizer is not None and self.categories is None:
            yield (
                f"Categories of {self.categorizer.component} are not judged: no "
                "document of the corpus has any."
            )
        if self.categories is not None and self.categories.unknown:
            unknown = ", ".join(sorted(self.categories.unknown))
            yield f"The corpus has categories that the pipeline cannot give: {unknown}."
        if self.baseline is not None and self.categories is not None:
            yield "Categories are not compared with the baseline, only entities are."


def describe(nlp: Language) -> dict[str, Any]:
    """What a pipeline is, for JSON."""
    return {
        "path": None if nlp.path is None else str(nlp.path),
        "name": nlp.meta.get("name", ""),
        "version": nlp.meta.get("version", ""),
        "lang": nlp.lang,
        "pipeline": list(nlp.pipe_names),
    }
