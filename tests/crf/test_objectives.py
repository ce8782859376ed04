"""Losses and gradients against brute force, finite differences and pytorch-crf."""

from dataclasses import replace

import numpy
import pytest
import torch
import torchcrf

from spacy_ner_ext.crf.objectives import OBJECTIVES, allowed_tags
from spacy_ner_ext.crf.tags import MISSING, AllowedTransitions, TagSet
from spacy_ner_ext.crf.viterbi import best_paths
from tests.helpers.lattices import (
    brute_log_z,
    enumerate_paths,
    random_lattice,
    random_transitions,
)


@pytest.mark.parametrize("objective", ["joint", "marginal", "independent"])
@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("scale", [1.0, 40.0])
def test_gradients_equal_finite_differences(objective, gaps, scale):
    rng = numpy.random.default_rng(7)
    tags = TagSet(("A", "B"), "biluo", "per_label")
    lattice = random_lattice(rng, [4, 0, 1, 2, 3], 2, 5, scale)
    gold = numpy.concatenate(
        [
            tags.encode([(0, 2, "A"), (1, 4, "B")], 4),
            tags.encode([(0, 1, "B")], 1),
            tags.encode([(0, 2, "A")], 2),
            tags.encode([], 3),
        ]
    )
    if gaps:
        gold[[0, 3, 4, 5, 7], [0, 1, 0, 0, 1]] = MISSING
        gold[9:] = MISSING
    compute = OBJECTIVES[objective]
    _, gradient = compute(lattice, gold, tags.allowed_transitions)
    step = 1e-5
    for name in ("emissions", "transitions", "start", "end"):
        scores, slope = getattr(lattice, name), getattr(gradient, name)
        for index in numpy.ndindex(scores.shape):
            up, down = scores.copy(), scores.copy()
            up[index] += step
            down[index] -= step
            above, _ = compute(
                replace(lattice, **{name: up}), gold, tags.allowed_transitions
            )
            below, _ = compute(
                replace(lattice, **{name: down}), gold, tags.allowed_transitions
            )
            estimate = (above - below) / (2 * step)
            assert slope[index] == pytest.approx(estimate, abs=2e-4), (name, index)


@pytest.mark.parametrize("objective", ["joint", "marginal"])
def test_losses_equal_brute_force(objective):
    rng = numpy.random.default_rng(11)
    allowed_transitions = random_transitions(rng, 4)
    lattice = random_lattice(rng, [4, 3], 1, 4)
    bounds = [0, 4, 7]
    gold = numpy.zeros((7, 1), dtype="int32")
    gold[[1, 5]] = MISSING
    allowed = allowed_tags(gold, 4)
    expected = 0.0
    for document in range(2):
        paths, scores = enumerate_paths(lattice, allowed_transitions, document, 0)
        log_z = brute_log_z(scores)
        if objective == "joint":
            _, agreeing = enumerate_paths(
                lattice, allowed_transitions, document, 0, allowed
            )
            expected += log_z - brute_log_z(agreeing)
            continue
        weights = numpy.exp(scores - log_z)
        for i, tag in enumerate(gold[bounds[document] : bounds[document + 1], 0]):
            if tag != MISSING:
                through = [path[i] == tag for path in paths]
                expected -= numpy.log(weights[through].sum())
    loss, _ = OBJECTIVES[objective](lattice, gold, allowed_transitions)
    assert loss == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("objective", ["joint", "marginal", "independent"])
def test_missing_gold_gives_no_loss_and_no_gradient(objective):
    tags = TagSet(("A",))
    lattice = random_lattice(numpy.random.default_rng(0), [3, 0, 2], 1, 5)
    gold = numpy.full((5, 1), MISSING)
    loss, gradient = OBJECTIVES[objective](lattice, gold, tags.allowed_transitions)
    assert loss == 0
    for name in ("emissions", "transitions", "start", "end"):
        assert not getattr(gradient, name).any()


@pytest.mark.parametrize("objective", ["joint", "marginal"])
@pytest.mark.parametrize("scheme", ["biluo", "iob2"])
def test_invalid_transitions_get_no_gradient(objective, scheme):
    tags = TagSet(("A", "B"), scheme)
    lattice = random_lattice(
        numpy.random.default_rng(0), [6, 3], 1, tags.n_tags, dtype="float32"
    )
    gold = tags.encode([(1, 4, "A"), (6, 7, "B")], 9)
    _, gradient = OBJECTIVES[objective](lattice, gold, tags.allowed_transitions)
    assert not gradient.transitions[0][~tags.allowed_transitions.transitions].any()
    assert not gradient.start[0][~tags.allowed_transitions.start].any()
    assert not gradient.end[0][~tags.allowed_transitions.end].any()


@pytest.mark.parametrize(
    "n_tags,n_words,n_docs", [(9, 20, 6), (25, 40, 4), (60, 12, 3)]
)
def test_equals_pytorch_crf(n_tags, n_words, n_docs):
    rng = numpy.random.default_rng(n_tags)
    lengths = sorted(rng.integers(1, n_words + 1, n_docs).tolist(), reverse=True)
    lattice = random_lattice(rng, lengths, 1, n_tags, dtype="float32")
    everything = numpy.ones((n_tags, n_tags), bool)
    allowed_transitions = AllowedTransitions(everything, everything[0], everything[0])
    gold = rng.integers(0, n_tags, (sum(lengths), 1))
    peer = torchcrf.CRF(n_tags, batch_first=True)
    with torch.no_grad():
        peer.transitions.copy_(torch.tensor(lattice.transitions[0]))
        peer.start_transitions.copy_(torch.tensor(lattice.start[0]))
        peer.end_transitions.copy_(torch.tensor(lattice.end[0]))
    padded = torch.zeros(n_docs, lengths[0], n_tags)
    tags = torch.zeros(n_docs, lengths[0], dtype=torch.long)
    mask = torch.zeros(n_docs, lengths[0], dtype=torch.bool)
    bounds = numpy.cumsum([0, *lengths])
    for i, n in enumerate(lengths):
        rows = slice(bounds[i], bounds[i + 1])
        padded[i, :n] = torch.tensor(lattice.emissions[rows])
        tags[i, :n] = torch.tensor(gold[rows, 0])
        mask[i, :n] = True
    padded.requires_grad_()
    peer_loss = -peer(padded, tags, mask=mask, reduction="sum")
    peer_loss.backward()
    loss, gradient = OBJECTIVES["joint"](lattice, gold, allowed_transitions)
    assert loss == pytest.approx(peer_loss.item(), rel=1e-4)
    for i, n in enumerate(lengths):
        rows = slice(bounds[i], bounds[i + 1])
        peer_slope = padded.grad[i, :n].numpy()
        assert numpy.allclose(gradient.emissions[rows], peer_slope, atol=1e-4)
    assert numpy.allclose(gradient.transitions[0], peer.transitions.grad, atol=1e-4)
    assert numpy.allclose(gradient.start[0], peer.start_transitions.grad, atol=1e-4)
    assert numpy.allclose(gradient.end[0], peer.end_transitions.grad, atol=1e-4)
    decoded = peer.decode(padded.detach(), mask=mask)
    assert best_paths(lattice, allowed_transitions)[:, 0].tolist() == [
        tag for tags_ in decoded for tag in tags_
    ]
