"""The callback that announces a pipeline to its optimizer."""

import pytest
from spacy import registry

from spacy_ner_ext.training import parameters
from spacy_ner_ext.training.parameters import announced, name_parameters
from tests.helpers.encoders import WIDTH, encoder_folder
from tests.helpers.pipelines import build, listener, make_examples
from tests.helpers.weights import transformer


def test_the_callback_announces_a_pipeline_and_keeps_none_alive(monkeypatch):
    monkeypatch.setattr(parameters, "_latest", lambda: None)
    nlp = build({})
    callback = registry.resolve(
        {"call": {"@callbacks": "spacy_ner_ext.name_parameters.v1"}}
    )["call"]
    callback(nlp, {"step": 0, "epoch": 0})
    assert announced() is nlp
    other = build({})
    name_parameters(other)
    assert announced() is other
    del other
    assert announced() is None


def tagged_examples(nlp):
    examples = make_examples(nlp)
    for example in examples:
        for token in example.reference:
            token.tag_ = "A" if token.is_title else "B"
    return examples


def test_a_listener_of_another_width_is_found_before_training():
    tok2vec = {**listener("*"), "width": WIDTH}
    pipes = {
        "tok2vec": {"model": transformer(encoder_folder("bert"))},
        "tagger": {"model": {"@architectures": "spacy.Tagger.v2", "tok2vec": tok2vec}},
    }
    nlp = build(pipes)
    nlp.initialize(lambda: tagged_examples(nlp))
    nlp.get_pipe("tagger").model.get_ref("tok2vec").set_dim("nO", 8, force=True)
    with pytest.raises(ValueError, match="'tagger' expects vectors of width 8 from"):
        name_parameters(nlp)
