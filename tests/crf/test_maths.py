"""The CRF against brute force over all paths, and against pytorch-crf."""

import itertools
from dataclasses import replace

import numpy
import pytest
import torch
import torchcrf
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_ner_ext.crf.lattice import Lattice
from spacy_ner_ext.crf.log_space import LogChains
from spacy_ner_ext.crf.marginals import (
    entity_probabilities,
    log_partition,
    solve,
    tag_marginals,
)
from spacy_ner_ext.crf.ner import decode
from spacy_ner_ext.crf.objectives import OBJECTIVES, allowed_tags
from spacy_ner_ext.crf.tags import MISSING, AllowedTransitions, TagSet
from spacy_ner_ext.crf.viterbi import best_paths


def random_lattice(rng, lengths, n_chains, n_tags, scale=1.0, dtype="float64"):
    def draw(*shape):
        return (rng.normal(size=shape) * scale).astype(dtype)

    return Lattice(
        draw(sum(lengths), n_chains * n_tags),
        list(lengths),
        draw(n_chains, n_tags, n_tags),
        draw(n_chains, n_tags),
        draw(n_chains, n_tags),
    )


def random_transitions(rng, n_tags):
    """A random mask that leaves at least one path: tag 0 may always follow itself."""
    transitions = rng.random((n_tags, n_tags)) < 0.6
    start, end = rng.random(n_tags) < 0.6, rng.random(n_tags) < 0.6
    transitions[0, 0] = start[0] = end[0] = True
    return AllowedTransitions(transitions, start, end)


def enumerate_paths(lattice, allowed_transitions, document, chain, allowed=None):
    """Every legal path of one chain of a document, and its score."""
    bounds = numpy.cumsum([0, *lattice.lengths])
    first, last = bounds[document], bounds[document + 1]
    shape = (-1, lattice.n_chains, lattice.n_tags)
    emissions = lattice.emissions.reshape(shape)[first:last, chain].astype("float64")
    open_ = numpy.ones(emissions.shape, bool)
    if allowed is not None:
        open_ = allowed.reshape(shape)[first:last, chain]
    transitions = lattice.transitions[chain].astype("float64")
    paths, scores = [], []
    for path in itertools.product(range(lattice.n_tags), repeat=last - first):
        steps = list(itertools.pairwise(path))
        legal = allowed_transitions.start[path[0]] and allowed_transitions.end[path[-1]]
        legal = legal and all(allowed_transitions.transitions[step] for step in steps)
        if not (legal and all(open_[i, tag] for i, tag in enumerate(path))):
            continue
        paths.append(path)
        scores.append(
            sum(emissions[i, tag] for i, tag in enumerate(path))
            + sum(transitions[step] for step in steps)
            + float(lattice.start[chain][path[0]])
            + float(lattice.end[chain][path[-1]])
        )
    return paths, numpy.array(scores)


def brute_log_z(scores):
    return scores.max() + numpy.log(numpy.exp(scores - scores.max()).sum())


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


@pytest.mark.parametrize("scheme", ["biluo", "iob2"])
@pytest.mark.parametrize("structure", ["flat", "per_label"])
@pytest.mark.parametrize("temperature", [0.01, 0.6, 1.7, 100.0])
def test_tempered_probabilities_equal_brute_force(scheme, structure, temperature):
    rng = numpy.random.default_rng(5)
    tags = TagSet(("A", "B"), scheme, structure)
    lattice = random_lattice(rng, [4, 0, 3, 3, 2, 2], tags.n_chains, tags.n_tags)
    decoded = decode(lattice, tags, None)
    expected = []
    for document, start, end, label in decoded.spans:
        chain, _ = tags.locate(label)
        paths, scores = enumerate_paths(
            lattice, tags.allowed_transitions, document, chain
        )
        weights = numpy.exp((scores - scores.max()) / temperature)
        found = 0.0
        for path, weight in zip(paths, weights / weights.sum(), strict=True):
            array = numpy.zeros((len(path), tags.n_chains), "int32")
            array[:, chain] = path
            found += weight * ((start, end, label) in tags.decode(array))
        expected.append(found)
    assert len(expected) > 4
    probabilities = decoded.probabilities(temperature)
    assert numpy.allclose(probabilities, expected, atol=1e-6)


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
def test_illegal_transitions_get_no_gradient(objective, scheme):
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


def test_documents_that_need_log_space_are_mixed_with_the_others():
    rng = numpy.random.default_rng(5)
    tags = TagSet(("A", "B"))
    lattice = random_lattice(rng, [4, 6, 3, 5], 1, 9, dtype="float32")
    lattice.emissions[4:10, 3] -= 500
    kinds = [type(chains) for _, chains in solve(lattice, tags.allowed_transitions)]
    assert LogChains in kinds and len(kinds) == 2
    marginals = tag_marginals(lattice, tags.allowed_transitions)
    for document in range(4):
        alone = tag_marginals(lattice.select([document]), tags.allowed_transitions)
        rows = lattice.words_of([document])
        assert numpy.allclose(marginals[rows], alone, atol=1e-6)


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


def test_a_long_document_is_linear_in_memory_and_exact():
    """20,000 words: probabilities still sum to one at every word."""
    tags = TagSet(("A", "B"))
    rng = numpy.random.default_rng(0)
    lattice = random_lattice(rng, [20_000, 1], 1, 9, dtype="float32")
    marginals = tag_marginals(lattice, tags.allowed_transitions)
    assert numpy.allclose(marginals.sum(axis=-1), 1, atol=1e-4)
