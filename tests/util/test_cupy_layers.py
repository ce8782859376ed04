"""Layers and operations for a GPU, computed by NumPy, against those of thinc."""

import numpy
import pytest
import torch
from spacy.ml.featureextractor import FeatureExtractor
from spacy.tokens import Doc
from spacy.vocab import Vocab
from thinc.api import HashEmbed, LayerNorm, NumpyOps, fix_random_seed

from spacy_ner_ext.util.cupy_layers import FORWARD, reduce_waits
from spacy_ner_ext.util.cupy_ops import FastCupyOps
from spacy_ner_ext.util.tensors import add_rows, norms_of, total_norm

CPU = NumpyOps(use_blis=False)


@pytest.fixture
def ops():
    made = FastCupyOps()
    made.xp = numpy
    return made


def draw(*shape):
    return numpy.random.default_rng(0).normal(size=shape).astype("float32")


def assert_equal(one, other):
    numpy.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


# --- Operations ---------------------------------------------------------------


@pytest.mark.parametrize("window", [1, 2])
@pytest.mark.parametrize("n", [1, 2, 7])
def test_windows_of_all_words(ops, window, n):
    X, dY = draw(n, 3), draw(n, 3 * (2 * window + 1))
    assert_equal(ops.seq2col(X, window), CPU.seq2col(X, window))
    assert_equal(ops.backprop_seq2col(dY, window), CPU.backprop_seq2col(dY, window))


def test_maxout_and_sums_of_rows(ops):
    best, which = CPU.maxout(draw(4, 5, 3))
    assert_equal(
        ops.backprop_maxout(best, which, 3), CPU.backprop_maxout(best, which, 3)
    )
    rows = numpy.array([[0, 1], [1, 1], [4, 0]], dtype="uint32")
    assert_equal(ops.gather_add(draw(5, 2), rows), CPU.gather_add(draw(5, 2), rows))
    table, other = draw(5, 2), draw(5, 2)
    ops.scatter_add(table, rows[:, 1].astype("int32"), draw(3, 2))
    CPU.scatter_add(other, rows[:, 1].astype("int32"), draw(3, 2))
    assert_equal(table, other)


@pytest.mark.parametrize("pad", [0, 2])
def test_lists_are_joined_with_gaps(ops, pad):
    arrays = [draw(2, 3), draw(0, 3), draw(4, 3)]
    joined = ops.flatten(arrays, pad=pad)
    assert_equal(joined, CPU.flatten(arrays, pad=pad))
    for found, array in zip(ops.unflatten(joined, [2, 0, 4], pad=pad), arrays):
        assert_equal(found, array)
    assert ops.flatten([], pad=pad).shape == (0, 0)


def test_lengths_are_remembered_while_they_live(ops):
    lengths = ops.asarray1i([2, 1])
    assert len(ops._on_host) == 1
    assert [len(part) for part in ops.unflatten(draw(3, 2), lengths)] == [2, 1]
    del lengths
    assert not ops._on_host
    assert ops.asarray1f([3]).tolist() == [3.0]


# --- Layers -------------------------------------------------------------------


def both(model, X, dY):
    """Output, gradient and gradients of weights of thinc's function and of ours."""
    results = []
    for forward in (model._func, lambda *args: FORWARD[model.name](model._func, *args)):
        for name in model.param_names:
            model.set_grad(name, numpy.zeros_like(model.get_param(name)))
        Y, backprop = forward(model, X, True)
        dX = backprop(dY.copy())
        results.append([Y, dX, *map(model.get_grad, model.param_names)])
    return results


def test_layer_norm():
    model = LayerNorm(6)
    model.initialize(X=draw(4, 6))
    model.set_param("G", draw(6))
    for one, other in zip(*both(model, draw(4, 6), draw(4, 6) * 2)):
        assert_equal(one, other)
    assert FORWARD["layernorm"](model._func, model, draw(0, 6), True)[0].shape == (0, 6)


@pytest.mark.parametrize("dropout", [None, 0.0, 0.5])
def test_hash_embed(dropout):
    model = HashEmbed(4, 10, seed=3, dropout=dropout)
    model.initialize()
    ids = numpy.array([5, 7, 5, 11], dtype="uint64")
    fix_random_seed(1)
    theirs, ours = both(model, ids, draw(4, 4))
    if not dropout:
        for one, other in zip(theirs, ours):
            assert_equal(one, other)
    assert len(FORWARD["hashembed"](model._func, model, ids[:0], True)[0]) == 0


def test_features():
    model = FeatureExtractor(["NORM", "SHAPE"])
    docs = [Doc(Vocab(), words=words) for words in (["a", "B"], [], ["c"])]
    theirs = model.predict(docs)
    ours, _ = FORWARD["extract_features"](model._func, model, docs, False)
    assert [array.tolist() for array in ours] == [array.tolist() for array in theirs]
    assert FORWARD["extract_features"](model._func, model, [], False)[0] == []


def test_models_on_the_cpu_stay_as_they_are():
    model = LayerNorm(3)
    before = model._func, model.ops
    reduce_waits(model)
    assert (model._func, model.ops) == before


# --- Tensors ------------------------------------------------------------------


def test_norms_and_sums_of_tensors():
    tensors = [torch.tensor([3.0, 4.0]), torch.zeros(2, 2), torch.tensor(2.0)]
    norms = norms_of(tensors)
    assert norms.tolist() == [5.0, 0.0, 2.0]
    assert total_norm(norms) == pytest.approx(29**0.5)
    assert norms_of([]).shape == (0,) and total_norm(norms_of([])) == 0
    rows = torch.tensor([1, 1])
    assert add_rows(torch.zeros(3), rows, torch.ones(2)).tolist() == [0, 2, 0]
