"""Averages of weights are evaluated and saved; training continues from the weights."""

import numpy
import pytest
import spacy
import torch
from spacy import registry
from spacy.tokens import DocBin
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from thinc.api import PyTorchWrapper, chain, with_array

from spacy_ner_ext import train as train_with_checkpoints
from spacy_ner_ext.training.optimizer import make_adam
from tests.helpers.encoders import encoder_folder, warnings_of_spacy
from tests.helpers.pipelines import TOK2VEC, build, crf, make_examples, step
from tests.helpers.training_runs import make_config, write_corpus
from tests.helpers.weights import (
    LSTM,
    apply,
    nodes,
    set_gradients,
    signs,
    start,
    transformer,
    values_of,
)

MAKERS = {
    "cnn": lambda: crf(TOK2VEC),
    "lstm": lambda: crf(LSTM),
    "encoder": lambda: crf(transformer(encoder_folder("bert"))),
    "batch_norm": lambda: crf({"@architectures": "tests.BatchNorm.v1"}),
}
N_STEPS = 6
DECAY = 0.4


@registry.architectures("tests.BatchNorm.v1")
def make_batch_norm():
    """Vectors through a torch module with a frozen weight and with buffers."""
    tok2vec = registry.resolve({"tok2vec": TOK2VEC})["tok2vec"]
    module = torch.nn.Sequential(torch.nn.Linear(16, 16), torch.nn.BatchNorm1d(16))
    module[0].bias.requires_grad_(False)
    model = chain(tok2vec, with_array(PyTorchWrapper(module)))
    model.set_dim("nO", 16)
    return model


class Seen:
    """Keeps the weights after each step, as a logger of `spacy train`."""

    def __init__(self):
        self.steps = []

    def __call__(self, nlp, stdout=None, stderr=None):
        self.steps = [values_of(nlp)]
        return (lambda info: self.steps.append(values_of(nlp))), (lambda: None)


SEEN = Seen()
registry.loggers("tests.seen.v1", func=lambda: SEEN)


def config_of(folder, component, optimizer):
    nlp = build({"crf_ner": component})
    DocBin(docs=[eg.y for eg in make_examples(nlp)] * 3).to_disk(folder / "t.spacy")
    config = nlp.config.copy()
    reader = {"@readers": "spacy.Corpus.v1", "path": str(folder / "t.spacy")}
    config["corpora"] = {"train": reader, "dev": reader}
    config["training"] |= {
        "seed": 1,
        "max_steps": N_STEPS - 1,
        "eval_frequency": 2,
        "dropout": 0.1,
        "optimizer": optimizer,
        "logger": {"@loggers": "tests.seen.v1"},
        "batcher": {"@batchers": "spacy.batch_by_sequence.v1", "size": 4},
        "before_update": {"@callbacks": "spacy_ner_ext.name_parameters.v1"},
    }
    return config


def run(folder, component, averages):
    """The weights of the trained pipeline, of the saved one, and of all steps."""
    folder.mkdir()
    optimizer = {
        "@optimizers": "spacy_ner_ext.Adam.v1",
        "learn_rate": 0.01,
        "averages": averages,
    }
    nlp, saved = train(init_nlp(config_of(folder, component, optimizer)), folder)
    return nlp, values_of(spacy.load(saved)), SEEN.steps


def averages_of(steps, decay):
    found = {path: value.astype("float64") for path, value in steps[0].items()}
    for n, weights in enumerate(steps[1:], 1):
        kept = min(decay, (1 + n) / (10 + n))
        for path, value in weights.items():
            found[path] = kept * found[path] + (1 - kept) * value
    return found


