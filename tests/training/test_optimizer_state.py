"""Training that goes on from a saved optimizer, against training that never stopped."""

import json
import re

import numpy
import pytest
import safetensors.numpy
import torch
from spacy.training import Example
from thinc.api import SGD, Adam, RAdam, fix_random_seed

from spacy_ner_ext.encoder.torch_shim import GradientScaler
from spacy_ner_ext.training.optimizer import make_adam
from spacy_ner_ext.training.optimizer_state import restore_optimizer, save_optimizer
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


def through_files(arrays, facts):
    """As they come back from a safetensors file and a JSON file."""
    loaded = safetensors.numpy.load(safetensors.numpy.save(arrays))
    return loaded, json.loads(json.dumps(facts, allow_nan=False))


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
def test_it_goes_on_bit_for_bit(pipes, kind, n_before):
    nlp, _ = start(MAKERS[pipes]())
    optimizer = bind(OPTIMIZERS[kind](), nlp)
    examples = batches(nlp, 10)
    follow(nlp, optimizer, examples[:n_before])
    weights = nlp.to_bytes()
    state = through_files(*save_optimizer(optimizer, nlp))
    fix_random_seed(1)
    follow(nlp, optimizer, examples[n_before:])

    other = build(MAKERS[pipes]())
    other.initialize(lambda: make_examples(other))
    other.from_bytes(weights)
    restored = OPTIMIZERS[kind]()
    restore_optimizer(restored, other, *state)
    for _ in range(n_before):
        restored.step_schedules()
    fix_random_seed(1)
    follow(other, restored, batches(other, 10)[n_before:])
    assert_same(values_of(nlp), values_of(other))
    assert_same_state(save_optimizer(restored, other), save_optimizer(optimizer, nlp))
    assert_same(averages_of(other, restored), averages_of(nlp, optimizer))


def assert_same_state(one, other):
    assert_same(one[0], other[0])
    assert one[1] == other[1]


def averages_of(nlp, optimizer):
    """What an evaluation sees."""
    with nlp.use_params(optimizer.averages):
        return values_of(nlp)


def test_schedules_are_all_that_is_left_out():
    """Saving twice gives the same, and changes nothing."""
    nlp, examples = start(MAKERS["encoder"]())
    optimizer = bind(OPTIMIZERS["all_settings"](), nlp)
    follow(nlp, optimizer, [examples] * 4)
    assert_same_state(save_optimizer(optimizer, nlp), save_optimizer(optimizer, nlp))
    optimizer.step_schedules()
    assert_same_state(save_optimizer(optimizer, nlp), save_optimizer(optimizer, nlp))


def test_weights_are_still_updated_together():
    nlp, examples = start(MAKERS["encoder"]())
    optimizer = bind(OPTIMIZERS["grouped"](), nlp)
    follow(nlp, optimizer, [examples])
    restored = OPTIMIZERS["grouped"]()
    restore_optimizer(restored, nlp, *save_optimizer(optimizer, nlp))
    assert groups_of_torch(restored) == groups_of_torch(optimizer)


def groups_of_torch(optimizer):
    adams = optimizer.fused._adams.values()
    return [[len(group["params"]) for group in a.param_groups] for a in adams]


# --- Gradient scalers ---------------------------------------------------------


def test_factors_of_gradient_scalers_are_restored():
    nlp, _ = start(MAKERS["encoder"]())
    other, _ = start(MAKERS["encoder"]())
    scalers = [GradientScaler(True, growth_interval=3) for _ in range(2)]
    for pipeline, scaler in zip((nlp, other), scalers, strict=True):
        [shim] = [shim for node in nodes(pipeline) for shim in node.shims]
        shim.scaler = scaler
    follow_overflows(scalers[0], [True, False, True, True])
    state = json.loads(json.dumps(save_optimizer(make_adam(), nlp)[1]))
    restore_optimizer(make_adam(), other, {}, state)
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
    return nlp, *save_optimizer(optimizer, nlp)


@pytest.mark.parametrize("kind", ["mom1", "exp_avg"])
def test_a_weight_that_is_not_there_is_an_error(kind):
    nlp, arrays, facts = saved()
    name = next(name for name in arrays if name.startswith(f"{kind}:"))
    arrays["mom1:crf_ner.gone.W"] = arrays.pop(name)
    with pytest.raises(ValueError, match=r"of a weight crf_ner\.gone\.W that"):
        restore_optimizer(make_adam(), nlp, arrays, facts)


def test_counts_of_a_weight_that_is_not_there_are_an_error():
    nlp, arrays, facts = saved()
    facts["nr_update"]["crf_ner.gone.b"] = 1
    with pytest.raises(ValueError, match=r"of a weight crf_ner\.gone\.b that"):
        restore_optimizer(make_adam(), nlp, arrays, facts)


@pytest.mark.parametrize("kind", ["mom1", "exp_avg_sq", "average"])
def test_another_shape_is_an_error(kind):
    nlp, arrays, facts = saved("all_settings")
    name = next(name for name in arrays if name.startswith(f"{kind}:"))
    arrays[name] = numpy.zeros((3, 2, 1), dtype="float32")
    path = re.escape(name.partition(":")[2])
    with pytest.raises(ValueError, match=rf"for {path} has the shape \(3, 2, 1\)"):
        restore_optimizer(OPTIMIZERS["all_settings"](), nlp, arrays, facts)


def test_another_optimizer_is_an_error():
    nlp, arrays, facts = saved()
    with pytest.raises(ValueError, match=r"of GroupedAdam, but .* kind Optimizer"):
        restore_optimizer(Adam(0.1), nlp, arrays, facts)
    nlp, arrays, facts = saved("all_settings")
    with pytest.raises(ValueError, match="has average, but the optimizer of the con"):
        restore_optimizer(make_adam(), nlp, arrays, facts)
