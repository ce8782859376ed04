"""Probabilities of the entities of documents, by a pipeline that has not seen them."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import minibatch

from ...pipes.entities import EntityPipe
from ...pipes.gold import read_gold
from ...pipes.overlap import LabelledSpan
from ...pipes.predictions import DocSpan, Predictions
from ...scorers.temperature import fit_temperature
from ...util.errors import UserError

# Entities of a lower probability are neither suggested nor an alternative.
MINIMUM = 0.02
# A gold entity, and a copy of it that is wrong.
Copy = tuple[LabelledSpan, LabelledSpan]


@dataclass(frozen=True)
class JudgedDoc:
    """The entities of a document, and their probabilities.

    number: The number of the document in the corpus, from 0.
    gold: Its entities.
    copies: Some of these, each with a wrong copy.
    probabilities: Those of likely entities, of gold and of the copies.
    """

    number: int
    gold: Sequence[LabelledSpan]
    copies: Sequence[Copy]
    probabilities: Mapping[LabelledSpan, float]

    @cached_property
    def likely(self) -> dict[LabelledSpan, float]:
        """The probabilities of likely entities and of gold."""
        found = self.probabilities.items()
        return {s: p for s, p in found if p >= MINIMUM or s in self.gold}


@dataclass
class Judge:
    """Judges documents by a component of a pipeline that has not seen them.

    share: The share of the entities of which there are wrong copies.
    """

    nlp: Language
    pipe: EntityPipe
    share: float
    generator: random.Random
    temperature: float = 1.0

    def __call__(self, docs: Sequence[Doc], numbers: Sequence[int]) -> list[JudgedDoc]:
        """Judge some documents of a corpus, by number, at the temperature that fits
        them best.

        RAISES (UserError): If gold has a label that the model lacks.
        """
        full = [i for i in numbers if len(docs[i])]
        batches = minibatch(full, self.nlp.batch_size)
        found = [self._predict(docs, batch) for batch in batches]
        self.temperature = _fit(found)
        return [doc for each in found for doc in each.judged(self.temperature)]

    def _predict(self, docs: Sequence[Doc], numbers: Sequence[int]) -> "_Batch":
        nlp, pipe = self.nlp, self.pipe
        before = nlp.pipe_names[: nlp.pipe_names.index(pipe.name)]
        examples = [_as_example(nlp, docs[i]) for i in numbers]
        with nlp.select_pipes(enable=before):
            predicted = list(nlp.pipe((e.predicted for e in examples), batch_size=256))
        read = [read_gold(example, pipe.target) for example in examples]
        gold = [sorted(set(each.spans)) for each in read]
        _check_labels(pipe, gold)
        copies = [self._copy(own, len(doc)) for own, doc in zip(gold, predicted)]
        given = {
            (i, *span)
            for i, own in enumerate(gold)
            for span in [*own, *(copy for _, copy in copies[i])]
        }
        found = pipe.find_likely(predicted, MINIMUM, sorted(given))
        return _Batch(numbers, gold, copies, [each.missing for each in read], found)

    def _copy(self, gold: Sequence[LabelledSpan], n_tokens: int) -> list[Copy]:
        chosen = {span for span in gold if self.generator.random() < self.share}
        copies = wrong_copies(gold, n_tokens, self.pipe.labels, self.generator)
        return [(span, copy) for span, copy in copies if span in chosen]


def wrong_copies(
    gold: Sequence[LabelledSpan],
    n_tokens: int,
    labels: Sequence[str],
    generator: random.Random,
) -> Iterator[Copy]:
    """Each entity with another label, and with a boundary moved by a word."""
    taken = {i for start, end, _ in gold for i in range(start, end)}
    for span in gold:
        start, end, label = span
        if others := [other for other in labels if other != label]:
            yield span, (start, end, generator.choice(others))
        moved = (start - 1, end), (start + 1, end), (start, end - 1), (start, end + 1)
        rest = taken - {*range(start, end)}
        free = [
            (a, b, label)
            for a, b in moved
            if 0 <= a < b <= n_tokens and rest.isdisjoint(range(a, b))
        ]
        if free:
            yield span, generator.choice(free)


@dataclass(frozen=True)
class _Batch:
    """The likely entities of some documents; those over tokens without annotation are
    ignored."""

    numbers: Sequence[int]
    gold: list[list[LabelledSpan]]
    copies: list[list[Copy]]
    missing: list[numpy.ndarray]
    found: Predictions

    @cached_property
    def known(self) -> list[int]:
        spans = enumerate(self.found.spans)
        return [i for i, (d, a, b, _) in spans if not self.missing[d][a:b].any()]

    @cached_property
    def fitted(self) -> list[int]:
        """Likely entities and those of gold, which decide on the temperature."""
        scores, spans = self.found.probabilities(1.0), self.found.spans
        return [
            i for i in self.known if scores[i] >= MINIMUM or self._is_gold(spans[i])
        ]

    def _is_gold(self, span: DocSpan) -> bool:
        return span[1:] in self.gold[span[0]]

    def correct(self) -> list[bool]:
        return [self._is_gold(self.found.spans[i]) for i in self.fitted]

    def scores(self, temperature: float) -> numpy.ndarray:
        return self.found.probabilities(temperature)[self.fitted]

    def judged(self, temperature: float) -> Iterator[JudgedDoc]:
        found: list[dict[LabelledSpan, float]] = [{} for _ in self.numbers]
        scores = self.found.probabilities(temperature).tolist()
        for i in self.known:
            doc, start, end, label = self.found.spans[i]
            found[doc][start, end, label] = scores[i]
        for number, gold, copies, own in zip(
            self.numbers, self.gold, self.copies, found
        ):
            judged = [pair for pair in copies if all(span in own for span in pair)]
            yield JudgedDoc(number, gold, judged, own)


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
    correct = numpy.array([c for batch in batches for c in batch.correct()], dtype=bool)
    if correct.all() or not correct.any():
        return 1.0

    def scores(temperature: float) -> numpy.ndarray:
        return numpy.concatenate([batch.scores(temperature) for batch in batches])

    return fit_temperature(scores, correct)
