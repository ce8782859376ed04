"""Training runs: checkpoints, resuming, averages, and memory that runs out."""

import pytest
from safetensors.numpy import load_file

from spacy_ner_ext import train
from spacy_ner_ext.tools.train.checkpoint import find_checkpoints
from spacy_ner_ext.util.weights import iter_weights
from tests.helpers import fake_gpu
from tests.helpers.fake_gpu.compare import assert_close, assert_equal_on_gpu, to_host
from tests.helpers.pipelines import crf
from tests.helpers.training_runs import (
    TRAINED,
    TRANSFORMER,
    grouped,
    make_config,
    write_corpus,
)

# torch's own generator draws what is dropped.
DROPPING = {**TRANSFORMER, "transformer_config": {"hidden_dropout_prob": 0.1}}
RUNS = {
    "crf_ner": ("crf_ner", {}),
    "transformer": ({"crf_ner": crf(DROPPING)}, grouped()),
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture
def run(corpus, tmp_path):
    """Train on the GPU; returns the last weights."""

    def train_run(name, folder, device=0, **options):
        pipes, own = RUNS[name]
        config = make_config(
            TRAINED.get(pipes, pipes) if isinstance(pipes, str) else pipes,
            corpus,
            **{"max_steps": 8, "eval_frequency": 4, **own},
        )
        made = train(
            config,
            tmp_path / folder,
            gpu_id=device,
            silent=True,
            **{"checkpoint_every": 2, **options},
        )
        return {weight.path: to_host(weight.array) for weight in iter_weights(made.nlp)}

    return train_run


def stop_at(step):
    return lambda info: info["step"] >= step


@pytest.mark.parametrize("name", RUNS)
def test_a_resumed_run_ends_with_the_same_weights(name, run, tmp_path):
    """Random numbers come from the device's own generators; where checkpoints are
    written does not matter."""
    with fake_gpu.own_generators():
        whole = run(name, "whole", checkpoint_every=3)
        run(name, "parts", callbacks=[stop_at(5)])
        assert_close(run(name, "parts", resume=True), whole, 0)
    last = [find_checkpoints(tmp_path / name)[-1] for name in ("whole", "parts")]
    states = [load_file(folder / "state.safetensors") for folder in last]
    assert_close(*states, 0)


@pytest.mark.parametrize("name", ["crf_ner", "transformer"])
def test_a_run_equals_one_on_the_cpu(name, run):
    folders = iter(["cpu", "gpu"])
    devices = iter([-1, 0])
    assert_equal_on_gpu(lambda: run(name, next(folders), next(devices)), 1e-3)


def test_a_run_of_the_gpu_resumes_on_the_cpu(run):
    whole = run("crf_ner", "whole", -1)
    run("crf_ner", "parts", 0, callbacks=[stop_at(4)])
    assert_close(run("crf_ner", "parts", -1, resume=True), whole, 1e-3)
