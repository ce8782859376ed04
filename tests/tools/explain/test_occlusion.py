"""Occlusion: exactly the value of the text less that without a token, and the method of
components that have no gradients."""

import numpy
import pytest
import spacy
from spacy.tokens import Doc, Span
from thinc.api import Adam, fix_random_seed

from spacy_ner_ext import explain, explain_all
from spacy_ner_ext.tools.explain.choice import entity_target
from spacy_ner_ext.tools.explain.occlusion import find_neutral
from tests.helpers.explained import HASHED, TRIGGER, WET, examples_of, rules, trained
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


@pytest.mark.parametrize("name", ["nested", "shared", "span_marker"])
def test_a_score_is_what_an_entity_loses(name):
    nlp = trained(name)
    doc = nlp(TEXT)
    span = Span(doc, 0, 2, label="PER")
    influence = explain(nlp, doc, span, method=METHOD)
    assert (influence.method, influence.baseline) == (METHOD, "[MASK]")
    for i, score in enumerate(influence.scores):
        masked = log_probability(nlp, without(doc, i, "[MASK]"), span)
        assert score == pytest.approx(influence.value - masked, abs=1e-5)


def test_the_mask_is_the_mask_piece():
    shim = trained("nested").get_pipe("crf_ner").model.get_ref("tok2vec").layers[0]
    tokenizer = shim.shims[0].tokenizer
    cut = tokenizer.encode(["New", "[MASK]"], is_pretokenized=True)
    assert tokenizer.token_to_id("[MASK]") in cut.ids


@pytest.mark.parametrize("name", ["textcat", "textcat_multilabel", "hashed"])
def test_a_score_is_what_a_category_loses(name):
    nlp = trained(name)
    doc = nlp(WET[0])
    influence = explain(nlp, doc, category="wet", method=METHOD)
    neutral = "_" if name == "hashed" else "[MASK]"
    assert influence.baseline == neutral
    for i, score in enumerate(influence.scores):
        masked = nlp(without(doc, i, neutral)).cats["wet"]
        expected = numpy.log(doc.cats["wet"]) - numpy.log(masked)
        assert score == pytest.approx(expected, abs=1e-4)
    assert influence.tokens[numpy.argmax(influence.scores)] == TRIGGER


def test_the_neutral_word_can_be_chosen():
    nlp = trained("nested")
    doc = nlp(TEXT)
    influence = explain(nlp, doc, doc.ents[0], method=METHOD, neutral="the")
    masked = log_probability(nlp, without(doc, 1, "the"), doc.ents[0])
    assert influence.baseline == "the"
    assert influence.scores[1] == pytest.approx(influence.value - masked, abs=1e-5)


@pytest.mark.parametrize("method", ["auto", METHOD])
@pytest.mark.parametrize("name", ["nested", "span_marker"])
def test_white_space_has_no_score_in_occlusion(name, method):
    nlp = trained(name)
    words = ["Anna", "Berg", "\n\n", "lives", "in", "New", "York", "."]
    doc = nlp(Doc(nlp.vocab, words=words))
    influence = explain(nlp, doc, Span(doc, 5, 7, label="LOC"), method=method)
    assert influence.scores[2] == 0 and influence.converged
    assert influence.scores[6] != 0


def test_words_that_a_model_counts_have_no_gradient():
    fix_random_seed(0)
    bag = {"@architectures": "spacy.TextCatBOW.v3", "exclusive_classes": True}
    bag |= {"length": 1024, "ngram_size": 1, "no_output_layer": False}
    nlp = build({"textcat": {"model": bag}})
    examples = examples_of(nlp)
    nlp.initialize(lambda: examples)
    sgd = Adam(0.05)
    for _ in range(20):
        nlp.update(examples, sgd=sgd)
    influence = explain(nlp, WET[0], category="wet")
    assert influence.method == METHOD
    assert "extract_ngrams" in influence.notes[0]
    assert influence.tokens[numpy.argmax(influence.scores)] == TRIGGER
    with pytest.raises(ValueError, match=r"extract_ngrams.*choose the method"):
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


def test_spacys_ner_has_the_probabilities_of_its_beam():
    nlp = ner()
    doc = nlp(TEXT)
    influences = explain_all(nlp, TEXT)
    assert len(influences) == len(doc.ents) > 0
    for influence in influences:
        assert influence.method == METHOD and "'ner'" in influence.notes[0]
        assert influence.quantity.startswith("probability")
        assert 0 <= influence.value <= 1
    with pytest.raises(ValueError, match="'ner' has no gradients"):
        explain(nlp, doc, doc.ents[0], method="integrated_gradients")


def test_a_rule_finds_or_does_not():
    influence = explain(rules(), "Anna lives in New York .")
    assert (influence.quantity, influence.value) == ("found (1) or not (0)", 1.0)
    assert influence.scores == [0, 0, 0, 1, 1, 0]
    assert "entity_ruler" in influence.notes[0]


def test_components_before_see_the_text_too():
    """Sentences stay those of the document."""
    nlp = spacy.blank("xx")
    nlp.add_pipe("sentencizer")
    nlp.add_pipe("span_marker_ner", source=trained("span_marker"))
    doc = nlp(TEXT)
    span = doc.ents[0]
    influence = explain(nlp, doc, span, method=METHOD)
    masked = log_probability(nlp, without(doc, 0, "[MASK]"), span)
    assert influence.scores[0] == pytest.approx(influence.value - masked, abs=1e-5)
    assert find_neutral(nlp, "sentencizer") == "_"
