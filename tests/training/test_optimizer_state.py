"""Training that continues from a saved optimizer, against training without a stop."""

import json
import re

import numpy
import pytest
import safetensors.numpy
import torch
from spacy.training import Example
from thinc.api import SGD, Adam, RAdam, fix_random_seed

from spacy_ner_ext.encoder.torch_shim import GradientScaler
from spacy_ner_ext.tools.train.checkpoint import _put_arrays, _take_arrays
from spacy_ner_ext.training.optimizer import make_adam
from spacy_ner_ext.training.optimizer_state import OptimizerState, ScalerState
from spacy_ner_ext.training.schedules import linear_warmup
from tests.helpers.encoders import encoder_folder
from tests.helpers.pipelines import (
    TOK2VEC,
    build,
    crf,
    listener,
    make_examples,
    step,
    text_cnn,
)
from tests.helpers.weights import LSTM, nodes, start, transformer, values_of

MAKERS = {
    "cnn": lambda: {
        "tok2vec": {"model": TOK2VEC},
        "text_cnn": text_cnn(listener("tok2vec")),
        "crf_ner": crf(listener("text_cnn")),
    },
    "encoder": lambda: {"crf_ner": crf(transformer(encoder_folder()))},
    "torch": lambda: {"crf_ner": crf(LSTM)},
}
OPTIMIZERS = {
    "grouped": lambda: make_adam(
        linear_warmup(0.01, 12, 0.3, 0.001),
        groups={"crf": {"pattern": r"\.crf\.", "learn_rate": 0.02}},
    ),
    "all_settings": lambda: make_adam(
        0.01,
        averages=0.9,
        grad_max_norm=2.0,
        spikes="clip_mean",
        spike_window=3,
        spike_deviations=0.1,
    ),
    "adam": lambda: Adam(0.01, L2=0.01, use_averages=True),
    "radam": lambda: RAdam(0.01, use_averages=True),
    "sgd": lambda: SGD(0.01, use_averages=False),
}


def batches(nlp, n):
    """Some of which have no word, and others no gradient for some weights."""
    examples = make_examples(nlp)
    empty = Example(nlp.make_doc(""), nlp.make_doc(""))
    return [[empty] if i % 4 == 2 else examples[i % 3 : i % 3 + 2] for i in range(n)]


def follow(nlp, optimizer, examples):
    for batch in examples:
        step(nlp, batch, optimizer)
        optimizer.step_schedules()


def through_files(state):
    """A state as it is read from a safetensors file and a JSON file."""
    arrays = {}
    text = json.dumps(_take_arrays(state, arrays), allow_nan=False)
    loaded = safetensors.numpy.load(safetensors.numpy.save(arrays))
    return _put_arrays(json.loads(text), loaded)


def save(optimizer, nlp):
    return OptimizerState(optimizer, nlp).state()


def restore(optimizer, nlp, state):
    OptimizerState(optimizer, nlp).restore(state)


def bind(optimizer, nlp):
    if hasattr(optimizer, "bind"):
        optimizer.bind(nlp)
    return optimizer


def assert_same(one, other):
    assert one.keys() == other.keys()
    for path in one:
        assert numpy.array_equal(one[path], other[path]), path


@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.parametrize("pipes", MAKERS)
@pytest.mark.parametrize("n_before", [0, 5])
def test_it_continues_bit_for_bit(pipes, kind, n_before):
    nlp, _ = start(MAKERS[pipes]())
    optimizer = bind(OPTIMIZERS[kind](), nlp)
    examples = batches(nlp, 10)
    follow(nlp, optimizer, examples[:n_before])
    weights = nlp.to_bytes()
    state = through_files(save(optimizer, nlp))
    fix_random_seed(1)
    follow(nlp, optimizer, examples[n_before:])

    other = build(MAKERS[pipes]())
    other.initialize(lambda: make_examples(other))
    other.from_bytes(weights)
    restored = OPTIMIZERS[kind]()
    restore(restored, other, state)
    for _ in range(n_before):
        restored.step_schedules()
    fix_random_seed(1)
    follow(other, restored, batches(other, 10)[n_before:])
    assert_same(values_of(nlp), values_of(other))
    assert_same_state(save(restored, other), save(optimizer, nlp))
    assert_same(averages_of(other, restored), averages_of(nlp, optimizer))


