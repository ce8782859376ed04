"""Training that goes on from a saved optimizer, against training that never stopped."""

import json

import numpy
import pytest
import safetensors.numpy
from encoders import encoder_folder
from pipelines import TOK2VEC, build, crf, listener, make_examples, step, text_cnn
from spacy.training import Example
from thinc.api import SGD, Adam, RAdam, fix_random_seed
from weights import start, transformer, values_of

from spacy_ner_ext.training.optimizer import make_adam
from spacy_ner_ext.training.optimizer_state import (
    restore_optimizer,
    save_optimizer,
)
from spacy_ner_ext.training.schedules import linear_warmup

LSTM = {
    "@architectures": "spacy.TorchBiLSTMEncoder.v1",
    "width": 16,
    "depth": 1,
    "dropout": 0.0,
}
EMBED = {
    "@architectures": "spacy.MultiHashEmbed.v2",
    "width": 16,
    "attrs": ["NORM", "SHAPE"],
    "rows": [50, 50],
    "include_static_vectors": False,
}


MAKERS = {
    "cnn": lambda: {
        "tok2vec": {"model": TOK2VEC},
        "text_cnn": text_cnn(listener("tok2vec")),
        "crf_ner": crf(listener("text_cnn")),
    },
    "encoder": lambda: {"crf_ner": crf(transformer(encoder_folder()))},
    "torch": lambda: {
        "crf_ner": crf(
            {"@architectures": "spacy.Tok2Vec.v2", "embed": EMBED, "encode": LSTM}
        )
    },
}
OPTIMIZERS = {
    "grouped": lambda: make_adam(
        linear_warmup(0.01, 12, 0.3, 0.001),
        groups={"crf": {"pattern": r"\.crf\.", "learn_rate": 0.02}},
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
@pytest.mark.parametrize("n_before", [0, 1, 5])
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
    again, expected = (
        save_optimizer(o, n) for o, n in ((restored, other), (optimizer, nlp))
    )
    assert_same(again[0], expected[0])
    assert again[1] == expected[1]
