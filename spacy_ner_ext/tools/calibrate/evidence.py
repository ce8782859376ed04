"""What a component finds in annotated documents, and whether it is right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import minibatch

from ...pipes.entities import EntityPipe
from ...pipes.gold import read_gold
from ...pipes.predictions import Predictions
from ...pipes.spans import expand, read_spans


@dataclass
class Evidence:
    """The entities that a component finds, with probabilities at any temperature.

    The documents have passed through the encoder once.

    gold: The number of gold entities of each label.
    skipped: Entities over words of which gold says nothing, left out.
    misaligned: Gold entities whose boundaries are not token boundaries, which cannot
        be found.
    """

    gold: Counter[str] = field(default_factory=Counter)
    skipped: int = 0
    misaligned: int = 0
    _found: list[Predictions] = field(default_factory=list)
    _counted: list[numpy.ndarray] = field(default_factory=list)
    _correct: list[bool] = field(default_factory=list)
    _labels: list[str] = field(default_factory=list)

    @property
    def correct(self) -> numpy.ndarray:
        """Whether each entity is right, bools."""
        return numpy.array(self._correct, dtype=bool)

    @property
    def labels(self) -> numpy.ndarray:
        """The label of each entity."""
        return numpy.array(self._labels, dtype=str)

    def scores(self, temperature: float) -> numpy.ndarray:
        """Compute the probabilities of the entities.

        RETURNS: The probability of each entity, float64.
        """
        parts = [
            found.probabilities(temperature)[counted]
            for found, counted in zip(self._found, self._counted)
        ]
        return numpy.concatenate(parts or [numpy.zeros(0)]).astype("float64")

    def add(self, component: EntityPipe, examples: list[Example]) -> None:
        """Let a component read some documents.

        examples: The examples, in the state in which it gets them.
        """
        docs = [example.predicted for example in examples]
        gold = [read_gold(example, component.target) for example in examples]
        for each in gold:
            lost = [label for _, label in each.misaligned]
            self.gold.update([label for *_, label in each.spans] + lost)
            self.misaligned += len(lost)
        if not any(len(doc) for doc in docs):
            return
        found = component.find(docs)
        kept = [_kept_spans(component, doc) for doc in docs]
        right = [set(each.spans) for each in gold]
        counted = []
        for number, (document, start, end, label) in enumerate(found.spans):
            if (start, end, label) in kept[document]:
                continue
            if gold[document].missing[start:end].any():
                self.skipped += 1
                continue
            counted.append(number)
            self._correct.append((start, end, label) in right[document])
            self._labels.append(label)
        self._found.append(found)
        self._counted.append(numpy.array(counted, dtype=int))


def _kept_spans(component: EntityPipe, doc: Doc) -> set[tuple[int, int, str]]:
    """Entities that were there before, which are certain and no finds."""
    if component.cfg["overwrite"]:
        return set()
    places = expand(component.annotate, component.labels)
    return {(span.start, span.end, span.label_) for span in read_spans(doc, places)}


def collect(
    nlp: Language, component: EntityPipe, examples: Iterable[Example], batch_size: int
) -> Evidence:
    """Let a component read annotated documents.

    nlp: The pipeline; its components before this one read them first.
    """
    evidence = Evidence()
    for batch in _prepared(nlp, component, examples, batch_size):
        evidence.add(component, batch)
    return evidence


def _prepared(
    nlp: Language, component: EntityPipe, examples: Iterable[Example], batch_size: int
) -> Iterator[list[Example]]:
    before = nlp.pipe_names[: nlp.pipe_names.index(component.name)]
    for batch in minibatch(examples, batch_size):
        with nlp.select_pipes(enable=before):
            list(nlp.pipe([eg.predicted for eg in batch], batch_size=batch_size))
        yield batch
