"""Occlusion: the value of the text minus that without a token, for all components."""

import numpy
import pytest
import spacy
from spacy.tokens import Doc, Span
from thinc.api import Adam, fix_random_seed

from spacy_ner_ext import explain
from spacy_ner_ext.tools.explain.components import entity_target
from spacy_ner_ext.tools.explain.occlusion import find_neutral
from tests.helpers.explained import HASHED, TRIGGER, WET, examples_of, rules, shared
from tests.helpers.pipelines import TEXTS, build

TEXT = TEXTS[0]
METHOD = "occlusion"


def without(doc, i, neutral):
    """The document with a token replaced, by hand."""
    words = [neutral if token.i == i else token.text for token in doc]
    return Doc(doc.vocab, words=words, spaces=[token.whitespace_ for token in doc])


def log_probability(nlp, text, span):
    doc = nlp(text)
    target = entity_target(nlp, Span(doc, span.start, span.end, span.label_), None)
    return target.values([doc])[0]


@pytest.mark.parametrize("name", ["nested", "span_marker"])
def test_a_score_is_how_much_the_value_of_an_entity_drops(name):
    nlp = shared(name)
    doc = nlp(TEXT)
    span = Span(doc, 0, 2, label="PER")
    [explanation] = explain(nlp, doc, span, method=METHOD)
    assert (explanation.method, explanation.baseline) == (METHOD, "[MASK]")
    for i, score in enumerate(explanation.scores):
        masked = log_probability(nlp, without(doc, i, "[MASK]"), span)
        assert score == pytest.approx(explanation.value - masked, abs=1e-5)


def test_the_mask_is_the_mask_piece():
    shim = shared("nested").get_pipe("crf_ner").model.get_ref("tok2vec").layers[0]
    tokenizer = shim.shims[0].tokenizer
    cut = tokenizer.encode(["New", "[MASK]"], is_pretokenized=True)
    assert tokenizer.token_to_id("[MASK]") in cut.ids


@pytest.mark.parametrize("name", ["textcat", "hashed"])
def test_a_score_is_how_much_the_value_of_a_category_drops(name):
    nlp = shared(name)
    doc = nlp(WET[0])
    [explanation] = explain(nlp, doc, category="wet", method=METHOD)
    neutral = "_" if name == "hashed" else "[MASK]"
    assert explanation.baseline == neutral
    for i, score in enumerate(explanation.scores):
        masked = nlp(without(doc, i, neutral)).cats["wet"]
        expected = numpy.log(doc.cats["wet"]) - numpy.log(masked)
        assert score == pytest.approx(expected, abs=1e-4)
    assert explanation.tokens[numpy.argmax(explanation.scores)] == TRIGGER


def test_the_neutral_word_can_be_chosen():
    nlp = shared("nested")
    doc = nlp(TEXT)
    [explanation] = explain(nlp, doc, doc.ents[0], method=METHOD, neutral="the")
    masked = log_probability(nlp, without(doc, 1, "the"), doc.ents[0])
    assert explanation.baseline == "the"
    assert explanation.scores[1] == pytest.approx(explanation.value - masked, abs=1e-5)


@pytest.mark.parametrize("method", ["auto", METHOD])
@pytest.mark.parametrize("name", ["nested", "span_marker"])
def test_white_space_has_no_score_in_occlusion(name, method):
    nlp = shared(name)
    words = ["Anna", "Berg", "\n\n", "lives", "in", "New", "York", "."]
    doc = nlp(Doc(nlp.vocab, words=words))
    [explanation] = explain(nlp, doc, Span(doc, 5, 7, label="LOC"), method=method)
    assert explanation.scores[2] == 0 and explanation.converged
    assert explanation.scores[6] != 0


def test_a_model_without_an_encoder_is_occluded():
    fix_random_seed(0)
    bag = {"@architectures": "spacy.TextCatBOW.v3", "exclusive_classes": True}
    bag |= {"length": 1024, "ngram_size": 1, "no_output_layer": False}
    nlp = build({"textcat": {"model": bag}})
    examples = examples_of(nlp)
    nlp.initialize(lambda: examples)
    sgd = Adam(0.05)
    for _ in range(20):
        nlp.update(examples, sgd=sgd)
    [explanation] = explain(nlp, WET[0], category="wet")
    assert explanation.method == METHOD
    assert "not over one Transformer" in explanation.notes[0]
    assert explanation.tokens[numpy.argmax(explanation.scores)] == TRIGGER
    with pytest.raises(ValueError, match=r"not over one.*choose the method"):
        explain(nlp, WET[0], category="wet", method="integrated_gradients")


def ner():
    tok2vec = {"@architectures": "spacy.Tok2Vec.v2", "embed": HASHED}
    tok2vec["encode"] = {"@architectures": "spacy.MaxoutWindowEncoder.v2", "width": 16}
    tok2vec["encode"] |= {"depth": 1, "window_size": 1, "maxout_pieces": 2}
    model = {"@architectures": "spacy.TransitionBasedParser.v2", "state_type": "ner"}
    model |= {"extra_state_tokens": False, "hidden_width": 16, "maxout_pieces": 2}
    fix_random_seed(0)
    nlp = build({"ner": {"model": {**model, "use_upper": True, "tok2vec": tok2vec}}})
    examples = examples_of(nlp)
    nlp.initialize(lambda: examples)
    for _ in range(40):
        nlp.update(examples, sgd=Adam(0.01))
    return nlp


def test_ner_has_the_probabilities_of_its_beam():
    nlp = ner()
    doc = nlp(TEXT)
    found = explain(nlp, TEXT)
    assert len(found) == len(doc.ents) > 0
    for explanation in found:
        assert explanation.method == METHOD and "'ner'" in explanation.notes[0]
        assert explanation.quantity.startswith("probability")
        assert 0 <= explanation.value <= 1
    with pytest.raises(ValueError, match="'ner' does not support integrated gradients"):
        explain(nlp, doc, doc.ents[0], method="integrated_gradients")


def test_a_rule_predicts_an_entity_or_does_not():
    [explanation] = explain(rules(), "Anna lives in New York .")
    assert (explanation.quantity, explanation.value) == ("found (1) or not (0)", 1.0)
    assert explanation.scores == [0, 0, 0, 1, 1, 0]
    assert "entity_ruler" in explanation.notes[0]


def test_the_components_before_run_again():
    """Sentences stay those of the document."""
    nlp = spacy.blank("xx")
    nlp.add_pipe("sentencizer")
    nlp.add_pipe("span_marker_ner", source=shared("span_marker"))
    doc = nlp(TEXT)
    span = doc.ents[0]
    [explanation] = explain(nlp, doc, span, method=METHOD)
    masked = log_probability(nlp, without(doc, 0, "[MASK]"), span)
    assert explanation.scores[0] == pytest.approx(explanation.value - masked, abs=1e-5)
    assert find_neutral(nlp, "sentencizer") == "_"
