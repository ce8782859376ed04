"""Recursions over pieces of documents equal those over whole documents."""

import numpy
import pytest

from spacy_ner_ext.crf import forward_backward, viterbi
from spacy_ner_ext.crf.blocks import block_length
from spacy_ner_ext.crf.forward_backward import from_chains
from spacy_ner_ext.crf.log_space import LogChains
from spacy_ner_ext.crf.marginals import (
    entity_probabilities,
    log_partition,
    tag_marginals,
)
from spacy_ner_ext.crf.objectives import OBJECTIVES
from spacy_ner_ext.crf.packing import Packing
from spacy_ner_ext.crf.tags import MISSING, TagSet
from spacy_ner_ext.crf.viterbi import best_paths
from tests.helpers.lattices import random_lattice

LENGTHS = [7, 1, 0, 23, 4, 12, 8]


def whole_and_cut(monkeypatch, length, compute):
    """The result with whole documents, and with pieces of at most `length` words."""
    whole = compute()
    for module in (forward_backward, viterbi):
        monkeypatch.setattr(module, "block_length", lambda *_: length)
    return whole, compute()


def draw(tags, seed=0, lengths=LENGTHS, dtype="float32", scale=1.0):
    rng = numpy.random.default_rng(seed)
    shape = tags.n_chains, tags.n_tags
    return random_lattice(rng, lengths, *shape, dtype=dtype, scale=scale)


@pytest.mark.parametrize("length", [1, 2, 3, 4, 30])
@pytest.mark.parametrize("structure", ["flat", "per_label"])
@pytest.mark.parametrize("objective", ["joint", "marginal"])
def test_losses_and_gradients(monkeypatch, length, structure, objective):
    tags = TagSet(("A", "B"), structure=structure)
    lattice, allowed = draw(tags, dtype="float64"), tags.allowed_transitions
    gold = best_paths(draw(tags, seed=1), allowed)
    gold[[3, 20, 21], 0] = MISSING
    (loss, gradient), (other_loss, other) = whole_and_cut(
        monkeypatch, length, lambda: OBJECTIVES[objective](lattice, gold, allowed)
    )
    assert other_loss == pytest.approx(loss, rel=1e-9)
    for name in ("emissions", "transitions", "start", "end"):
        expected = getattr(gradient, name)
        assert getattr(other, name) == pytest.approx(expected, abs=1e-8), name


def test_a_long_document(monkeypatch):
    tags = TagSet(tuple("ABCDEF"))
    lattice, allowed = draw(tags, lengths=[2000, 300]), tags.allowed_transitions
    gold = best_paths(draw(tags, seed=1, lengths=[2000, 300]), allowed)
    (loss, gradient), (other_loss, other) = whole_and_cut(
        monkeypatch, 45, lambda: OBJECTIVES["joint"](lattice, gold, allowed)
    )
    assert other_loss == pytest.approx(loss, rel=1e-6)
    for name in ("emissions", "transitions", "start", "end"):
        expected = getattr(gradient, name)
        # Those of transitions are sums over all words.
        tolerance = 1e-5 * max(1.0, float(abs(expected).max()))
        assert getattr(other, name) == pytest.approx(expected, rel=0, abs=tolerance)


@pytest.mark.parametrize("scale", [5.0, 8.0, 12.0, 40.0, 300.0])
@pytest.mark.parametrize("length", [6, 20])
def test_no_path_that_matters_is_lost(monkeypatch, length, scale):
    """Neither by float32 in whole documents, nor in pieces."""
    tags = TagSet(tuple("ABCDEF"))
    legal = tags.allowed_transitions
    for seed in range(3):
        lengths = numpy.random.default_rng(seed).integers(5, 120, 12).tolist()
        lattice = draw(tags, seed, lengths, scale=scale)
        exact = LogChains(lattice, legal)
        expected = from_chains(exact.marginals, exact.packing)[:, None]
        for marginals in whole_and_cut(
            monkeypatch,
            length,
            lambda lattice=lattice: tag_marginals(lattice, legal),
        ):
            assert marginals == pytest.approx(expected, abs=1e-4)
        monkeypatch.undo()


@pytest.mark.parametrize("length", [1, 2, 5, 30])
@pytest.mark.parametrize("scheme", ["biluo", "iob2"])
@pytest.mark.parametrize("structure", ["flat", "per_label"])
def test_marginals_and_probabilities(monkeypatch, length, scheme, structure):
    tags = TagSet(("A", "B"), scheme, structure)
    lattice, allowed = draw(tags), tags.allowed_transitions
    spans = tags.find_spans(best_paths(lattice, allowed))

    def compute():
        return (
            tag_marginals(lattice, allowed),
            log_partition(lattice, allowed),
            entity_probabilities(lattice, tags, spans),
        )

    whole, cut = whole_and_cut(monkeypatch, length, compute)
    for expected, found in zip(whole, cut, strict=True):
        assert found == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_packing_in_pieces():
    packing = Packing.from_lengths([5, 0, 2], 2)
    assert packing.sizes == [4, 3]
    words = numpy.arange(7)
    assert sorted(packing.rows) == words.tolist()
    # The words, their predecessors, and the first and last words of both documents.
    assert packing.rows[packing.after].tolist() == [2, 4, 1, 3, 6]
    assert packing.rows[packing.before].tolist() == [1, 3, 0, 2, 5]
    assert packing.rows[packing.first].tolist() == [0, 5]
    assert packing.rows[packing.last].tolist() == [4, 6]
    assert packing.order[packing.document[numpy.argsort(packing.rows)]].tolist() == [
        *(0, 0, 0, 0, 0, 2, 2)
    ]


def test_a_cpu_takes_whole_documents():
    tags = TagSet(("A",))
    assert block_length(draw(tags, lengths=[5000]), forward_backward.COST) is None


@pytest.mark.parametrize("length", [1, 2, 5, 30])
@pytest.mark.parametrize("scheme", ["biluo", "iob2"])
@pytest.mark.parametrize("structure", ["flat", "per_label"])
@pytest.mark.parametrize("n_labels", [2, 7])
def test_best_paths(monkeypatch, length, scheme, structure, n_labels):
    tags = TagSet(tuple("ABCDEFG"[:n_labels]), scheme, structure)
    lattice = draw(tags)
    mask = numpy.random.default_rng(3).random(lattice.emissions.shape) < 0.7
    mask[:, :: tags.n_tags] = True
    for allowed in (None, mask):
        whole, cut = whole_and_cut(
            monkeypatch,
            length,
            lambda allowed=allowed: best_paths(
                lattice, tags.allowed_transitions, allowed
            ),
        )
        assert (whole == cut).all()
        monkeypatch.undo()
