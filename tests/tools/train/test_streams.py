"""Runs over shards and mixtures that are stopped and resumed."""

import pytest

from spacy_ner_ext import train
from tests.helpers.training_runs import TRAINED, make_config, write_corpus

SHARDS = {"@readers": "spacy_ner_ext.Shards.v1", "mixed_shards": 2}
CORPUS = {"@readers": "spacy.Corpus.v1", "gold_preproc": False}
SAMPLER = {
    "@readers": "spacy_ner_ext.Sampler.v1",
    "oversample": {"PER": 0.9},
    "shuffle_buffer": 5,
}


def make_reader(folder):
    """A mixture of four shards, and of a sampled corpus in shards, of random order."""
    for number in range(4):
        write_corpus(folder / str(number), n=4 + number)
    shards = [str(folder / str(number) / "train.spacy") for number in range(4)]
    sampled = {**SAMPLER, "corpus": {**SHARDS, "path": shards[:2]}}
    return {
        "@readers": "spacy_ner_ext.Mixture.v1",
        "corpora": {"shards": {**SHARDS, "path": shards}, "sampled": sampled},
        "weights": {"shards": 2.0},
        "examples_per_epoch": 25,
        "shuffle": True,
    }


@pytest.mark.parametrize(("stop", "num_workers"), [(3, 0), (16, 0), (11, 1)])
def test_a_resumed_run_has_the_same_examples(tmp_path, stop, num_workers):
    pipes = TRAINED["crf_ner over a transformer"]
    corpus = write_corpus(tmp_path / "dev")
    config = make_config(pipes, corpus, max_steps=20, eval_frequency=10, max_epochs=-1)
    config["corpora"]["train"] = make_reader(tmp_path / "train")
    config["spacy_ner_ext"] = {"checkpoint_every": 4, "num_workers": num_workers}
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    expected = train(config, whole, silent=True)
    assert expected.nlp.get_pipe("crf_ner").labels == ("LOC", "PER")

    def stops(info):
        return info["step"] == stop

    train(config, stopped, callbacks=[stops], silent=True)
    train(config, stopped, resume=True, silent=True)
    for name in ("model-last", "model-best"):
        models = [path / name / "crf_ner" / "model" for path in (whole, stopped)]
        assert models[0].read_bytes() == models[1].read_bytes()
