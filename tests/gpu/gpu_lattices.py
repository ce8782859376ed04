"""The CRF on a GPU: equal to the CPU, in the same order at each run, and with few
launches, waits and copies."""

from dataclasses import replace

import cupy
import numpy
import pytest

from spacy_ner_ext.crf import packing
from spacy_ner_ext.crf import tags as tag_sets
from spacy_ner_ext.crf.lattice import SCORES
from spacy_ner_ext.crf.marginals import (
    entity_probabilities,
    log_partition,
    tag_marginals,
)
from spacy_ner_ext.crf.ner import decode
from spacy_ner_ext.crf.objectives import OBJECTIVES
from spacy_ner_ext.crf.tags import MISSING, TagSet
from spacy_ner_ext.crf.viterbi import best_paths
from tests.helpers import fake_gpu
from tests.helpers.fake_gpu.compare import assert_close, to_host
from tests.helpers.lattices import random_lattice

LABELS = tuple("ABCDEF")


def draw(tags, lengths, scale=1.0, seed=0):
    rng = numpy.random.default_rng(seed)
    shape = tags.n_chains, tags.n_tags
    return random_lattice(rng, lengths, *shape, dtype="float32", scale=scale)


def on_gpu(lattice):
    arrays = {name: cupy.asarray(getattr(lattice, name)) for name in SCORES}
    return replace(lattice, **arrays)


def assert_equal(compute, lattice, tolerance=1e-5):
    """The result is the same on the CPU and on the GPU, and exactly at each run."""
    first, second = (to_host(compute(on_gpu(lattice))) for _ in range(2))
    assert_close(first, second, 0)
    assert_close(to_host(compute(lattice)), first, tolerance)


def everything(tags, path):
    """All that is computed from a lattice."""
    legal, gold = tags.allowed_transitions, path.copy()
    gold[3::7, 0] = MISSING
    allowed = numpy.ones((*path.shape, tags.n_tags), dtype=bool)
    allowed[::5] = numpy.arange(tags.n_tags) == path[::5, :, None]
    allowed = allowed.reshape(len(path), -1)

    def compute(lattice):
        xp = cupy if isinstance(lattice.emissions, cupy.ndarray) else numpy
        results = [log_partition(lattice, legal)]
        for mask in (None, allowed):
            given = mask if mask is None else xp.asarray(mask)
            results.append(tag_marginals(lattice, legal, given))
            found = decode(lattice, tags, mask, entity_bias=0.5)
            results += [found.spans, found.probabilities(1.0), found.probabilities(3.0)]
        for objective in OBJECTIVES.values():
            loss, gradient = objective(lattice, gold, legal)
            mean = gradient.scaled(1 / len(gold))
            results += [loss / len(gold), *(getattr(mean, name) for name in SCORES)]
        return results

    return compute


# Scores that float32, float64 and only logarithms can represent.
@pytest.mark.parametrize("scale", [1.0, 12.0, 200.0])
@pytest.mark.parametrize("scheme", ["biluo", "iob2"])
@pytest.mark.parametrize("structure", ["flat", "per_label"])
def test_all_results_equal_those_of_the_cpu(scheme, structure, scale):
    tags = TagSet(LABELS[:3], scheme, structure)
    for lengths in ([7, 1, 0, 12, 3], [40, 2, 13]):
        lattice = draw(tags, lengths, scale)
        path = best_paths(lattice, tags.allowed_transitions)
        assert_equal(everything(tags, path), lattice, 1e-4)


def measure(call):
    with fake_gpu.count() as work:
        call()
    assert not work.host_arrays and not work.unordered
    return work.totals()


@pytest.mark.parametrize("objective", ["joint", "marginal"])
@pytest.mark.parametrize("structure", ["flat", "per_label"])
def test_a_loss_waits_once_and_copies_twice(objective, structure):
    tags = TagSet(LABELS, structure=structure)
    packing._pack.cache_clear()
    tag_sets._allowed_transitions.cache_clear()
    works = []
    # The first batch puts the constants of the tag set on the device.
    for lengths in ([30] * 128, [31, 29, *[30] * 126]):
        lattice, legal = draw(tags, lengths), tags.allowed_transitions
        gold = best_paths(lattice, legal)
        device = on_gpu(lattice)
        works.append(measure(lambda: OBJECTIVES[objective](device, gold, legal)))  # noqa: B023
    assert [(work["waits"], work["copies"]) for work in works] == [(1, 3), (1, 2)]
    assert works[1]["launches"] <= {"joint": 245, "marginal": 485}[objective]


@pytest.mark.parametrize("scheme", ["biluo", "iob2"])
def test_launches_depend_neither_on_entities_nor_on_labels(scheme):
    counts = []
    for n_labels in (2, 20):
        tags = TagSet(tuple(f"L{i}" for i in range(n_labels)), scheme)
        lattice = draw(tags, [30] * 128)
        spans = tags.find_spans(best_paths(lattice, tags.allowed_transitions))
        firsts = numpy.unique(lattice.document_of(spans[:, 1])[0], return_index=True)[1]
        lattice = on_gpu(lattice)
        for chosen in (spans[firsts], spans):
            entity_probabilities(lattice, tags, chosen)
            counts.append(
                measure(lambda: entity_probabilities(lattice, tags, chosen))  # noqa: B023
            )
    assert [count["waits"] for count in counts] == [1] * 4
    assert counts[0] == counts[1] and counts[2] == counts[3]
    assert max(count["launches"] for count in counts) <= 205


def test_long_documents_need_few_steps():
    tags, lengths = TagSet(LABELS), [2000] * 8
    lattice, legal = draw(tags, lengths), tags.allowed_transitions
    gold = best_paths(lattice, legal)
    device = on_gpu(lattice)
    assert measure(lambda: OBJECTIVES["joint"](device, gold, legal))["launches"] < 800
    assert measure(lambda: OBJECTIVES["marginal"](device, gold, legal))["launches"] < (
        2000
    )
    assert measure(lambda: best_paths(device, legal))["launches"] < 550
    assert (best_paths(device, legal) == gold).all()
