"""Grouped Adam compared with thinc's Adam, and in `spacy train`."""

import os
import subprocess
import sys

import numpy
import pytest
import spacy
import torch
from spacy import registry, util
from spacy.cli.init_config import fill_config
from spacy.tokens import DocBin
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from thinc.api import Adam, Config

from spacy_ner_ext.training import parameters as paths
from spacy_ner_ext.training.groups import NO_DECAY, Rate
from spacy_ner_ext.training.optimizer import make_adam
from spacy_ner_ext.training.parameters import name_parameters
from spacy_ner_ext.training.schedules import linear_warmup
from spacy_ner_ext.util.weights import iter_weights
from tests.helpers.encoders import make_encoder
from tests.helpers.pipelines import (
    CORPUS,
    PIPELINES,
    TOK2VEC,
    build,
    crf,
    listener,
    make_examples,
    step,
    text_cnn,
)
from tests.helpers.weights import (
    apply,
    arrays,
    away_from_zero,
    nodes,
    normals,
    set_gradients,
    signs,
    start,
    transformer,
    values_of,
)

DEEP = {**TOK2VEC, "depth": 3, "subword_features": True}
SHARED = {
    "tok2vec": {"model": DEEP},
    "text_cnn": text_cnn(listener("tok2vec")),
    "crf_ner": crf(listener("text_cnn")),
}


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return make_encoder(tmp_path_factory.mktemp("bert"), "bert")


@pytest.fixture
def nobody_announced(monkeypatch):
    monkeypatch.setattr(paths, "_latest", lambda: None)


def over(folder):
    """A pipeline with an encoder, a text CNN and a CRF."""
    config = text_cnn(transformer(folder))["model"]
    return {"crf_ner": crf({"@architectures": "spacy_ner_ext.TextCNN.v1", **config})}


def bound(nlp, **settings):
    """An optimizer that knows a pipeline, without decay and clipping."""
    optimizer = make_adam(**{"weight_decay": 0.0, "grad_clip": 0.0, **settings})
    optimizer.bind(nlp)
    return optimizer


def assert_close(one, other, tolerance, where):
    numpy.testing.assert_allclose(one, other, rtol=0, atol=tolerance, err_msg=where)


def rates_applied(nlp, optimizer, n_steps=1):
    """By path, the rate of each step: Adam changes a weight whose gradient is always
    the same, whatever its size, by exactly that."""
    rates = {path: [] for path in values_of(nlp)}
    for _ in range(n_steps):
        before = values_of(nlp)
        set_gradients(nlp, signs())
        apply(nlp, optimizer)
        for path, value in values_of(nlp).items():
            change = numpy.abs(value - before[path])
            assert change.max() - change.min() < 1e-6
            rates[path].append(float(change.mean()))
    return rates


def decays_applied(nlp, optimizer, rate):
    """By path, the part of each weight that is lost when there is no gradient."""
    for node in nodes(nlp):
        for name in arrays(node):
            node.set_param(name, numpy.ones_like(node.get_param(name)))
        for shim in node.shims:
            for weight in shim.model.parameters():
                weight.data.fill_(1.0)
    set_gradients(nlp, numpy.zeros)
    apply(nlp, optimizer)
    return {path: (1 - v.mean()) / rate for path, v in values_of(nlp).items()}


# --- Against thinc ------------------------------------------------------------


def trained_by_both(pipes, grad_clip, make_step):
    """The weights after each of 12 steps with spacy_ner_ext.Adam.v1 and with thinc's
    Adam, with the same schedule, decay and clipping."""
    trained = []
    for grouped in (True, False):
        nlp, examples = start(pipes)
        schedule = linear_warmup(0.01, 10, 0.3, 0.001)
        settings = {"learn_rate": schedule, "weight_decay": 0.1, "no_decay": []}
        if grouped:
            optimizer = bound(nlp, **settings, grad_clip=grad_clip)
        else:
            optimizer = Adam(schedule, L2=0.1, grad_clip=grad_clip)
        rng, steps = numpy.random.default_rng(0), []
        for _ in range(12):
            make_step(nlp, examples, optimizer, rng)
            steps.append(values_of(nlp))
        trained.append(steps)
    return zip(*trained, strict=True)


def train_step(nlp, examples, optimizer, rng):
    step(nlp, examples, optimizer)
    optimizer.step_schedules()


