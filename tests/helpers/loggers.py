"""Training runs and loggers for the tests of loggers."""

import io
import json
from pathlib import Path

import spacy
from spacy import registry

CONFIG = """
[nlp]
lang = "xx"
pipeline = ["crf_ner"]

[components]

[components.crf_ner]
factory = "crf_ner"

[components.crf_ner.model]
@architectures = "spacy_ner_ext.CRF.v1"

[components.crf_ner.model.tok2vec]
@architectures = "spacy.HashEmbedCNN.v2"
pretrained_vectors = null
width = 16
depth = 1
embed_size = 100
window_size = 1
maxout_pieces = 2
subword_features = false

[corpora]

[corpora.train]
@readers = "spacy.Corpus.v1"
path = {path}

[corpora.dev]
@readers = "spacy.Corpus.v1"
path = {path}

[training]
max_steps = 6
eval_frequency = 2
seed = 0
gpu_allocator = null
dev_corpus = "corpora.dev"
train_corpus = "corpora.train"

[training.score_weights]
ents_f = 1.0
ents_p = 0.0
ents_per_type = null

[training.optimizer]
@optimizers = "Adam.v1"
learn_rate = 0.01
"""
GROUPED = {
    "optimizer": {
        "@optimizers": "spacy_ner_ext.Adam.v1",
        "learn_rate": 0.01,
        "groups": {"crf": {"pattern": r"\.crf\.", "learn_rate": 0.05}},
    },
    "before_update": {"@callbacks": "spacy_ner_ext.name_parameters.v1"},
}


def lines_of(path):
    return Path(path).read_text(encoding="utf8").splitlines()


def read_log(folder):
    return [json.loads(line) for line in lines_of(folder / "log.jsonl")]


def read_table(path):
    header, *rows = (line.split("\t") for line in lines_of(path))
    return [dict(zip(header, row, strict=True)) for row in rows]


class Started:
    def __init__(self, name, settings, output):
        self.nlp = spacy.blank("xx")
        self.nlp.config["training"].update(
            {"max_steps": 10, "max_epochs": 0, "score_weights": {"ents_f": 1.0}}
        )
        self.output = output
        self.stdout = io.StringIO()
        self._settings, self._name = settings, name
        self._steps = None

    def configure(self, **training):
        self.nlp.config["training"].update(training)
        return self

    def log(self, *steps, first=0, **values):
        """Log all steps up to the given ones, which are evaluated."""
        if self._steps is None:
            set_up = registry.loggers.get(self._name)(**self._settings)
            self._log, self._finalize = set_up(self.nlp, self.stdout, io.StringIO())
            self._steps, self._last = [], first - 1
        for step in steps:
            for _ in range(self._last + 1, step):
                self._log(None)
            self._steps.append(step)
            self._log({**self._info(step), **values})
            self._last = step
        return self

    def finalize(self):
        if self._steps is not None:
            self._finalize()

    def _info(self, step):
        return {
            "epoch": 0,
            "step": step,
            "score": step / 100,
            "other_scores": {"ents_f": step / 100, "ents_per_type": {"PER": {"f": 1}}},
            "losses": {"crf_ner": 3.0},
            "checkpoints": [(each / 100, each) for each in self._steps],
            "seconds": 0,
            "words": (step + 1) * 100,
            "output_path": str(self.output / "model-last"),
        }

    @property
    def printed(self):
        return self.stdout.getvalue()