def assert_same_state(one, other):
    arrays = {}, {}
    facts = [_take_arrays(s, a) for s, a in zip((one, other), arrays, strict=True)]
    assert_same(*arrays)
    assert facts[0] == facts[1]


def averages_of(nlp, optimizer):
    """What an evaluation sees."""
    with nlp.use_params(optimizer.averages):
        return values_of(nlp)


def test_schedules_are_all_that_is_left_out():
    """Saving twice gives the same, and changes nothing."""
    nlp, examples = start(MAKERS["encoder"]())
    optimizer = bind(OPTIMIZERS["all_settings"](), nlp)
    follow(nlp, optimizer, [examples] * 4)
    assert_same_state(save(optimizer, nlp), save(optimizer, nlp))
    optimizer.step_schedules()
    assert_same_state(save(optimizer, nlp), save(optimizer, nlp))


# --- Gradient scalers ---------------------------------------------------------


def test_factors_of_gradient_scalers_are_restored():
    nlp, _ = start(MAKERS["encoder"]())
    other, _ = start(MAKERS["encoder"]())
    scalers = [GradientScaler(True, growth_interval=3) for _ in range(2)]
    for pipeline, scaler in zip((nlp, other), scalers, strict=True):
        [shim] = [shim for node in nodes(pipeline) for shim in node.shims]
        shim.scaler = scaler
    follow_overflows(scalers[0], [True, False, True, True])
    ScalerState(other).restore(json.loads(json.dumps(ScalerState(nlp).state())))
    for scaler in scalers:
        follow_overflows(scaler, [True, True, False])
    assert scalers[0].state() == scalers[1].state()
    assert scalers[0].n_skipped == 2 and scalers[0].scale == 2.0**15


def follow_overflows(scaler, finite):
    for is_finite in finite:
        gradient = torch.ones(2) if is_finite else torch.full((2,), torch.inf)
        assert scaler.unscale([gradient]) == is_finite


# --- Errors -------------------------------------------------------------------


def saved(kind="grouped"):
    nlp, examples = start(MAKERS["encoder"]())
    optimizer = bind(OPTIMIZERS[kind](), nlp)
    follow(nlp, optimizer, [examples])
    return nlp, save(optimizer, nlp)


def test_an_unknown_weight_is_an_error():
    nlp, state = saved()
    state["mom1"]["crf_ner.gone.W"] = state["mom1"].popitem()[1]
    with pytest.raises(ValueError, match=r"has a weight crf_ner\.gone\.W that"):
        restore(make_adam(), nlp, state)
    nlp, state = saved()
    state["counts"]["crf_ner.gone.b"] = 1
    with pytest.raises(ValueError, match=r"has a weight crf_ner\.gone\.b that"):
        restore(make_adam(), nlp, state)


@pytest.mark.parametrize("kind", ["mom1", "mom2", "averages"])
def test_another_shape_is_an_error(kind):
    nlp, state = saved("all_settings")
    path = next(iter(state[kind]))
    state[kind][path] = numpy.zeros((3, 2, 1), dtype="float32")
    message = rf"for {re.escape(path)} has the shape \(3, 2, 1\)"
    with pytest.raises(ValueError, match=message):
        restore(OPTIMIZERS["all_settings"](), nlp, state)


def test_another_optimizer_is_an_error():
    nlp, state = saved()
    with pytest.raises(ValueError, match=r"of GroupedAdam, but .* kind Optimizer"):
        restore(Adam(0.1), nlp, state)
    nlp, state = saved("all_settings")
    with pytest.raises(ValueError, match="has averages, but the optimizer of the con"):
        restore(make_adam(), nlp, state)
