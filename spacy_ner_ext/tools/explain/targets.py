"""The quantities that are explained, one for each kind of component."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy
from spacy.tokens import Doc
from thinc.api import get_array_module

from ...crf.lattice import Lattice
from ...crf.marginals import log_partition, tag_marginals
from ...crf.objectives import zero_gradient
from ...crf.tags import TagSet

# The smallest probability that float32 can represent.
SMALLEST = 1e-38
# As in spaCy's own scripts for the probabilities of entities.
BEAM_WIDTH = 16
BEAM_DENSITY = 0.0001


class NoGradientError(ValueError):
    """A quantity cannot be differentiated; the message says why."""


@dataclass(frozen=True)
class Target:
    """A number that a component, `pipe`, computes for an entity or a category of a
    document; `start` and `end` are the tokens of the entity."""

    name: str
    pipe: Any
    label: str
    start: int | None = None
    end: int | None = None
    quantity: ClassVar[str] = "log-probability"

    @property
    def span(self) -> tuple[Any, Any, str]:
        return self.start, self.end, self.label

    def values(self, docs: Sequence[Doc]) -> numpy.ndarray:
        """Compute the number in documents with as many tokens, processed by the
        components before; float64, shape (n_docs,)."""
        raise NotImplementedError


class ModelTarget(Target):
    """A number that is computed from the output of a thinc model."""

    def values(self, docs: Sequence[Doc]) -> numpy.ndarray:
        return self.differentiate(self.pipe.model.predict(list(docs)))[0]

    def differentiate(self, output: Any) -> tuple[numpy.ndarray, Any]:
        """Compute the number in each document from the output of the model, and the
        gradient of their sum as the model's backward pass takes it."""
        raise NotImplementedError

    def check_gradient(self) -> None:
        """RAISES (NoGradientError): If the number has no gradient."""


class CRFEntity(ModelTarget):
    """The exact log-probability of an entity of `crf_ner`."""

    def differentiate(self, output: Lattice) -> tuple[numpy.ndarray, Lattice]:
        sharpness, tags = 1 / self.pipe.cfg["temperature"], self.pipe.tags
        masks = [entity_mask(tags, n_words, *self.span) for n_words in output.lengths]
        values, gradient = entity_log_probabilities(
            output.scaled(sharpness), tags, numpy.concatenate(masks)
        )
        return values, gradient.scaled(sharpness)


def entity_mask(
    tags: TagSet, n_words: int, start: int, end: int, label: str
) -> numpy.ndarray:
    """The tags of the sequences in which a span is an entity with exactly these
    boundaries: bool, shape (n_words, n_chains * n_tags)."""
    allowed = numpy.ones((n_words, tags.n_chains, tags.n_tags), dtype=bool)
    tags.require(allowed, (start, end, label))
    return allowed.reshape(n_words, -1)


def entity_log_probabilities(
    lattice: Lattice, tags: TagSet, allowed: numpy.ndarray
) -> tuple[numpy.ndarray, Lattice]:
    """The log-probability that the tags of each document are among the allowed ones,
    and the gradient of their sum with respect to the emissions.

    It is log Z over the allowed sequences minus log Z over all, and the gradient the
    difference of the marginals (Sutton and McCallum 2012, An Introduction to
    Conditional Random Fields, section 5).
    """
    # Both logarithms are large, their difference is not.
    exact = replace(lattice, emissions=lattice.emissions.astype("float64"))
    legal, gradient = tags.allowed_transitions, zero_gradient(lattice)
    given = get_array_module(lattice.emissions).asarray(allowed)
    values = log_partition(exact, legal, given) - log_partition(exact, legal)
    slope = tag_marginals(exact, legal, given) - tag_marginals(exact, legal)
    gradient.emissions[:] = slope.reshape(gradient.emissions.shape)
    return values.sum(axis=1), gradient


class Category(ModelTarget):
    """The log-probability of a category of `textcat` or `textcat_multilabel`."""

    def differentiate(self, output: Any) -> tuple[numpy.ndarray, Any]:
        index, ops = list(self.pipe.labels).index(self.label), self.pipe.model.ops
        probabilities = ops.xp.maximum(output[:, index].astype("float64"), SMALLEST)
        gradient = ops.xp.zeros_like(output)
        if self._last_layer() == "softmax":
            # The backward pass of thinc's Softmax takes the gradient of its logits.
            gradient -= output
            gradient[:, index] += 1
        else:
            gradient[:, index] = 1 / probabilities
        return ops.to_numpy(ops.xp.log(probabilities)), gradient

    def _last_layer(self) -> str:
        last = self.pipe.model
        while last.layers:
            last = last.layers[-1]
        return last.name

    def check_gradient(self) -> None:
        if self._last_layer() not in ("softmax", "logistic"):
            raise NoGradientError(f"its model ends in a layer '{self._last_layer()}'")


class BeamEntity(Target):
    """The share of the best parses of spaCy's `ner` that contain an entity."""

    quantity = f"probability in a beam of {BEAM_WIDTH}"

    def values(self, docs: Sequence[Doc]) -> numpy.ndarray:
        beams = self.pipe.beam_parse(
            list(docs), beam_width=BEAM_WIDTH, beam_density=BEAM_DENSITY
        )
        scores = self.pipe.scored_ents(beams)
        return numpy.array([float(found.get(self.span, 0.0)) for found in scores])


class FoundEntity(Target):
    """Whether a component without probabilities predicts an entity: 1 or 0."""

    quantity = "found (1) or not (0)"

    def values(self, docs: Sequence[Doc]) -> numpy.ndarray:
        found = [
            {(ent.start, ent.end, ent.label_) for ent in self.pipe(doc).ents}
            for doc in docs
        ]
        return numpy.array([float(self.span in ents) for ents in found])
