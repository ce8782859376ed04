"""All that a model card tells, gathered."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spacy.language import Language

from ...data.examples import read_examples
from ..check.config import read_limits
from ..loading import load_pipeline
from .corpus import SplitCounts
from .measure import Speed, measure_speed
from .pipeline import SavedPipeline, read_pipeline
from .scores import ScoreTable, other_scores, score_tables

EXAMPLES = 3


@dataclass(frozen=True)
class About:
    """What no file of a pipeline tells.

    name, version: As given to `spacy package`; those of meta.json if None.
    license, language: Of the pipeline; those of meta.json if None.
    base_model: The encoder's name on the hub.
    dataset: What the data are called.
    dataset_id: Their name on the hub.
    dataset_license: Their license.
    """

    name: str | None = None
    version: str | None = None
    license: str | None = None
    language: str | None = None
    base_model: str | None = None
    dataset: str | None = None
    dataset_id: str | None = None
    dataset_license: str | None = None


@dataclass
class Facts:
    """All that a card tells.

    pipeline: The pipeline.
    about: What its files do not tell.
    splits: What the given corpora hold.
    tables: The scores of components that find entities, spans or categories.
    others: Those of others, by split.
    speed: The measured speed.
    n_examples: How many texts of each label are shown.
    """

    pipeline: SavedPipeline
    about: About
    splits: list[SplitCounts] = field(default_factory=list)
    tables: list[ScoreTable] = field(default_factory=list)
    others: dict[str, dict[str, str]] = field(default_factory=dict)
    speed: Speed | None = None
    n_examples: int = EXAMPLES

    def add_scores(self, split: str, scores: Mapping[str, Any]) -> None:
        """Add the scores of an evaluation.

        scores: The scores, as spaCy gives them.
        """
        self.tables += score_tables(split, scores, self.pipeline.tasks())
        if others := other_scores(scores):
            self.others[split] = others


def collect_facts(
    path: Path,
    corpora: Mapping[str, Path],
    about: About,
    *,
    n_examples: int = EXAMPLES,
    with_speed: bool = True,
) -> Facts:
    """Read a pipeline and the corpora of its training.

    path: The folder of the pipeline.
    corpora: The .spacy files, or folders of them, by split: "train", "dev", "test". The
        pipeline is evaluated on "test".
    n_examples: How many texts of each label are shown.
    with_speed: Whether the speed on the last corpus is measured.
    RAISES (UserError): If the folder has no pipeline, or a corpus cannot be read.
    """
    pipeline = read_pipeline(path)
    facts = Facts(pipeline, about, n_examples=n_examples)
    facts.add_scores("dev", pipeline.meta.get("performance", {}))
    if not corpora:
        return facts
    nlp = load_pipeline(path)
    facts.splits = _count(nlp, pipeline, corpora)
    if "test" in corpora:
        facts.add_scores("test", nlp.evaluate(read_examples(corpora["test"], nlp)))
    if with_speed:
        last = read_examples(list(corpora.values())[-1], nlp)
        facts.speed = measure_speed(nlp, (example.text for example in last))
    return facts


def _count(
    nlp: Language, pipeline: SavedPipeline, corpora: Mapping[str, Path]
) -> list[SplitCounts]:
    tasks, limits = pipeline.tasks(), read_limits(pipeline.path / "config.cfg").spans
    splits = []
    for name, corpus in corpora.items():
        split = SplitCounts(name, tasks, limits)
        split.add(read_examples(corpus, nlp))
        splits.append(split)
    return splits