def step_with_gradients_of_all_sizes(nlp, examples, optimizer, rng):
    """Down to 1e-12, where it matters how eps is added."""
    set_gradients(
        nlp,
        lambda shape: rng.normal(size=shape) * 10.0 ** rng.integers(-12, 1, size=shape),
    )
    apply(nlp, optimizer)


@pytest.mark.parametrize("grad_clip", [0.0, 0.05, 1.0])
@pytest.mark.parametrize("pipes", [SHARED, PIPELINES["per_label"]])
@pytest.mark.parametrize(
    ("make_step", "tolerance"),
    # In training, differences in the last digits grow from step to step.
    [(step_with_gradients_of_all_sizes, 1e-6), (train_step, 3e-5)],
)
def test_without_groups_it_trains_as_adam_of_thinc(
    pipes, grad_clip, make_step, tolerance
):
    for one, other in trained_by_both(pipes, grad_clip, make_step):
        assert list(one) == list(other)
        for path in one:
            assert_close(one[path], other[path], tolerance, path)


@pytest.mark.parametrize("scale", [0.1, 1.0, 100.0])
def test_an_encoder_is_trained_as_adam_of_thinc_does(bert, scale):
    """torch's fused AdamW against thinc's Adam, array by array. No gradient is near
    zero, as one adds eps before and the other after the correction of the bias."""
    trained = []
    for grouped in (True, False):
        nlp, _ = start({"crf_ner": crf(transformer(bert))})
        schedule = linear_warmup(0.001, 10, 0.3, 0.001)
        if grouped:
            optimizer = bound(
                nlp, learn_rate=schedule, weight_decay=0.01, no_decay=[], grad_clip=0.0
            )
        else:
            optimizer = Adam(schedule, L2=0.01, grad_clip=0.0)
        draw, steps = away_from_zero(scale), []
        for _ in range(10):
            set_gradients(nlp, draw)
            apply(nlp, optimizer)
            steps.append(values_of(nlp))
        trained.append(steps)
    for one, other in zip(*trained, strict=True):
        for path in one:
            assert_close(one[path], other[path], 1e-6, path)


def test_what_has_no_gradient_in_a_step_is_left_alone_and_trained_later(bert):
    nlp, _ = start({"crf_ner": crf(transformer(bert))})
    optimizer = bound(nlp, learn_rate=0.01)
    [shim] = [shim for node in nodes(nlp) for shim in node.shims]
    first = "crf_ner.tok2vec.transformer.layer.0.output.dense.weight"
    last = first.replace("0", "2")
    before = values_of(nlp)
    for expected in ({last}, {first, last}):
        set_gradients(nlp, signs())
        for name, weight in shim.model.named_parameters():
            if not any(name.endswith(path.partition("layer")[2]) for path in expected):
                weight.grad = None
        apply(nlp, optimizer)
        after = values_of(nlp)
        for path in (first, last):
            assert numpy.array_equal(before[path], after[path]) != (path in expected)
        before = after


LAYOUTS = {
    "rows": numpy.array,
    "columns": numpy.asfortranarray,
    "every second": lambda array: numpy.repeat(array, 2, axis=1)[:, ::2],
}


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("of_gradient", LAYOUTS)
@pytest.mark.parametrize("of_weights", LAYOUTS)
def test_arrays_of_any_layout_are_updated_in_place(of_weights, of_gradient, dtype):
    nlp, _ = start("flat_biluo")
    optimizer = bound(nlp, learn_rate=0.5, averages=0.9)
    key = next(iter_weights(nlp)).key
    direction = numpy.sign(numpy.random.default_rng(0).normal(size=(4, 3)))
    weights = LAYOUTS[of_weights](numpy.zeros((4, 3), dtype))
    for n_steps in (1, 2):
        gradient = LAYOUTS[of_gradient](direction.astype(dtype))
        updated, cleared = optimizer(key, weights, gradient)
        assert updated is weights and weights.dtype == dtype
        assert cleared is gradient and not gradient.any()
        numpy.testing.assert_allclose(weights, -0.5 * n_steps * direction, rtol=1e-3)
        optimizer.step_schedules()
    # The decays are 2 / 11 and 3 / 12.
    average = direction * (-0.5 * 9 / 11 * 3 / 12 - 1.0 * 9 / 12)
    numpy.testing.assert_allclose(optimizer.averages[key], average, rtol=1e-3)


