"""Readers within readers, as `spacy train` makes them of a config."""

import json
import subprocess
import sys

import pytest
import spacy
from spacy.tokens import Doc, DocBin
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from spacy.util import load_config, load_model_from_config
from thinc.api import Config

from tests.helpers.pipelines import CORPUS, annotate, words_of

CONFIG = """
[nlp]
lang = "xx"
pipeline = ["crf_ner"]

[components]

[components.crf_ner]
factory = "crf_ner"

[corpora]

[corpora.train]
@readers = "spacy_ner_ext.Mixture.v1"
examples_per_epoch = 30
shuffle = false

[corpora.train.weights]
shards = 2.0

[corpora.train.corpora]

[corpora.train.corpora.shards]
@readers = "spacy_ner_ext.Shards.v1"
path = null

[corpora.train.corpora.sampled]
@readers = "spacy_ner_ext.Sampler.v1"
shuffle_buffer = 4

[corpora.train.corpora.sampled.oversample]
PER = 0.6

[corpora.train.corpora.sampled.corpus]
@readers = "spacy.Corpus.v1"
path = null
gold_preproc = false

[corpora.dev]
@readers = "spacy_ner_ext.Shards.v1"
path = null
shuffle = false

[training]
max_epochs = -1
max_steps = 30
eval_frequency = 15

[training.batcher]
@batchers = "spacy.batch_by_sequence.v1"
size = 4
"""


@pytest.fixture
def files(tmp_path):
    """The config, and what the command line says about paths."""
    vocab = spacy.blank("xx").vocab
    shards = tmp_path / "shards"
    shards.mkdir()
    for number, (text, spans) in enumerate(CORPUS):
        doc = annotate(Doc(vocab, words=words_of(text)), spans)
        DocBin(docs=[doc]).to_disk(shards / f"{number}.spacy")
    config = tmp_path / "config.cfg"
    short = Config().from_str(CONFIG)
    load_model_from_config(short, auto_fill=True).config.to_disk(config)
    overrides = {
        "corpora.train.corpora.shards.path": str(shards),
        "corpora.train.corpora.sampled.corpus.path": str(shards),
        "corpora.dev.path": str(shards),
    }
    return config, overrides


@pytest.mark.parametrize("max_epochs", [-1, 0])
def test_spacy_trains_with_nested_readers(files, max_epochs):
    config, overrides = files
    overrides["training.max_epochs"] = max_epochs
    nlp = init_nlp(load_config(config, overrides=overrides))
    assert nlp.get_pipe("crf_ner").labels == ("LOC", "PER")
    trained, _ = train(nlp)
    assert trained.meta["performance"]["ents_f"] > 0.5
    assert [ent.text for ent in trained(CORPUS[3][0]).ents] == ["New York"]


def test_spacy_collects_labels_of_nested_readers(files, tmp_path):
    config, overrides = files
    folder = tmp_path / "labels"
    arguments = [f"--{name}={value}" for name, value in overrides.items()]
    command = [sys.executable, "-m", "spacy", "init", "labels", config, folder]
    done = subprocess.run(
        [*command, *arguments], capture_output=True, text=True, encoding="utf8"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    labels = json.loads((folder / "crf_ner.json").read_text(encoding="utf8"))
    assert labels == ["LOC", "PER"]
