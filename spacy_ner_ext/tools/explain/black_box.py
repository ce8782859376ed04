"""Components whose models are not looked into: spaCy's `ner`, rules, others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy
from spacy.pipeline.ner import EntityRecognizer
from spacy.tokens import Doc

from .targets import Subject, Target

# As spaCy's own scripts for the probabilities of entities.
BEAM_WIDTH = 16
BEAM_DENSITY = 0.0001


class BeamEntity(Target):
    """The probability of an entity of spaCy's `ner`: the share of the parses with it
    among the best that a beam search finds.

    component: The component.
    subject: The entity.
    """

    quantity = "probability in a beam of 16"

    def __init__(self, component: EntityRecognizer, subject: Subject) -> None:
        super().__init__(subject)
        self.component = component

    def values(self, docs: Sequence[Doc]) -> numpy.ndarray:
        """See Target.values."""
        beams = self.component.beam_parse(
            list(docs), beam_width=BEAM_WIDTH, beam_density=BEAM_DENSITY
        )
        subject = self.subject
        entity = (subject.start, subject.end, subject.label)
        scores = self.component.scored_ents(beams)
        return numpy.array([float(found.get(entity, 0.0)) for found in scores])


class FoundEntity(Target):
    """Whether a component that gives no probabilities finds an entity: 1 or 0.

    component: The component.
    subject: The entity.
    """

    quantity = "found (1) or not (0)"

    def __init__(self, component: Callable[[Doc], Doc], subject: Subject) -> None:
        super().__init__(subject)
        self.component = component

    def values(self, docs: Sequence[Doc]) -> numpy.ndarray:
        """See Target.values."""
        subject = self.subject
        entity = (subject.start, subject.end, subject.label)
        found: list[Any] = [
            [(ent.start, ent.end, ent.label_) for ent in self.component(doc).ents]
            for doc in docs
        ]
        return numpy.array([float(entity in ents) for ents in found])