# --- Groups -------------------------------------------------------------------


def test_each_group_has_its_own_rate_step_by_step(bert):
    nlp, _ = start(over(bert))
    optimizer = bound(
        nlp,
        learn_rate=linear_warmup(0.01, 4, 0.5, 0.002),
        groups={
            "encoder": {
                "pattern": r"\.transformer\.",
                "learn_rate": linear_warmup(0.005, 4, 0.25),
            },
            "crf": {"pattern": r"\.crf\.", "learn_rate": 0.03},
            "listed": {"pattern": "convolutions", "learn_rate": [0.02, 0.04]},
            # Without its own rate.
            "emissions": {"pattern": "output_layer", "weight_decay": 0.0},
        },
    )
    shared = [0.002, 0.006, 0.01, 0.005, 0.0, 0.0]
    expected = {
        "transformer": [0.0, 0.005, 0.005 * 2 / 3, 0.005 / 3, 0.0, 0.0],
        "crf": [0.03] * 6,
        "convolutions": [0.02] + [0.04] * 5,
    }
    assert optimizer.learn_rate == 0.002
    for path, found in rates_applied(nlp, optimizer, 6).items():
        names = [name for name in expected if f".{name}." in path]
        rates = expected[names[0]] if names else shared
        assert found == pytest.approx(rates, abs=1e-6), path
    assert optimizer.learn_rate == 0.0


def test_the_first_group_that_matches_wins(bert):
    nlp, _ = start(over(bert))
    groups = {
        "first": {"pattern": r"\.layer\.0\.", "learn_rate": 0.001},
        "encoder": {"pattern": "transformer", "learn_rate": 0.002},
        "component": {"pattern": r"\Acrf_ner\.", "learn_rate": 0.004},
    }
    optimizer = bound(nlp, learn_rate=1.0, groups=groups)
    for path, [rate] in rates_applied(nlp, optimizer).items():
        expected = 0.002 if "transformer" in path else 0.004
        expected = 0.001 if ".layer.0." in path else expected
        assert rate == pytest.approx(expected, abs=1e-6), path


def test_bind_returns_the_group_of_each_path():
    nlp, _ = start("listening")
    optimizer = make_adam(groups={"crf": {"pattern": r"\Acrf_ner\."}})
    names = {path: group.name for path, group in optimizer.bind(nlp).items()}
    assert names == {
        path: "crf" if path.startswith("crf_ner.") else "default"
        for path in values_of(nlp)
    }


def test_each_group_has_its_own_decay(bert):
    nlp, _ = start(over(bert))
    optimizer = bound(
        nlp,
        learn_rate=0.1,
        weight_decay=0.5,
        no_decay=[],
        groups={
            "encoder": {
                "pattern": "transformer",
                "learn_rate": 0.1,
                "weight_decay": 0.25,
            },
            "crf": {"pattern": r"\.crf\.", "weight_decay": 0.0},
        },
    )
    for path, decay in decays_applied(nlp, optimizer, 0.1).items():
        expected = 0.25 if "transformer" in path else 0.5
        expected = 0.0 if ".crf." in path else expected
        assert decay == pytest.approx(expected, abs=1e-5), path


# --- What has no decay --------------------------------------------------------


@pytest.mark.parametrize("name", ["crf_ner", "norm", "my_norm", "bias"])
def test_biases_norms_and_what_a_crf_adds_do_not_decay(name):
    """All others do, whatever the component is called and however many layers of one
    name there are."""
    pipes = {**SHARED, name: {"factory": "crf_ner", **SHARED["crf_ner"]}}
    if name != "crf_ner":
        del pipes["crf_ner"]
    nlp, _ = start(pipes)
    optimizer = bound(nlp, learn_rate=0.1, weight_decay=0.5)
    exempt = {
        (node.id, array)
        for node in nodes(nlp)
        for array in arrays(node)
        if array == "b" or node.name in ("layernorm", "crf")
    }
    found = decays_applied(nlp, optimizer, 0.1)
    assert len(exempt) > 20
    for parameter in iter_weights(nlp):
        expected = 0.0 if parameter.key in exempt else 0.5
        decay = found[parameter.path]
        assert decay == pytest.approx(expected, abs=1e-5), parameter.path


