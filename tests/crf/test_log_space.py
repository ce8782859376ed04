"""Forward-backward in log space equals that in scaled probability space."""

import numpy
import pytest

from spacy_ner_ext.crf import marginals
from spacy_ner_ext.crf.log_space import LogChains
from spacy_ner_ext.crf.objectives import OBJECTIVES
from spacy_ner_ext.crf.tags import MISSING, TagSet
from spacy_ner_ext.crf.viterbi import best_paths
from tests.helpers.lattices import random_lattice

LENGTHS = [5, 0, 2, 9, 1]


def draw(tags, seed=0):
    rng = numpy.random.default_rng(seed)
    return random_lattice(rng, LENGTHS, tags.n_chains, tags.n_tags)


def in_log_space(monkeypatch, compute):
    """The result of a function, and that in log space."""
    scaled = compute()
    monkeypatch.setattr(marginals, "ScaledChains", LogChains)
    return scaled, compute()


@pytest.mark.parametrize("structure", ["flat", "per_label"])
@pytest.mark.parametrize("objective", ["joint", "marginal"])
def test_losses_and_gradients(monkeypatch, structure, objective):
    tags = TagSet(("A", "B"), structure=structure)
    lattice, legal = draw(tags), tags.allowed_transitions
    gold = best_paths(draw(tags, seed=1), legal)
    gold[3, 0] = MISSING
    (loss, gradient), (log_loss, log_gradient) = in_log_space(
        monkeypatch, lambda: OBJECTIVES[objective](lattice, gold, legal)
    )
    assert log_loss == pytest.approx(loss)
    for name in ("emissions", "transitions", "start", "end"):
        expected = getattr(gradient, name)
        assert getattr(log_gradient, name) == pytest.approx(expected, abs=1e-9), name


@pytest.mark.parametrize("scheme", ["biluo", "iob2"])
@pytest.mark.parametrize("structure", ["flat", "per_label"])
def test_probabilities(monkeypatch, scheme, structure):
    tags = TagSet(("A", "B"), scheme, structure)
    lattice, legal = draw(tags), tags.allowed_transitions
    spans = tags.find_spans(best_paths(lattice, legal))
    scaled, logs = in_log_space(
        monkeypatch,
        lambda: (
            marginals.log_partition(lattice, legal),
            marginals.tag_marginals(lattice, legal),
            marginals.entity_probabilities(lattice, tags, spans),
        ),
    )
    for expected, found in zip(scaled, logs, strict=True):
        assert found == pytest.approx(expected, abs=1e-9)
