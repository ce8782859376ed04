"""The log-probability of an entity against all sequences, and its gradient against
finite differences."""

import itertools
from dataclasses import replace

import numpy
import pytest

from spacy_ner_ext.crf.lattice import Lattice
from spacy_ner_ext.crf.marginals import entity_probabilities
from spacy_ner_ext.crf.tags import TagSet
from spacy_ner_ext.tools.explain.targets import (
    entity_log_probabilities,
    entity_mask,
)

SPANS = [(0, 1, "PER"), (1, 3, "LOC"), (0, 4, "PER"), (3, 4, "LOC")]
LENGTHS = [4, 5]
SCHEMES = pytest.mark.parametrize("scheme", ["biluo", "iob2"])
STRUCTURES = pytest.mark.parametrize("structure", ["flat", "per_label"])


def draw(tags, scale=1.0, seed=0):
    rng = numpy.random.default_rng(seed)
    n_chains, n_tags = tags.n_chains, tags.n_tags
    shapes = (
        *((sum(LENGTHS), n_chains * n_tags), (n_chains, n_tags, n_tags)),
        *((n_chains, n_tags), (n_chains, n_tags)),
    )
    emissions, *others = (scale * rng.normal(size=shape) for shape in shapes)
    return Lattice(emissions, LENGTHS, *others)


def masks(tags, start, end, label):
    return numpy.concatenate([entity_mask(tags, n, start, end, label) for n in LENGTHS])


@STRUCTURES
@SCHEMES
def test_the_mask_lets_through_what_has_the_entity_and_nothing_else(scheme, structure):
    tags = TagSet(("PER", "LOC"), scheme, structure)
    allowed_transitions = tags.allowed_transitions
    n_words = 3
    for start, end, label in [(0, 1, "PER"), (1, 3, "LOC"), (1, 2, "LOC")]:
        allowed = entity_mask(tags, n_words, start, end, label)
        allowed = allowed.reshape(n_words, tags.n_chains, tags.n_tags)
        chain, _ = tags.locate(label)
        for path in itertools.product(range(tags.n_tags), repeat=n_words):
            steps = list(itertools.pairwise(path))
            legal = (
                allowed_transitions.start[path[0]] and allowed_transitions.end[path[-1]]
            )
            if not legal or not all(
                allowed_transitions.transitions[step] for step in steps
            ):
                continue
            array = numpy.zeros((n_words, tags.n_chains), dtype=int)
            array[:, chain] = path
            lets = allowed[numpy.arange(n_words), chain, list(path)].all()
            assert lets == ((start, end, label) in tags.decode(array))


@pytest.mark.parametrize("span", SPANS)
@STRUCTURES
@SCHEMES
def test_the_value_is_the_logarithm_of_the_probability(scheme, structure, span):
    tags = TagSet(("PER", "LOC"), scheme, structure)
    lattice, (start, end, label) = draw(tags), span
    values, _ = entity_log_probabilities(lattice, tags, masks(tags, *span))
    chain, tag = tags.locate(label)
    spans = [(chain, start + first, end + first, tag) for first in (0, LENGTHS[0])]
    expected = entity_probabilities(lattice, tags, numpy.array(spans))
    numpy.testing.assert_allclose(numpy.exp(values), expected, rtol=1e-9)


@pytest.mark.parametrize("scale", [1.0, 40.0])
@pytest.mark.parametrize("span", SPANS)
@STRUCTURES
@SCHEMES
def test_the_gradient_is_that_of_finite_differences(scheme, structure, span, scale):
    """Also where scores are so far apart that the sums run in log space."""
    tags = TagSet(("PER", "LOC"), scheme, structure)
    lattice = draw(tags, scale)
    _, gradient = entity_log_probabilities(lattice, tags, masks(tags, *span))
    for first, n_words in zip((0, LENGTHS[0]), LENGTHS):
        emissions = lattice.emissions[first : first + n_words]
        # One document for each number and direction.
        steps = 1e-5 * numpy.eye(emissions.size).reshape(-1, *emissions.shape)
        moved = numpy.concatenate([emissions + steps, emissions - steps])
        other = replace(
            lattice,
            emissions=moved.reshape(-1, emissions.shape[1]),
            lengths=[n_words] * len(moved),
        )
        allowed = numpy.tile(entity_mask(tags, n_words, *span), (len(moved), 1))
        up, down = entity_log_probabilities(other, tags, allowed)[0].reshape(2, -1)
        expected = (up - down).reshape(emissions.shape) / 2e-5
        found = gradient.emissions[first : first + n_words]
        numpy.testing.assert_allclose(found, expected, atol=1e-5)
    for name in ("transitions", "start", "end"):
        assert not getattr(gradient, name).any()


def test_an_improbable_entity_has_a_value():
    tags = TagSet(("PER",))
    lattice = draw(tags)
    lattice.emissions[:, 1:] -= 300
    values, gradient = entity_log_probabilities(lattice, tags, masks(tags, 0, 3, "PER"))
    assert (values < -800).all() and numpy.isfinite(values).all()
    assert numpy.isfinite(gradient.emissions).all()