@pytest.mark.parametrize("kind", ["bert", "distilbert", "modernbert", "deberta-v2"])
def test_biases_and_norms_of_encoders_do_not_decay(kind, tmp_path):
    """These are what has one dimension, and all else has two."""
    nlp, _ = start({"crf_ner": crf(transformer(make_encoder(tmp_path, kind)))})
    optimizer = bound(nlp, learn_rate=0.1, weight_decay=0.5)
    decays = decays_applied(nlp, optimizer, 0.1)
    found = {
        path: v.ndim for path, v in values_of(nlp).items() if "transformer" in path
    }
    # The vector of tokens without pieces is learned like an embedding.
    assert found.pop("crf_ner.tok2vec.transformer.empty") == 1
    assert set(found.values()) == {1, 2}
    for path, n_dims in found.items():
        assert decays[path] == pytest.approx(0.5 * (n_dims - 1), abs=1e-5), path


def test_no_decay_can_be_set():
    nlp, _ = start("flat_biluo")
    optimizer = bound(nlp, learn_rate=0.1, weight_decay=0.5, no_decay=["hashembed"])
    for path, decay in decays_applied(nlp, optimizer, 0.1).items():
        expected = 0.0 if "hashembed" in path else 0.5
        assert decay == pytest.approx(expected, abs=1e-5), path


# --- Clipping -----------------------------------------------------------------


