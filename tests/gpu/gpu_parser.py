"""spaCy's parser, a part of which stays on the CPU, next to `crf_ner`: trained, saved
in a checkpoint and resumed."""

import numpy
import pytest
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Adam

from spacy_ner_ext.tools.train.checkpoint import (
    PipelineState,
    read_checkpoint,
    restore_checkpoint,
    write_checkpoint,
)
from spacy_ner_ext.tools.train.random_state import RandomState
from spacy_ner_ext.training.optimizer import make_adam
from spacy_ner_ext.training.optimizer_state import OptimizerState
from spacy_ner_ext.util.weights import as_tensor, iter_weights
from tests.helpers.pipelines import TOK2VEC, build, crf, listener, step

PARSER = {
    "@architectures": "spacy.TransitionBasedParser.v2",
    "state_type": "parser",
    "extra_state_tokens": False,
    "hidden_width": 8,
    "maxout_pieces": 2,
    "use_upper": True,
    "nO": None,
    "tok2vec": listener("tok2vec"),
}
PIPES = {
    "tok2vec": {"model": TOK2VEC},
    "parser": {"model": PARSER, "min_action_freq": 1},
    "crf_ner": crf(listener("tok2vec")),
}
SENTENCES = [
    ("Anna sees Rome", [1, 1, 1], ["nsubj", "ROOT", "obj"], ["B-PER", "O", "B-LOC"]),
    ("It rains", [1, 1], ["nsubj", "ROOT"], ["O", "O"]),
]


def make_examples(nlp):
    docs = [
        Doc(nlp.vocab, words=text.split(), heads=heads, deps=deps, ents=ents)
        for text, heads, deps, ents in SENTENCES
    ]
    return [Example(Doc(nlp.vocab, words=[t.text for t in doc]), doc) for doc in docs]


class Training:
    """A pipeline in training."""

    def __init__(self, grouped):
        self.nlp = build(PIPES)
        self.nlp.initialize(lambda: make_examples(self.nlp))
        self.sgd = Adam(0.01, use_averages=True)
        if grouped:
            self.sgd = make_adam(0.01, averages=0.9, grad_max_norm=1.0)
            self.sgd.bind(self.nlp)
        self.stateful = {
            "optimizer": OptimizerState(self.sgd, self.nlp),
            "pipeline": PipelineState(self.nlp),
            "random": RandomState(),
        }

    def step(self):
        losses = step(self.nlp, make_examples(self.nlp), self.sgd)
        self.sgd.step_schedules()
        return losses

    def weights(self):
        return {
            weight.path: as_tensor(weight.array).cpu().numpy().copy()
            for weight in iter_weights(self.nlp)
        }


@pytest.mark.parametrize("grouped", [True, False])
def test_a_parser_is_trained_and_resumed(grouped, tmp_path, gpu):
    one = Training(grouped)
    devices = {as_tensor(w.array).device.type for w in iter_weights(one.nlp)}
    assert devices == {"cpu", "cuda"}
    for _ in range(2):
        one.step()
    write_checkpoint(tmp_path, 2, one.nlp, one.stateful, keep=1)
    expected = [one.step(), one.step()]
    other = Training(grouped)
    for _ in range(2):
        other.sgd.step_schedules()
    restore_checkpoint(read_checkpoint(tmp_path), other.nlp, other.stateful)
    assert [other.step(), other.step()] == expected
    for values, others in zip(one.weights().values(), other.weights().values()):
        numpy.testing.assert_array_equal(values, others)
    # Sums of thinc's and spaCy's own layers.
    gpu.unordered.clear()
    gpu.host_arrays.clear()
