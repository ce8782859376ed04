"""A batch in parts has the gradient of the whole, also if it exceeds memory."""

import logging

import numpy
import pytest
import torch
from thinc.api import Adam, fix_random_seed

from spacy_ner_ext.tools.train.settings import read_settings
from spacy_ner_ext.tools.train.update import Updater
from spacy_ner_ext.training.batcher import divide
from spacy_ner_ext.util.errors import UserError
from spacy_ner_ext.util.weights import iter_weights
from tests.helpers.pipelines import CORPUS, build, crf, make_examples, span_marker, step
from tests.helpers.training_runs import TRAINED, TRANSFORMER

# The dropout of an encoder is that of its config.
NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
PIPES = {
    "crf_ner": {"crf_ner": crf()},
    "crf_ner over a transformer": {
        "crf_ner": crf({**TRANSFORMER, "transformer_config": NO_DROPOUT})
    },
    "span_marker_ner": {"span_marker_ner": span_marker(transformer_config=NO_DROPOUT)},
    "crf_tagger and crf_ner": {
        **TRAINED["crf_tagger"],
        "crf_ner": crf(),
    },
}


class Recording(Adam(0.0).__class__):
    """Remembers gradients, and changes nothing."""

    def __init__(self):
        super().__init__(0.0, use_averages=False, grad_clip=0.0)
        self.seen = {}

    def __call__(self, key, weights, gradient, *, lr_scale=1.0):
        self.seen[key] = numpy.array(gradient, copy=True)
        gradient *= 0
        return weights, gradient


def begin(pipes):
    fix_random_seed(0)
    nlp = build(PIPES[pipes])
    examples = make_examples(nlp)
    for example in examples:
        for token in example.reference:
            token.tag_ = "NAME" if token.is_title else "X"
    nlp.initialize(lambda: examples)
    # Nothing passes through emissions that are zero.
    step(nlp, examples, Adam(0.01))
    return nlp, examples


def amount(text):
    return read_settings({"spacy_ner_ext": {"sub_batch": text}}).sub_batch


def update(nlp, examples, accumulate=1, sub_batch=None, max_docs=None):
    """Gradients by path, losses, and how it was done."""
    optimizer = Recording()
    size = None if sub_batch is None else amount(sub_batch)
    updating = Updater(nlp, optimizer, [], [], accumulate, size, max_docs)
    losses = updating(examples, 0.0, 0)
    paths = {parameter.key: parameter.path for parameter in iter_weights(nlp)}
    return {paths[key]: g for key, g in optimizer.seen.items()}, losses, updating


@pytest.mark.parametrize("pipes", PIPES)
@pytest.mark.parametrize(
    "how",
    [
        {"accumulate": 2},
        {"accumulate": 5},
        {"sub_batch": "1 doc"},
        {"sub_batch": "9 words"},
        {"max_docs": 2},
    ],
)
def test_parts_have_the_gradient_of_the_whole(pipes, how):
    nlp, examples = begin(pipes)
    whole, losses, _ = update(nlp, examples)
    parts, losses_of_parts, _ = update(nlp, examples, **how)
    assert parts.keys() == whole.keys()
    for path, gradient in whole.items():
        difference = numpy.abs(parts[path] - gradient).max()
        assert difference <= 1e-6 * max(1.0, numpy.linalg.norm(gradient)), path
    assert losses_of_parts == pytest.approx(losses, abs=1e-6)


def test_parts_by_pieces_hold_as_many():
    nlp, examples = begin("crf_ner over a transformer")
    parts = list(divide(nlp, examples, 12, "pieces"))
    assert sorted(len(eg.x.text) for part in parts for eg in part) == sorted(
        len(text) for text, _ in CORPUS
    )
    assert len(parts) > 1
    assert len(list(divide(nlp, examples, 1000, "pieces"))) == 1


def test_pieces_need_an_encoder():
    nlp, examples = begin("crf_ner")
    with pytest.raises(UserError, match=r"no component of .* has an encoder"):
        list(divide(nlp, examples, 12, "pieces"))


def fail_above(component, n_docs, monkeypatch):
    """Make a component run out of memory after it has added gradients."""
    learn = component.update

    def update(examples, **settings):
        losses = learn(examples, **settings)
        if len(examples) > n_docs:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return losses

    monkeypatch.setattr(component, "update", update)


@pytest.mark.parametrize("pipes", PIPES)
def test_a_batch_that_exceeds_memory_is_repeated_in_halves(pipes, monkeypatch, caplog):
    nlp, examples = begin(pipes)
    fix_random_seed(1)
    expected, losses, _ = update(nlp, examples, max_docs=2)
    fail_above(nlp.pipeline[-1][1], 2, monkeypatch)
    fix_random_seed(1)
    logging.getLogger("spacy").propagate = True
    with caplog.at_level(logging.WARNING, logger="spacy"):
        found, found_losses, updating = update(nlp, examples)
    assert found.keys() == expected.keys()
    for path, gradient in expected.items():
        numpy.testing.assert_array_equal(found[path], gradient)
    assert found_losses == losses
    assert updating.max_docs == 2
    assert "Step 0: out of GPU memory with 5 document(s) at once" in caplog.text


def test_a_document_that_does_not_fit_alone_is_an_error(monkeypatch):
    nlp, examples = begin("crf_ner")
    fail_above(nlp.get_pipe("crf_ner"), 0, monkeypatch)
    with pytest.raises(UserError, match="Step 0: a single document, of up to 8 tokens"):
        update(nlp, examples)


def test_other_errors_pass(monkeypatch):
    nlp, examples = begin("crf_ner")

    def update_wrongly(examples, **settings):
        raise RuntimeError("something else")

    monkeypatch.setattr(nlp.get_pipe("crf_ner"), "update", update_wrongly)
    with pytest.raises(RuntimeError, match="something else"):
        update(nlp, examples)