@pytest.mark.parametrize("kind", MAKERS)
def test_spacy_train_saves_averages_and_continues_from_the_weights(kind, tmp_path):
    nlp, saved, steps = run(tmp_path / "with", MAKERS[kind](), DECAY)
    assert len(steps) == N_STEPS + 1
    expected, last = averages_of(steps, DECAY), values_of(nlp)
    for path, average in expected.items():
        numpy.testing.assert_allclose(saved[path], average, atol=1e-6, err_msg=path)
        assert numpy.array_equal(last[path], steps[-1][path]), path
    changed = [p for p in saved if not numpy.allclose(saved[p], last[p], atol=1e-5)]
    assert len(changed) > len(saved) / 2
    _, alone, raw_steps = run(tmp_path / "without", MAKERS[kind](), 0.0)
    for one, other in zip(steps, raw_steps, strict=True):
        for path in one:
            assert numpy.array_equal(one[path], other[path]), path
    assert all(numpy.array_equal(alone[path], last[path]) for path in alone)


def test_the_state_of_a_module_besides_weights_is_saved_unchanged(tmp_path):
    nlp, _, _ = run(tmp_path / "run", MAKERS["batch_norm"](), DECAY)
    states = [
        next(shim._model.state_dict() for node in nodes(found) for shim in node.shims)
        for found in (nlp, spacy.load(tmp_path / "run" / "model-last"))
    ]
    for name in ("0.bias", "1.running_mean", "1.running_var", "1.num_batches_tracked"):
        assert torch.equal(states[0][name], states[1][name]), name
    assert int(states[0]["1.num_batches_tracked"]) >= N_STEPS
    assert not torch.equal(states[0]["0.weight"], states[1]["0.weight"])


def test_a_skipped_step_leaves_averages_as_they_are():
    nlp, _ = start({"crf_ner": MAKERS["lstm"]()})
    optimizer = make_adam(0.01, averages=0.5, spikes="skip")
    optimizer.bind(nlp)
    set_gradients(nlp, signs())
    apply(nlp, optimizer)
    before = {key: array.copy() for key, array in optimizer.averages.items()}
    set_gradients(nlp, lambda shape: signs()(shape) * numpy.inf)
    apply(nlp, optimizer)
    assert before.keys() == optimizer.averages.keys()
    for key, array in optimizer.averages.items():
        assert numpy.array_equal(array, before[key])


@pytest.mark.parametrize("averages", [-0.1, 1.0, 2])
def test_a_decay_is_a_part(averages):
    with pytest.raises(ValueError, match=r"averages = .* 0 for none"):
        make_adam(averages=averages)


def test_without_averages_there_are_none():
    nlp, examples = start({"crf_ner": crf(TOK2VEC)})
    optimizer = make_adam()
    optimizer.bind(nlp)
    step(nlp, examples, optimizer)
    assert optimizer.averages is None and not optimizer.averaging.tensors


@pytest.mark.parametrize("kind", ["lstm", "cnn", "encoder"])
@pytest.mark.parametrize("use_averages", [True, False])
def test_averages_of_thinc_without_effect_are_reported_once(kind, use_averages):
    """Those of an encoder of ours have one."""
    nlp, _ = start({"crf_ner": MAKERS[kind]()})
    optimizer = {"@optimizers": "Adam.v1", "use_averages": use_averages}
    nlp.config["training"]["optimizer"] = optimizer
    with warnings_of_spacy() as messages:
        for _ in range(3):
            registry.loggers.get("spacy_ner_ext.Logger.v1")()(nlp)
    assert len(messages) == (kind == "lstm" and use_averages)
    assert all("Adam.v1 with averages = 0.999" in message for message in messages)


def test_averages_without_effect_are_reported_with_any_logger(tmp_path):
    config = make_config({"crf_ner": MAKERS["lstm"]()}, write_corpus(tmp_path))
    config["training"]["optimizer"]["use_averages"] = True
    config["training"]["logger"] = {"@loggers": "spacy.ConsoleLogger.v1"}
    config["training"]["max_steps"] = 1
    with warnings_of_spacy() as messages:
        train_with_checkpoints(config, silent=True)
    assert len(messages) == 1 and "use_averages of Adam.v1" in messages[0]
