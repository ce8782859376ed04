"""The entities that a component predicts in annotated documents, and which are
right."""

from collections import Counter
from collections.abc import Iterable
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
    """Predicted entities, with probabilities at any temperature, and which are
    right."""

    gold: Counter[str] = field(default_factory=Counter)  # by label
    skipped: int = 0  # predictions over tokens without annotation
    misaligned: int = 0  # gold entities that do not fit the tokens
    _found: list[Predictions] = field(default_factory=list)
    _counted: list[numpy.ndarray] = field(default_factory=list)
    _correct: list[bool] = field(default_factory=list)
    _labels: list[str] = field(default_factory=list)

    @property
    def correct(self) -> numpy.ndarray:
        return numpy.array(self._correct, dtype=bool)

    @property
    def labels(self) -> numpy.ndarray:
        return numpy.array(self._labels, dtype=str)

    def scores(self, temperature: float) -> numpy.ndarray:
        """The probability of each entity, float64."""
        parts = [
            found.probabilities(temperature)[counted]
            for found, counted in zip(self._found, self._counted)
        ]
        return numpy.concatenate(parts or [numpy.zeros(0)]).astype("float64")

    def add(self, component: EntityPipe, examples: list[Example]) -> None:
        """Add the predictions of a component for some examples, whose predicted
        documents were processed by the components before it."""
        docs = [example.predicted for example in examples]
        gold = [read_gold(example, component.target) for example in examples]
        for each in gold:
            self.gold.update([label for *_, label in each.spans])
            self.gold.update([label for _, label in each.misaligned])
            self.misaligned += len(each.misaligned)
        if not any(len(doc) for doc in docs):
            return
        found = component.find(docs)
        kept = [_kept_spans(component, doc) for doc in docs]
        right = [set(each.spans) for each in gold]
        counted = []
        for i, (document, start, end, label) in enumerate(found.spans):
            span = start, end, label
            if span in kept[document]:
                continue
            if gold[document].missing[start:end].any():
                self.skipped += 1
                continue
            counted.append(i)
            self._correct.append(span in right[document])
            self._labels.append(label)
        self._found.append(found)
        self._counted.append(numpy.array(counted, dtype=int))


def _kept_spans(component: EntityPipe, doc: Doc) -> set[tuple[int, int, str]]:
    """Existing entities that the component keeps, which are not predictions."""
    if component.cfg["overwrite"]:
        return set()
    keys = expand(component.annotate, component.labels)
    return {(span.start, span.end, span.label_) for span in read_spans(doc, keys)}


def collect(
    nlp: Language, component: EntityPipe, examples: Iterable[Example], batch_size: int
) -> Evidence:
    """Collect the predictions of a component of a pipeline for annotated documents."""
    evidence = Evidence()
    before = nlp.pipe_names[: nlp.pipe_names.index(component.name)]
    for batch in minibatch(examples, batch_size):
        with nlp.select_pipes(enable=before):
            list(nlp.pipe([eg.predicted for eg in batch], batch_size=batch_size))
        evidence.add(component, batch)
    return evidence
