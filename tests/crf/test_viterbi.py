"""The best tag sequence against brute force."""

from dataclasses import replace

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_ner_ext.crf.marginals import log_partition, tag_marginals
from spacy_ner_ext.crf.objectives import OBJECTIVES
from spacy_ner_ext.crf.tags import TagSet
from spacy_ner_ext.crf.viterbi import best_paths
from tests.helpers.lattices import brute_log_z, enumerate_paths, random_lattice


def test_two_words_decode_to_the_whole_entity():
    tags = TagSet(("A",))
    lattice = random_lattice(numpy.random.default_rng(0), [2], 1, 5, scale=0.0)
    begin, last = 1, 3
    lattice.emissions[[0, 1], [begin, last]] = 10
    assert tags.decode(best_paths(lattice, tags.allowed_transitions)) == [(0, 2, "A")]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("seed", range(8))
def test_extreme_emissions_neither_overflow_nor_lose_the_best_path(seed, dtype):
    rng = numpy.random.default_rng(seed)
    tags = TagSet(("A", "B"))
    lattice = random_lattice(rng, [5, 3], 1, 9, dtype=dtype)
    signs = rng.choice([-1e4, 1e4], lattice.emissions.shape)
    lattice = replace(lattice, emissions=(lattice.emissions + signs).astype(dtype))
    best = best_paths(lattice, tags.allowed_transitions)[:, 0]
    log_z = log_partition(lattice, tags.allowed_transitions)
    bounds = [0, 5, 8]
    gold = best.reshape(-1, 1)
    for document in range(2):
        paths, scores = enumerate_paths(lattice, tags.allowed_transitions, document, 0)
        chosen = tuple(best[bounds[document] : bounds[document + 1]])
        score = scores[paths.index(chosen)]
        assert score == pytest.approx(scores.max(), abs=1e-2)
        assert log_z[document, 0] == pytest.approx(brute_log_z(scores), abs=1e-2)
    for objective in ("joint", "marginal", "independent"):
        loss, gradient = OBJECTIVES[objective](lattice, gold, tags.allowed_transitions)
        assert numpy.isfinite(loss)
        assert numpy.isfinite(gradient.emissions).all()
        assert numpy.isfinite(gradient.transitions).all()


@pytest.mark.parametrize("scheme", ["biluo", "iob2"])
@pytest.mark.parametrize("n_labels", [5, 12])
def test_block_structure_finds_the_path_of_the_full_search(scheme, n_labels):
    rng = numpy.random.default_rng(n_labels)
    labels = tuple(f"L{i}" for i in range(n_labels))
    tags = TagSet(labels, scheme)
    lattice = random_lattice(rng, [9, 1, 2, 30], 1, tags.n_tags, 2.0, "float32")
    full = replace(tags.allowed_transitions, blocks=None)
    assert tags.n_tags < 20 or tags.allowed_transitions.blocks is not None
    allowed = numpy.ones(lattice.emissions.shape, bool)
    allowed[3:5, 1:] = False
    for mask in (None, allowed):
        blocks = best_paths(lattice, tags.allowed_transitions, mask)
        assert (blocks == best_paths(lattice, full, mask)).all()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_constrained_search_equals_brute_force(data):
    seed = data.draw(st.integers(0, 10_000))
    n_words = data.draw(st.integers(1, 5))
    scheme = data.draw(st.sampled_from(["biluo", "iob2"]))
    rng = numpy.random.default_rng(seed)
    tags = TagSet(("A",), scheme)
    lattice = random_lattice(rng, [n_words], 1, tags.n_tags)
    allowed = rng.random((n_words, tags.n_tags)) < 0.7
    allowed[:, 0] = True
    paths, scores = enumerate_paths(lattice, tags.allowed_transitions, 0, 0, allowed)
    best = best_paths(lattice, tags.allowed_transitions, allowed)[:, 0]
    assert tuple(best) == paths[int(scores.argmax())]
    marginals = tag_marginals(lattice, tags.allowed_transitions, allowed)[:, 0]
    assert not marginals[~allowed].any()
    assert numpy.allclose(marginals.sum(axis=1), 1)
