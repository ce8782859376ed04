"""What can be explained: the entity of a CRF, the category of a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy
from spacy.pipeline.textcat import TextCategorizer
from spacy.tokens import Doc
from thinc.api import Model

from ...crf.lattice import Lattice
from ...crf.ner import CRFEntityRecognizer
from .entity_value import entity_log_probabilities, entity_mask

# Below what float32 can hold.
SMALLEST = 1e-38


@dataclass(frozen=True)
class Subject:
    """Of what the influence is: an entity, or the category of a text.

    component: The name of the component.
    label: The label, or the category.
    start, end: The first token of the entity and the one after its last; None for a
        category.
    """

    component: str
    label: str
    start: int | None = None
    end: int | None = None


class Target:
    """A number that a pipeline has for a subject, to be explained.

    subject: The subject.
    """

    # What the number is.
    quantity = "log-probability"

    def __init__(self, subject: Subject) -> None:
        self.subject = subject

    def values(self, docs: Sequence[Doc]) -> numpy.ndarray:
        """The number in other documents, which the components before have seen.

        docs: Documents with as many tokens as that of the subject.
        RETURNS: Float64, shape (n_docs,).
        """
        raise NotImplementedError


class ModelTarget(Target):
    """A number that follows from the output of a thinc model.

    model: The model.
    subject: The subject.
    """

    def __init__(self, model: Model, subject: Subject) -> None:
        super().__init__(subject)
        self.model = model

    def values(self, docs: Sequence[Doc]) -> numpy.ndarray:
        """See Target.values."""
        return self.differentiate(self.model.predict(list(docs)))[0]

    def differentiate(self, output: Any) -> tuple[numpy.ndarray, Any]:
        """The number, and how it depends on the output of the model.

        output: What the model made of some documents.
        RETURNS: The number in each, and the gradient of their sum, as the model's
            backward pass takes it.
        """
        raise NotImplementedError

    def why_not(self) -> str | None:
        """Why it has no gradient; None if it has."""
        return None


class CRFEntity(ModelTarget):
    """The log-probability of an entity, exact, whatever the rest of the text holds.

    component: The component.
    subject: The entity.
    """

    def __init__(self, component: CRFEntityRecognizer, subject: Subject) -> None:
        super().__init__(component.model, subject)
        self.tags = component.tags
        self.sharpness = 1 / component.cfg["temperature"]

    def differentiate(self, output: Lattice) -> tuple[numpy.ndarray, Lattice]:
        """See ModelTarget.differentiate."""
        start, end, label = self.subject.start, self.subject.end, self.subject.label
        assert start is not None and end is not None
        masks = [entity_mask(self.tags, n, start, end, label) for n in output.lengths]
        allowed = numpy.concatenate(masks)
        scaled = output.scaled(self.sharpness)
        values, gradient = entity_log_probabilities(scaled, self.tags, allowed)
        return values, gradient.scaled(self.sharpness)


class Category(ModelTarget):
    """The log-probability of a category of spaCy's `textcat` or `textcat_multilabel`.

    component: The component.
    subject: The category.
    """

    def __init__(self, component: TextCategorizer, subject: Subject) -> None:
        super().__init__(component.model, subject)
        self.index = list(component.labels).index(subject.label)

    def differentiate(self, output: Any) -> tuple[numpy.ndarray, Any]:
        """See ModelTarget.differentiate."""
        xp = self.model.ops.xp
        probabilities = xp.maximum(output[:, self.index].astype("float64"), SMALLEST)
        gradient = xp.zeros_like(output)
        if self._last.name == "softmax":
            # thinc's Softmax takes the gradient of what goes into it.
            gradient -= output
            gradient[:, self.index] += 1
        else:
            gradient[:, self.index] = 1 / probabilities
        return self.model.ops.to_numpy(xp.log(probabilities)), gradient

    @property
    def _last(self) -> Model:
        last = self.model
        while last.layers:
            last = last.layers[-1]
        return last

    def why_not(self) -> str | None:
        """See ModelTarget.why_not."""
        name = self._last.name
        known = name in ("softmax", "logistic")
        return None if known else f"its model ends in a layer '{name}'"
