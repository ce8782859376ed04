"""Partition function, marginals and entity probabilities against brute force."""

import itertools

import numpy
import pytest

from spacy_ner_ext.crf.log_space import LogChains
from spacy_ner_ext.crf.marginals import (
    entity_probabilities,
    log_partition,
    solve,
    tag_marginals,
)
from spacy_ner_ext.crf.tags import TagSet
from spacy_ner_ext.crf.viterbi import best_paths
from tests.helpers.lattices import (
    brute_log_z,
    enumerate_paths,
    random_lattice,
    random_transitions,
)

CASES = [
    (lengths, n_chains, n_tags, seed)
    for seed, (lengths, n_chains, n_tags) in enumerate(
        [
            ([1], 1, 9),
            ([2], 1, 9),
            ([5, 1, 0, 3], 1, 5),
            ([0, 4, 2, 4], 2, 5),
            ([3, 2, 1], 3, 3),
            ([4, 3], 1, 9),
            ([5], 1, 7),
            ([1, 1, 2], 4, 4),
        ]
    )
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("lengths,n_chains,n_tags,seed", CASES)
def test_partition_marginals_and_best_path_equal_brute_force(
    lengths, n_chains, n_tags, seed, dtype
):
    rng = numpy.random.default_rng(seed)
    lattice = random_lattice(rng, lengths, n_chains, n_tags, dtype=dtype)
    allowed_transitions = random_transitions(rng, n_tags)
    log_z = log_partition(lattice, allowed_transitions)
    marginals = tag_marginals(lattice, allowed_transitions)
    best = best_paths(lattice, allowed_transitions)
    bounds = numpy.cumsum([0, *lengths])
    for document, chain in itertools.product(range(len(lengths)), range(n_chains)):
        if not lengths[document]:
            assert log_z[document, chain] == 0
            continue
        paths, scores = enumerate_paths(lattice, allowed_transitions, document, chain)
        assert log_z[document, chain] == pytest.approx(brute_log_z(scores), abs=1e-4)
        weights = numpy.exp(scores - brute_log_z(scores))
        expected = numpy.zeros((lengths[document], n_tags))
        for path, weight in zip(paths, weights, strict=True):
            expected[range(len(path)), path] += weight
        rows = slice(bounds[document], bounds[document + 1])
        assert numpy.allclose(marginals[rows, chain], expected, atol=1e-5)
        assert tuple(best[rows, chain]) == paths[int(scores.argmax())]


@pytest.mark.parametrize("scheme", ["biluo", "iob2"])
@pytest.mark.parametrize("structure", ["flat", "per_label"])
@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_entity_probabilities_equal_brute_force(scheme, structure, scale):
    rng = numpy.random.default_rng(3)
    tags = TagSet(("A", "B"), scheme, structure)
    lattice = random_lattice(rng, [4, 1, 2, 3], tags.n_chains, tags.n_tags, scale)
    bounds = numpy.cumsum([0, *lattice.lengths])
    rows, expected = [], []
    for document in range(4):
        n = lattice.lengths[document]
        for start, end, label in itertools.product(range(n), range(1, n + 1), "AB"):
            if start >= end:
                continue
            chain, first_tag = tags.locate(label)
            first, last = bounds[document] + start, bounds[document] + end
            rows.append((chain, first, last, first_tag))
            paths, scores = enumerate_paths(
                lattice, tags.allowed_transitions, document, chain
            )
            probabilities = numpy.exp(scores - brute_log_z(scores))
            found = 0.0
            for path, probability in zip(paths, probabilities, strict=True):
                array = numpy.zeros((n, tags.n_chains), "int32")
                array[:, chain] = path
                found += probability * ((start, end, label) in tags.decode(array))
            expected.append(found)
    predicted = entity_probabilities(lattice, tags, numpy.array(rows))
    assert numpy.allclose(predicted, expected, atol=1e-6)


def test_entity_probabilities_over_a_word_sum_to_one():
    rng = numpy.random.default_rng(0)
    tags = TagSet(("A", "B", "C"))
    lattice = random_lattice(rng, [12], 1, tags.n_tags, dtype="float32")
    spans = [
        (0, start, end, tags.locate(label)[1])
        for label in "ABC"
        for start in range(12)
        for end in range(start + 1, 13)
    ]
    probabilities = entity_probabilities(lattice, tags, numpy.array(spans))
    outside = tag_marginals(lattice, tags.allowed_transitions)[:, 0, 0]
    for word in range(12):
        covering = [s <= word < e for _, s, e, _ in spans]
        assert probabilities[covering].sum() + outside[word] == pytest.approx(
            1, abs=1e-5
        )


def test_documents_that_need_log_space_are_mixed_with_the_others():
    rng = numpy.random.default_rng(5)
    tags = TagSet(("A", "B"))
    lattice = random_lattice(rng, [4, 6, 3, 5], 1, 9, dtype="float32")
    lattice.emissions[4:10, 3] -= 5000
    kinds = [type(chains) for _, chains, _ in solve(lattice, tags.allowed_transitions)]
    assert LogChains in kinds and len(kinds) == 2
    marginals = tag_marginals(lattice, tags.allowed_transitions)
    for document in range(4):
        alone = tag_marginals(lattice.select([document]), tags.allowed_transitions)
        rows = lattice.words_of([document])
        assert numpy.allclose(marginals[rows], alone, atol=1e-6)


# Scores for float32, for float64, and for log space.
@pytest.mark.parametrize("scale", [1.0, 12.0, 200.0])
def test_constraints_stay_with_their_documents(scale):
    """Documents of several lengths give the same in a batch and alone."""
    rng = numpy.random.default_rng(0)
    tags = TagSet(("A", "B", "C"))
    lattice = random_lattice(rng, [2, 0, 30, 9], 1, tags.n_tags, scale, "float32")
    allowed = rng.random(lattice.emissions.shape) < 0.7
    allowed[:, 0] = True
    marginals = tag_marginals(lattice, tags.allowed_transitions, allowed)
    spans = tags.find_spans(best_paths(lattice, tags.allowed_transitions, allowed))
    probabilities = entity_probabilities(lattice, tags, spans, allowed)
    for document in (0, 2, 3):
        alone, rows = lattice.select([document]), lattice.words_of([document])
        legal = tags.allowed_transitions
        expected = tag_marginals(alone, legal, allowed[rows])
        assert marginals[rows] == pytest.approx(expected, abs=1e-6)
        own = spans[numpy.isin(spans[:, 1], rows)]
        shifted = own - numpy.array([0, rows[0], rows[0], 0])
        found = entity_probabilities(alone, tags, shifted, allowed[rows])
        whole = probabilities[numpy.isin(spans[:, 1], rows)]
        assert whole == pytest.approx(found, abs=1e-6)


def test_a_long_document_is_linear_in_memory_and_exact():
    """20,000 words: probabilities still sum to one at every word."""
    tags = TagSet(("A", "B"))
    rng = numpy.random.default_rng(0)
    lattice = random_lattice(rng, [20_000, 1], 1, 9, dtype="float32")
    marginals = tag_marginals(lattice, tags.allowed_transitions)
    assert numpy.allclose(marginals.sum(axis=-1), 1, atol=1e-4)
