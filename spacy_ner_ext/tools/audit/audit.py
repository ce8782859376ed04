"""`spacy_ner_ext.audit`: find gold annotation that is probably wrong."""

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc
from spacy.vocab import Vocab

from ...data.read import read_docs
from ...pipes.entities import EntityPipe
from ...pipes.find import find_component
from ...pipes.spans import read_spans
from ...util.errors import UserError
from ..loading import load_pipeline
from .agreement import Mentions
from .changes import Change, find_changes
from .folds import FoldSettings, Step, train_folds
from .judge import Judge, JudgedDoc
from .ranking import Evidence, Ranking, put_errors
from .suggestions import Suggestion

# The most entities that errors are put into, in the mean.
MOST = 3_000
# The least odds of a suggestion.
MIN_ODDS = 0.02


@dataclass(frozen=True)
class Audit:
    """The result of `audit`.

    suggestions: Changes of the corpus, those with the highest odds first.
    documents, entities: The size of the corpus.
    temperatures: The temperature of the probabilities of each fold.
    unjudged: Entities that the component can never predict, such as those of more words
        than it allows, by label.
    """

    suggestions: list[Suggestion]
    documents: int
    entities: int
    temperatures: list[float]
    unjudged: Counter[str]


def audit(
    corpus: str | Path,
    *,
    config: str | Path | None = None,
    model: str | Path | Language | None = None,
    output: str | Path | None = None,
    folds: int = 5,
    overrides: Mapping[str, Any] | None = None,
    component: str | None = None,
    gpu_id: int = -1,
    on_step: Step | None = None,
) -> Audit:
    """Find entities that are probably wrong, and entities that are probably missing.

    With a config, a pipeline is trained for each fold of the corpus on the other folds,
    so that each document is judged by one that has not seen it. An interrupted run
    resumes where it stopped, if it is repeated with the same `output`.

    corpus: A .spacy file, or a folder of them.
    config: A training config with `crf_ner` or `span_marker_ner`. Its paths.train, and
        paths.dev unless it is in `overrides`, are replaced.
    model: A trained pipeline, or its folder, that judges in place of a config. It
        should not be trained on the corpus.
    output: The folder of the pipelines; needed with a config.
    folds: The number of folds.
    overrides: Settings that override those of the config, by full names.
    component: The name of the component, if several predict probabilities of entities.
    gpu_id: The GPU for training; -1 for the CPU.
    on_step: Called with the name of the fold and the information that
        `spacy_ner_ext.train` gives to callbacks, after each step.
    RETURNS: The suggestions.
    RAISES (UserError): If a file or a setting cannot be used, the corpus has no
        entities or fewer documents than folds, or the model lacks one of its labels.
    """
    docs = [*read_docs(Path(corpus), Vocab())]
    if (config is None) == (model is None):
        raise UserError("give either a config to train on folds, or a trained model")
    if model is not None:
        nlp = model if isinstance(model, Language) else load_pipeline(model)
        pairs = iter([(nlp, [*range(len(docs))])])
    elif output is None or config is None:
        raise UserError("name the folder of the pipelines with --output")
    else:
        settings = FoldSettings(Path(config), overrides or {}, component, folds, gpu_id)
        trained = train_folds(docs, settings, Path(output), on_step)
        pairs = ((load_pipeline(path), unseen) for path, unseen in trained)
    return _judge_all(docs, pairs, component, Path(corpus))


def _judge_all(
    docs: Sequence[Doc],
    pipelines: Iterable[tuple[Language, list[int]]],
    component: str | None,
    corpus: Path,
) -> Audit:
    judged: list[JudgedDoc] = []
    temperatures = []
    generator = random.Random(0)
    for nlp, numbers in pipelines:
        what = "predicts probabilities of entities"
        pipe = find_component(nlp, EntityPipe, component, what)
        keys = pipe.target
        n_entities = sum(len(read_spans(doc, keys)) for doc in docs)
        if not n_entities:
            what = f"has no entities in {', '.join(keys)}, where '{pipe.name}' reads"
            raise UserError(f"{what} them; give an annotated corpus", corpus)
        share = min(1.0, MOST / n_entities)
        judge = Judge(nlp, pipe, share, generator)
        judged += judge(docs, numbers)
        temperatures.append(judge.temperature)
    suggestions = _rank(docs, keys, judged, share)
    missed = (span for each in judged for span in each.gold if span not in each.likely)
    return Audit(
        suggestions=suggestions,
        documents=len(docs),
        entities=n_entities,
        temperatures=temperatures,
        unjudged=Counter(label for *_, label in missed),
    )


def _rank(
    docs: Sequence[Doc], keys: Sequence[str], judged: Sequence[JudgedDoc], share: float
) -> list[Suggestion]:
    mentions = Mentions(docs, keys)

    def compare(each: JudgedDoc, change: Change) -> Evidence:
        own = docs[each.number], each.number, each.gold
        return Evidence(change, mentions.compare(*own, change))

    real = [(e, compare(e, c)) for e in judged for c in find_changes(e.gold, e.likely)]
    put = [compare(each, change) for each in judged for change in put_errors(each)]
    ranking = Ranking([evidence for _, evidence in real], put, share)
    found = []
    for each, evidence in real:
        key = _key_of(docs[each.number], keys, evidence.change)
        odds = ranking.odds(evidence)
        if odds >= MIN_ODDS:
            found.append(Suggestion(each.number + 1, key, *evidence, odds))
    return sorted(found, key=lambda suggestion: (-suggestion.odds, suggestion.document))


def _key_of(doc: Doc, keys: Sequence[str], change: Change) -> str:
    """Where the entities of a change are, or the first place where there are any."""
    for key in keys:
        own = {(s.start, s.end, s.label_) for s in read_spans(doc, [key])}
        if change.gold and own.issuperset(change.gold):
            return key
    return keys[0]
