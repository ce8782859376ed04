"""Evaluate a pipeline on a corpus."""

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

        RAISES (UserError): If the file cannot be written, or if Matplotlib is not
            installed (`pip install "spacy-ner-ext[report]"`).
        """
        require("matplotlib", "report")
        from .report.page import write_report

        write_report(self.data, Path(path))


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
    run = _Run(
        nlp=_load(nlp),
        baseline=None if baseline is None else _load(baseline),
        corpus=Path(corpus),
        train=train,
        component=component,
        target=target,
        annotate=annotate,
        resamples=resamples,
        confidence=confidence,
        seed=seed,
        batch_size=batch_size,
    )
    return run(progress)


def _load(nlp: Language | str | Path) -> Language:
    return nlp if isinstance(nlp, Language) else load_pipeline(nlp)


@dataclass
class _Run:
    """One evaluation."""

    nlp: Language
    baseline: Language | None
    corpus: Path
    train: str | Path | None
    component: str | None
    target: Sequence[str]
    annotate: Sequence[str]
    resamples: int
    confidence: float
    seed: int
    batch_size: int | None

    def __post_init__(self) -> None:
        self._check_numbers()
        keys = find_span_keys(self.nlp, self.component, self.target, self.annotate)
        self.keys, self.categorizer = keys or SpanKeys(), find_categorizer(self.nlp)
        if keys is None and self.categorizer is None:
            raise UserError(
                "the pipeline has no component that finds entities or categories, but "
                f"{', '.join(self.nlp.pipe_names) or 'none at all'}; give another one, "
                "or name the span group of its entities with --target"
            )
        self.stopwatch = Stopwatch()
        self.resampling: dict[str, Any] = {
            "resamples": self.resamples,
            "confidence": self.confidence,
            "seed": self.seed,
        }
        self._make_collectors()

    def _check_numbers(self) -> None:
        if not 0 < self.confidence < 1:
            raise UserError(
                f"confidence is {self.confidence}, but must be between 0 and 1, such "
                "as 0.95"
            )
        if self.resamples < 0 or self.seed < 0:
            raise UserError(
                f"resamples and seed must be 0 or more, but are {self.resamples} and "
                f"{self.seed}"
            )
        if self.batch_size is not None and self.batch_size < 1:
            raise UserError(f"batch_size must be 1 or more, but is {self.batch_size}")

    def _make_collectors(self) -> None:
        keys, categorizer = self.keys, self.categorizer
        found = find_annotation(self.corpus, keys.target, bool(categorizer))
        if not found.entities and not found.categories:
            raise UserError(self._explain_no_gold(found.keys))
        self.entities = self.categories = self.comparison = None
        if found.entities:
            self.entities = EntityMetrics(keys, self.train, **self.resampling)
        if found.categories and categorizer is not None:
            self.categories = CategoryMetrics(categorizer, **self.resampling)
        if self.baseline is not None and found.entities:
            self.comparison = Comparison(**self.resampling)

    def _explain_no_gold(self, keys: tuple[str, ...]) -> str:
        wanted = [*self.keys.target, *(["doc.cats"] if self.categorizer else [])]
        there = f" (it has {', '.join(keys)})" if keys else ""
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
        corpus, size = self.corpus, self.batch_size
        docs = predict(self.nlp, corpus, self.keys, size, self.stopwatch)
        if self.comparison is None or self.baseline is None:
            yield from ((doc, None) for doc in docs)
            return
        keys = self._keys_of_baseline(self.baseline)
        others = predict(self.baseline, corpus, keys, size)
        yield from zip(docs, others, strict=True)

    def _keys_of_baseline(self, baseline: Language) -> SpanKeys:
        name = self.component if self.component in baseline.pipe_names else None
        keys = find_span_keys(baseline, name, self.keys.target, self.annotate)
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
            "settings": {
                "component": self.keys.component and self.keys.component.name,
                "target": list(self.keys.target),
                "annotate": list(self.keys.annotate),
                "train": None if self.train is None else str(self.train),
                **self.resampling,
                "batch_size": self.batch_size,
            },
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
