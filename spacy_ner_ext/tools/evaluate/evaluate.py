"""Evaluate a pipeline on a corpus."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spacy.language import Language

from ...util.errors import UserError
from ...util.extras import require
from ...util.files import write_json
from ..loading import load_pipeline
from .categories import CategoryMetrics, find_categorizer
from .comparison import Comparison
from .corpus import find_annotation
from .entities import ScoredDoc
from .entity_metrics import EntityMetrics
from .predict import Stopwatch, predict
from .settings import EvaluationSettings
from .span_keys import SpanKeys, find_span_keys

FORMAT = 1
Pair = tuple[ScoredDoc, ScoredDoc | None]


@dataclass(frozen=True)
class Evaluation:
    """The result of `evaluate`.

    data: The content of `metrics.json`: dictionaries, lists, strings and numbers by the
        keys that are listed under "metrics.json" in the documentation.
    """

    data: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return `data`, the content of `metrics.json`."""
        return self.data

    def to_json(self, path: str | Path) -> None:
        """Write the result as JSON.

        RAISES (UserError): If the file cannot be written.
        """
        write_json(self.data, Path(path))

    def to_html(self, path: str | Path) -> None:
        """Write the report, one HTML page that works offline.

        RAISES (UserError): If the file cannot be written, or if Matplotlib or Jinja is
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
    train: str | Path | None = None,
    component: str | None = None,
    target: Sequence[str] = (),
    annotate: Sequence[str] = (),
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
    batch_size: int | None = None,
    progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> Evaluation:
    """Evaluate the entities and text categories of a pipeline on a corpus.

    Computes precision, recall and F-score with confidence intervals, kinds of errors,
    confusion matrices, scores of groups of entities, calibration, thresholds and
    examples of errors. Exact scores equal those of `spacy evaluate`. Documents are
    read, predicted and freed one by one.

    nlp: The pipeline, or its folder or package name.
    corpus: A .spacy file with gold annotation, or a folder of them.
    baseline: Another pipeline to compare with, in the same forms.
    train: The training corpus, for separate scores of entities that it has and that it
        does not have.
    component: The component that predicts entities; by default the last one that does.
    target: Where gold is, "ents" or names of span groups; by default the keys from
        which the component learns.
    annotate: Where predictions are; by default the key to which the component writes.
    resamples: Bootstrap resamples of documents for intervals and p-values; 0 for none.
    confidence: The share of resamples inside an interval, between 0 and 1.
    seed: The seed of the resamples.
    batch_size: Documents in a batch; by default that of the pipeline.
    progress: A function that passes an iterable on, such as `tqdm`, called once with
        the documents.
    RETURNS: The metrics and examples.
    RAISES (UserError): If a setting is out of its range, a pipeline or corpus cannot be
        read, or nothing in the corpus can be scored.
    """
    settings = EvaluationSettings(
        train, component, target, annotate, resamples, confidence, seed, batch_size
    )
    other = None if baseline is None else _load(baseline)
    return _Run(_load(nlp), other, Path(corpus), settings)(progress)


def _load(nlp: Language | str | Path) -> Language:
    return nlp if isinstance(nlp, Language) else load_pipeline(nlp)


class _Run:
    """One evaluation."""

    def __init__(
        self,
        nlp: Language,
        baseline: Language | None,
        corpus: Path,
        settings: EvaluationSettings,
    ) -> None:
        self.nlp, self.baseline, self.corpus = nlp, baseline, corpus
        self.settings, self.stopwatch = settings, Stopwatch()
        keys = find_span_keys(
            nlp, settings.component, settings.target, settings.annotate
        )
        self.keys, self.categorizer = keys or SpanKeys(), find_categorizer(nlp)
        if keys is None and self.categorizer is None:
            raise UserError(
                "the pipeline has no component that finds entities or categories, but "
                f"{', '.join(nlp.pipe_names) or 'none at all'}; give another one, or "
                "name the span group of its entities with --target"
            )
        self._make_collectors()

    def _make_collectors(self) -> None:
        settings, categorizer = self.settings, self.categorizer
        found = find_annotation(self.corpus, self.keys.target, bool(categorizer))
        if not found.entities and not found.categories:
            raise UserError(self._explain_no_gold(found.groups))
        self.entities = EntityMetrics(self.keys, settings) if found.entities else None
        self.categories: CategoryMetrics | None = None
        if found.categories and categorizer is not None:
            self.categories = CategoryMetrics(categorizer, **settings.resampling)
        self.comparison: Comparison | None = None
        if self.baseline is not None and found.entities:
            self.comparison = Comparison(**settings.resampling)

    def _explain_no_gold(self, groups: tuple[str, ...]) -> str:
        wanted = [*self.keys.target, *(["doc.cats"] if self.categorizer else [])]
        there = f" (it has {', '.join(groups)})" if groups else ""
        return (
            f"{self.corpus} has no annotation in {' or '.join(wanted)}: give a corpus "
            f"with gold, or name the span group that has it with --target{there}"
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
        docs = predict(self.nlp, self.corpus, self.keys, batch_size, self.stopwatch)
        if self.comparison is None or self.baseline is None:
            yield from ((doc, None) for doc in docs)
            return
        keys = self._keys_of_baseline(self.baseline)
        others = predict(self.baseline, self.corpus, keys, batch_size)
        yield from zip(docs, others, strict=True)

    def _keys_of_baseline(self, baseline: Language) -> SpanKeys:
        named = self.settings.component
        component = named if named in baseline.pipe_names else None
        keys = find_span_keys(
            baseline, component, self.keys.target, self.settings.annotate
        )
        if keys is None or keys.component is None:
            raise UserError(
                "the baseline has no component that finds entities, but "
                f"{', '.join(baseline.pipe_names) or 'none at all'}; give another one"
            )
        return keys

    def _result(self) -> dict[str, Any]:
        entities, categories = self.entities, self.categories
        corpus: dict[str, Any] = {"path": str(self.corpus)}
        corpus.update(entities.corpus_stats.result() if entities else {})
        compared = None
        if self.comparison is not None and self.baseline is not None:
            compared = {"model": _describe(self.baseline), **self.comparison.result()}
        return {
            "format": FORMAT,
            "model": _describe(self.nlp),
            "corpus": corpus,
            "settings": self.settings.to_dict(self.keys),
            "speed": self.stopwatch.to_dict(),
            "notes": list(self._notes()),
            "entities": entities.result() if entities else None,
            "categories": categories.result() if categories else None,
            "comparison": compared,
        }

    def _notes(self) -> Iterator[str]:
        if self.entities is not None:
            yield from self.entities.notes(self.nlp)
        elif self.keys.target:
            keys = ", ".join(self.keys.target)
            yield (
                f"Entities are not scored: the corpus has no annotation in {keys}; "
                "name the span group that has it with --target."
            )
        if self.categorizer is not None and self.categories is None:
            yield (
                f"Categories of {self.categorizer.component} are not scored: no "
                "document of the corpus has any."
            )
        if self.categories is not None and self.categories.unknown:
            unknown = ", ".join(self.categories.unknown)
            yield f"The corpus has categories that the pipeline cannot give: {unknown}."
        if self.baseline is not None and self.categories is not None:
            yield "Categories are not compared with the baseline, only entities are."


def _describe(nlp: Language) -> dict[str, Any]:
    return {
        "path": None if nlp.path is None else str(nlp.path),
        "name": nlp.meta.get("name", ""),
        "version": nlp.meta.get("version", ""),
        "lang": nlp.lang,
        "pipeline": list(nlp.pipe_names),
    }