@pytest.mark.parametrize("scale", [1e-4, 0.5])
@pytest.mark.parametrize("grad_clip", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("grouped", [True, False])
def test_the_norm_over_the_whole_encoder_is_clipped(bert, scale, grad_clip, grouped):
    """Adam's mean of gradients is a tenth of the first."""
    nlp, _ = start({"crf_ner": crf(transformer(bert))})
    [shim] = [shim for node in nodes(nlp) for shim in node.shims]
    set_gradients(nlp, normals(scale))
    before = {
        (shim.id, name): weight.grad.numpy().copy()
        for name, weight in shim.model.named_parameters()
    }
    optimizer = bound(nlp, grad_clip=grad_clip) if grouped else Adam(grad_clip=1.0)
    optimizer.grad_clip = grad_clip
    shim.finish_update(optimizer)
    found = optimizer.mom1
    norm = numpy.sqrt(sum((gradient**2).sum() for gradient in before.values()))
    factor = min(1.0, grad_clip / norm) if grad_clip else 1.0
    assert (factor < 1) == (scale == 0.5 and grad_clip > 0)
    assert found.keys() == before.keys()
    for key, gradient in before.items():
        mean = numpy.asarray(found[key]).reshape(gradient.shape)
        numpy.testing.assert_allclose(mean, 0.1 * gradient * factor, rtol=1e-4)
    assert all(weight.grad is None for weight in shim.model.parameters())


# --- Errors -------------------------------------------------------------------


@pytest.mark.parametrize(
    "typo", ["transfomer", r"\.transfomer\.", "tok2vec.tranformer"]
)
def test_a_pattern_that_matches_nothing_lists_near_paths(bert, typo):
    nlp, _ = start(over(bert))
    optimizer = make_adam(groups={"encoder": {"pattern": typo}})
    with pytest.raises(ValueError, match="'encoder' of spacy_ner_ext") as error:
        optimizer.bind(nlp)
    message = str(error.value)
    assert f"The pattern {typo!r}" in message and "matches no weight" in message
    near = message.partition("Closest: ")[2].partition(";")[0].split(", ")
    assert 1 <= len(near) <= 5 and any("transformer" in path for path in near)
    assert all(any(p.startswith(path) for p in values_of(nlp)) for path in near)
    assert "spacy_ner_ext params CONFIG" in message and "\n" not in message


def test_a_pattern_like_nothing_lists_some_paths():
    nlp, _ = start("flat_biluo")
    optimizer = make_adam(groups={"odd": {"pattern": "0123456789" * 9}})
    with pytest.raises(ValueError, match=r"matches no weight\. Closest: crf_ner\."):
        optimizer.bind(nlp)


def test_a_pattern_after_a_wider_one_is_an_error():
    nlp, _ = start("flat_biluo")
    groups = {"all": {"pattern": "crf_ner"}, "crf": {"pattern": r"\.crf\."}}
    with pytest.raises(ValueError, match="matches only weights of the earlier all"):
        make_adam(groups=groups).bind(nlp)
    swapped = {name: groups[name] for name in ("crf", "all")}
    make_adam(groups=swapped).bind(nlp)


@pytest.mark.parametrize(
    "settings,message",
    [
        ({"groups": {"a": {"pattern": "x("}}}, r"'x\(' of the group 'a' .*expression"),
        ({"no_decay": ["*"]}, r"'\*' of no_decay of .*is not a regular expression"),
        ({"groups": {"a": {"pattern": "x", "lr": 1}}}, r"'a' .*no setting \['lr'\]"),
        ({"groups": {"a": {"learn_rate": 1.0}}}, "'a' .*has no pattern"),
        ({"groups": {"default": {"pattern": "x"}}}, "called 'default'"),
        ({"learn_rate": "fast"}, "A learning rate is 'fast'"),
        ({"groups": {"a": {"pattern": "x", "learn_rate": "fast"}}}, "is 'fast'"),
        ({"groups": {"a": {"pattern": "x", "learn_rate": None}}}, "rate is None"),
        ({"learn_rate": []}, r"A learning rate is \[\]"),
        ({"learn_rate": ["fast"]}, r"A learning rate is \['fast'\]"),
        ({"learn_rate": {"value": 1.0}}, "A learning rate is {'value'"),
    ],
)
def test_invalid_settings_are_errors(settings, message):
    with pytest.raises(ValueError, match=message) as error:
        make_adam(**settings)
    assert "\n" not in str(error.value)


def test_rates():
    for value, expected in [
        (1, [1, 1, 1]),
        (0.5, [0.5, 0.5, 0.5]),
        ([1, 2], [1, 2, 2]),
        (iter([3]), [3, 3, 3]),
    ]:
        rate, found = Rate(value), []
        for _ in range(3):
            found.append(rate.value)
            rate.step()
        assert found == expected


# --- Knowing the pipeline -----------------------------------------------------


def test_it_does_not_guess_what_it_trains(bert, nobody_announced):
    nlp, examples = start({"crf_ner": crf(transformer(bert))})
    for pipe in (nlp, start("flat_biluo")[0]):
        with pytest.raises(ValueError, match="does not know the pipeline") as error:
            step(pipe, make_examples(pipe), make_adam())
        assert "before_update = " in str(error.value)
        assert "optimizer.bind(nlp)" in str(error.value)
    name_parameters(start("flat_biluo")[0])
    with pytest.raises(ValueError, match="does not know the pipeline"):
        step(nlp, examples, make_adam())


def test_an_announced_pipeline_is_bound_with_the_first_update(bert, nobody_announced):
    nlp, examples = start({"crf_ner": crf(transformer(bert))})
    name_parameters(nlp)
    before = values_of(nlp)
    step(nlp, examples, make_adam(groups={"encoder": {"pattern": "transformer"}}))
    after = values_of(nlp)
    layer = "crf_ner.tok2vec.transformer.layer.1.output.dense.weight"
    assert not numpy.array_equal(before[layer], after[layer])


@pytest.mark.parametrize("by_hand", [True, False])
def test_new_labels_get_new_weights_that_are_known(nobody_announced, by_hand):
    nlp, examples = start("listening")
    optimizer = make_adam(
        learn_rate=0.01,
        groups={"crf": {"pattern": r"\Acrf_ner\.", "learn_rate": 0.02}},
        weight_decay=0.0,
        grad_clip=0.0,
    )
    if by_hand:
        optimizer.bind(nlp)
    else:
        name_parameters(nlp)
    step(nlp, examples, optimizer)
    known = {p.key for p in iter_weights(nlp)}
    nlp.get_pipe("crf_ner").add_label("ORG")
    new = [p.path for p in iter_weights(nlp) if p.key not in known]
    assert "crf_ner.output_layer.linear.W" in new and "crf_ner.crf.end" in new
    before = values_of(nlp)
    set_gradients(nlp, signs())
    apply(nlp, optimizer)
    after = values_of(nlp)
    for path in new:
        assert_close(numpy.abs(after[path] - before[path]), 0.02, 1e-6, path)


def test_training_continues_from_a_saved_pipeline(bert, tmp_path):
    nlp, examples = start(over(bert))
    step(nlp, examples, bound(nlp, learn_rate=0.001))
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    groups = {"encoder": {"pattern": "transformer", "learn_rate": 0.002}}
    optimizer = loaded.resume_training(sgd=make_adam(0.01, 0.0, groups, grad_clip=0.0))
    optimizer.bind(loaded)
    for path, [rate] in rates_applied(loaded, optimizer).items():
        expected = 0.002 if "transformer" in path else 0.01
        assert rate == pytest.approx(expected, abs=1e-6), path


# --- Configs and `spacy train` ------------------------------------------------

CONFIG = """
[paths]
train = "train.spacy"
dev = "train.spacy"
encoder = null

[system]
seed = 3

[nlp]
lang = "xx"
pipeline = ["tok2vec", "tagger", "ner", "crf_ner"]

[components]

[components.tok2vec]
factory = "tok2vec"

[components.tok2vec.model]
@architectures = "spacy_ner_ext.Transformer.v1"
name = ${paths.encoder}
window = 16
stride = 10

[components.tagger]
factory = "tagger"

[components.tagger.model]
@architectures = "spacy.Tagger.v2"

[components.tagger.model.tok2vec]
@architectures = "spacy.Tok2VecListener.v1"
width = 32
upstream = "tok2vec"

[components.ner]
factory = "ner"

[components.ner.model]
@architectures = "spacy.TransitionBasedParser.v2"
state_type = "ner"
extra_state_tokens = false
hidden_width = 8
maxout_pieces = 2

[components.ner.model.tok2vec]
@architectures = "spacy.Tok2VecListener.v1"
width = 32
upstream = "tok2vec"

[components.crf_ner]
factory = "crf_ner"

[components.crf_ner.model]
@architectures = "spacy_ner_ext.CRF.v1"

[components.crf_ner.model.tok2vec]
@architectures = "spacy.Tok2VecListener.v1"
width = 32
upstream = "tok2vec"

[corpora]

[corpora.train]
@readers = "spacy.Corpus.v1"
path = ${paths.train}

[corpora.dev]
@readers = "spacy.Corpus.v1"
path = ${paths.dev}

[training]
seed = ${system.seed}
gpu_allocator = null
dropout = 0.1
max_steps = 6
eval_frequency = 3

[training.batcher]
@batchers = "spacy_ner_ext.batch_by_pieces.v1"
name = ${paths.encoder}
size = "60 pieces"

[training.before_update]
@callbacks = "spacy_ner_ext.name_parameters.v1"

[training.optimizer]
@optimizers = "spacy_ner_ext.Adam.v1"
learn_rate = 0.01

[training.optimizer.groups]

[training.optimizer.groups.still]
pattern = "\\\\.layer\\\\.0\\\\."
learn_rate = 0.0

[training.optimizer.groups.encoder]
pattern = "\\\\.transformer\\\\."

[training.optimizer.groups.encoder.learn_rate]
@schedules = "spacy_ner_ext.linear_warmup.v1"
value = 0.001
total_steps = ${training.max_steps}

[training.optimizer.groups.a_crf]
pattern = "crf"
weight_decay = 0.0
"""
GROUPS = ["still", "encoder", "a_crf"]


def write_corpus(folder):
    nlp = build("flat_biluo")
    docs = [example.reference for example in make_examples(nlp, CORPUS * 4)]
    for doc in docs:
        for token in doc:
            token.tag_ = "A" if token.is_title else "B"
    DocBin(docs=docs).to_disk(folder / "train.spacy")


def overrides_of(folder, encoder, **settings):
    return {
        "paths.train": str(folder / "train.spacy"),
        "paths.dev": str(folder / "train.spacy"),
        "paths.encoder": str(encoder),
        **settings,
    }


@pytest.fixture(scope="module")
def trained(bert, tmp_path_factory):
    """The folder of a run of `spacy train` in a separate process."""
    folder = tmp_path_factory.mktemp("train")
    write_corpus(folder)
    (folder / "config.cfg").write_text(CONFIG, encoding="utf8")
    command = [sys.executable, "-m", "spacy", "train", "config.cfg", "-o", "."]
    for key, value in overrides_of(folder, bert).items():
        command += [f"--{key}", value]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        encoding="utf8",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_spacy_train_gives_the_same_weights_for_a_seed(
    trained, bert, tmp_path, one_thread
):
    config = util.load_config(trained / "config.cfg", overrides_of(trained, bert))
    train(init_nlp(config), tmp_path)
    for name in config["nlp"]["pipeline"]:
        one, other = (
            (folder / "model-last" / name / "model").read_bytes()
            for folder in (trained, tmp_path)
        )
        assert one == other, name


def test_spacy_train_applies_the_rates_of_groups(trained, bert):
    config = util.load_config(trained / "config.cfg", overrides_of(trained, bert))
    before = values_of(init_nlp(config))
    after = values_of(spacy.load(trained / "model-last"))
    assert set(before) == set(after)
    # Without a gradient, as the corpus has no token without pieces.
    del before["tok2vec.transformer.empty"]
    for path, value in before.items():
        same = numpy.array_equal(value, after[path])
        assert same == (".layer.0." in path), path
    change = after["tok2vec.transformer.layer.1.output.dense.weight"]
    change = change - before["tok2vec.transformer.layer.1.output.dense.weight"]
    # Less than the sum of the rates and of decay; those of the others are 0.07.
    assert 0 < numpy.abs(change).max() < 0.004


def test_spacy_train_continues_from_a_trained_pipeline(trained, bert, tmp_path):
    config = util.load_config(trained / "config.cfg", overrides_of(trained, bert))
    source = str(trained / "model-last")
    for name in config["nlp"]["pipeline"]:
        config["components"][name] = {"source": source}
    nlp = init_nlp(config)
    before = values_of(nlp)
    assert all(
        numpy.array_equal(value, before[path])
        for path, value in values_of(spacy.load(source)).items()
    )
    train(nlp, tmp_path)
    after = values_of(nlp)
    changed = {
        path for path in before if not numpy.array_equal(before[path], after[path])
    }
    assert changed and not any(".layer.0." in path for path in changed)
    assert {path.partition(".")[0] for path in changed} == set(nlp.pipe_names)


def test_training_without_the_callback_asks_for_it(tmp_path, nobody_announced):
    write_corpus(tmp_path)
    config = Config().from_str(CONFIG, overrides=overrides_of(tmp_path, "none"))
    nlp = build("flat_biluo")
    config["nlp"]["pipeline"] = ["crf_ner"]
    config["components"] = {"crf_ner": nlp.config["components"]["crf_ner"]}
    batcher = {"@batchers": "spacy.batch_by_sequence.v1", "size": 4}
    config["training"]["batcher"] = batcher
    config["training"]["optimizer"].pop("groups")
    config["training"].pop("before_update")
    with pytest.raises(ValueError, match=r"before_update = .*name_parameters"):
        train(init_nlp(config), None)


def test_groups_keep_their_order_through_config_files(tmp_path):
    config = Config().from_str(CONFIG, interpolate=False)
    config.to_disk(tmp_path / "config.cfg")
    for other in (
        config,
        Config().from_str(config.to_str(), interpolate=False),
        Config().from_bytes(config.to_bytes(), interpolate=False),
        Config().from_disk(tmp_path / "config.cfg", interpolate=False),
    ):
        block = other.interpolate()["training"]["optimizer"]
        assert list(block["groups"]) == GROUPS
        optimizer = registry.resolve({"optimizer": block})["optimizer"]
        assert [group.name for group in optimizer.groups] == [*GROUPS, "default"]


def test_fill_config_keeps_groups_and_adds_defaults(tmp_path, bert):
    text = CONFIG.replace("encoder = null", f'encoder = "{bert}"')
    (tmp_path / "base.cfg").write_text(text, encoding="utf8")
    fill_config(tmp_path / "filled.cfg", tmp_path / "base.cfg")
    optimizer = Config().from_disk(tmp_path / "filled.cfg")["training"]["optimizer"]
    assert list(optimizer["groups"]) == GROUPS
    given = Config().from_str(text)["training"]["optimizer"]["groups"]
    given["encoder"]["learn_rate"] |= {
        "warmup_rate": 0.1,
        "start_value": 0.0,
        "end_value": 0.0,
    }
    assert optimizer["groups"] == given
    assert optimizer["no_decay"] == NO_DECAY
    assert optimizer["grad_clip"] == 1.0
