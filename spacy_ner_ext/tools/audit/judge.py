"""The changes that a pipeline suggests for documents it has not seen."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import minibatch

from ...pipes.entities import EntityPipe
from ...pipes.gold import read_gold
from ...pipes.overlap import LabelledSpan
from ...pipes.predictions import Predictions
from ...scorers.temperature import fit_temperature
from ...util.errors import UserError
from .changes import Change, find_changes

# Entities of a lower probability are neither suggested nor an alternative.
MINIMUM = 0.02


@dataclass
class Judged:
    """The changes of documents by the model of one fold.

    changes: The number of a document, and a change in it.
    temperature: That of the probabilities.
    unjudged: Entities of gold that the model can never predict, by label.
    """

    changes: list[tuple[int, Change]] = field(default_factory=list)
    temperature: float = 1.0
    unjudged: Counter[str] = field(default_factory=Counter)


def judge(
    nlp: Language, pipe: EntityPipe, docs: Sequence[Doc], numbers: Sequence[int]
) -> Judged:
    """Find the changes in some documents of a corpus, by number, with probabilities at
    the temperature that fits these documents best.

    RAISES (UserError): If gold has a label that the model lacks.
    """
    batches = [*_predict(nlp, pipe, docs, numbers)]
    judged = Judged(temperature=_fit(batches))
    for batch in batches:
        judged.changes += batch.changes(judged.temperature)
        judged.unjudged.update(batch.unjudged())
    return judged


@dataclass(frozen=True)
class _Batch:
    """The likely entities of some documents; those over tokens without annotation are
    ignored."""

    numbers: Sequence[int]
    gold: list[list[LabelledSpan]]
    missing: list[numpy.ndarray]
    found: Predictions

    @cached_property
    def known(self) -> list[int]:
        spans = enumerate(self.found.spans)
        return [i for i, (d, a, b, _) in spans if not self.missing[d][a:b].any()]

    def correct(self) -> numpy.ndarray:
        spans = [self.found.spans[i] for i in self.known]
        return numpy.array([span[1:] in self.gold[span[0]] for span in spans], bool)

    def probabilities(self, temperature: float) -> numpy.ndarray:
        return self.found.probabilities(temperature)[self.known]

    def changes(self, temperature: float) -> Iterator[tuple[int, Change]]:
        likely: list[dict[LabelledSpan, float]] = [{} for _ in self.numbers]
        for i, probability in zip(self.known, self.probabilities(temperature).tolist()):
            doc, start, end, label = self.found.spans[i]
            likely[doc][start, end, label] = probability
        for number, gold, own in zip(self.numbers, self.gold, likely):
            yield from ((number, change) for change in find_changes(gold, own))

    def unjudged(self) -> Iterator[str]:
        found = set(self.found.spans)
        for i, spans in enumerate(self.gold):
            yield from (span[2] for span in spans if (i, *span) not in found)


def _predict(
    nlp: Language, pipe: EntityPipe, docs: Sequence[Doc], numbers: Sequence[int]
) -> Iterator[_Batch]:
    before = nlp.pipe_names[: nlp.pipe_names.index(pipe.name)]
    for batch in minibatch([i for i in numbers if len(docs[i])], nlp.batch_size):
        examples = [_as_example(nlp, docs[i]) for i in batch]
        predicted = [example.predicted for example in examples]
        with nlp.select_pipes(enable=before):
            predicted = list(nlp.pipe(predicted, batch_size=len(batch)))
        gold = [read_gold(example, pipe.target) for example in examples]
        spans = [sorted(set(each.spans)) for each in gold]
        _check_labels(pipe, spans)
        given = [(i, *span) for i, own in enumerate(spans) for span in own]
        found = pipe.find_likely(predicted, MINIMUM, given)
        yield _Batch(batch, spans, [each.missing for each in gold], found)


def _as_example(nlp: Language, doc: Doc) -> Example:
    """The tokens of gold without its annotation."""
    spaces = [bool(token.whitespace_) for token in doc]
    copy = Doc(nlp.vocab, words=[token.text for token in doc], spaces=spaces)
    return Example(copy, doc)


def _check_labels(pipe: EntityPipe, spans: Sequence[Sequence[LabelledSpan]]) -> None:
    unknown = {label for own in spans for *_, label in own} - set(pipe.labels)
    if unknown:
        what = f"the corpus has entities of the label {min(unknown)}, which"
        known = ", ".join(pipe.labels)
        raise UserError(f"{what} '{pipe.name}' lacks ({known}); use a model with it")


def _fit(batches: Sequence[_Batch]) -> float:
    correct = numpy.concatenate([numpy.zeros(0, bool), *(b.correct() for b in batches)])
    if correct.all() or not correct.any():
        return 1.0

    def scores(temperature: float) -> numpy.ndarray:
        return numpy.concatenate([b.probabilities(temperature) for b in batches])

    return fit_temperature(scores, correct)
