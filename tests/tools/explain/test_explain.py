"""What `explain` explains, and what it refuses."""

import pytest
import spacy
from spacy.tokens import Span

from spacy_ner_ext import explain
from tests.helpers.explained import WET, rules, shared, trained
from tests.helpers.pipelines import TEXTS

TEXT = TEXTS[0]


@pytest.fixture(scope="module")
def nlp():
    return shared("nested")


def occlude(nlp, *args, **settings):
    [explanation] = explain(nlp, *args, method="occlusion", **settings)
    return explanation


# --- What is explained ----------------------------------------------------------


def test_all_entities_of_a_text(nlp):
    doc = nlp(TEXT)
    found = explain(nlp, TEXT, method="occlusion")
    assert [(each.name, each.label) for each in found] == [
        (ent.text, ent.label_) for ent in doc.ents
    ]
    assert len(found) == 2
    assert explain(nlp, "It rains again today .") == []


def test_an_entity_needs_no_name(nlp):
    assert occlude(nlp, "New York").name == "New York"


def test_a_span_that_was_not_predicted(nlp):
    doc = nlp(TEXT)
    found = occlude(nlp, doc, Span(doc, 2, 4, label="LOC"))
    assert (found.name, found.start, found.end) == ("lives in", 2, 4)
    assert found.value < -0.5


def test_a_span_of_another_document_of_the_text(nlp):
    span = nlp(TEXT).ents[0]
    assert occlude(nlp, TEXT, span).name == "Anna Berg"
    with pytest.raises(ValueError, match=r"'Anna Berg' \(0:9\) is not a span"):
        occlude(nlp, "AnnaBerg lives", span)


def test_entities_in_span_groups():
    nlp = trained("nested")
    nlp.get_pipe("crf_ner").cfg["annotate"] = ["*"]
    assert len(explain(nlp, TEXT, method="occlusion")) == 2


def test_a_component_is_named_where_several_know_a_label(nlp):
    both = spacy.blank("xx")
    both.add_pipe("crf_ner", source=shared("nested"))
    both.add_pipe("span_marker_ner", source=shared("span_marker"))
    doc = both(TEXT)
    with pytest.raises(ValueError, match="crf_ner, span_marker_ner know 'PER'"):
        occlude(both, doc, doc.ents[0])
    found = occlude(both, doc, doc.ents[0], component="span_marker_ner")
    assert found.component == "span_marker_ner"


def test_learned_components_are_asked_before_rules():
    nlp = rules()
    nlp.add_pipe("crf_ner", source=shared("nested"))
    assert occlude(nlp, "New York").component == "crf_ner"
    assert occlude(nlp, "New York", component="entity_ruler").scores == [1, 1]


# --- What cannot be -------------------------------------------------------------


@pytest.mark.parametrize("text", ["", " ", "\n \n"])
def test_a_text_without_words(nlp, text):
    with pytest.raises(ValueError, match="the text is empty"):
        explain(nlp, text)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"category": "wet"}, "finds no categories: it has crf_ner"),
        ({"component": "ner"}, "no component 'ner', but crf_ner"),
        ({"method": "lime"}, "unknown method 'lime'.*auto"),
        ({"baseline": "noise"}, "unknown baseline 'noise'.*mask"),
        ({"steps": 1}, "set steps to at least 2"),
        ({"steps": 64, "max_steps": 32}, "steps = 64 and max_steps = 32"),
    ],
)
def test_settings_that_do_not_fit(nlp, settings, message):
    with pytest.raises(ValueError, match=message):
        explain(nlp, "New York", **settings)


def test_labels_and_categories_that_are_not_known(nlp):
    doc = nlp("New York")
    with pytest.raises(ValueError, match=r"crf_ner does not know 'DATE'.*LOC, PER"):
        explain(nlp, doc, Span(doc, 0, 2, label="DATE"))
    with pytest.raises(ValueError, match="'New York' has no label"):
        explain(nlp, doc, doc[0:2])
    with pytest.raises(ValueError, match="an entity and a category"):
        explain(nlp, doc, doc.ents[0], category="wet")
    cats = shared("hashed")
    with pytest.raises(ValueError, match=r"textcat does not know 'cold'.*dry, wet"):
        explain(cats, WET[0], category="cold")
    with pytest.raises(ValueError, match="finds no entit"):
        explain(cats, WET[0])
    with pytest.raises(ValueError, match="finds no entities: it has textcat"):
        explain(cats, WET[0], Span(cats(WET[0]), 0, 1, label="LOC"))


def test_a_pipeline_with_nothing_to_explain():
    with pytest.raises(ValueError, match="finds no entities: it has nothing"):
        empty = spacy.blank("xx")
        explain(empty, TEXT, Span(empty(TEXT), 0, 1, label="LOC"))


def test_spans_that_are_never_marked():
    nlp = spacy.blank("xx")
    nlp.add_pipe("sentencizer")
    nlp.add_pipe("span_marker_ner", source=shared("span_marker"))
    doc = nlp("Anna Berg lives in New York . Tom in Rome .")
    with pytest.raises(ValueError, match=r"5 words, and .* marks 4 at most"):
        explain(nlp, doc, Span(doc, 0, 5, label="PER"))
    with pytest.raises(ValueError, match="within a sentence"):
        explain(nlp, doc, Span(doc, 5, 8, label="PER"))


def test_an_encoder_without_a_mask(nlp, monkeypatch):
    monkeypatch.setattr("spacy_ner_ext.tools.explain.embeddings.MASKS", ("<none>",))
    with pytest.raises(ValueError, match='no mask piece: set baseline to "pad"'):
        explain(nlp, "New York", baseline="mask")
    [explanation] = explain(nlp, "New York", steps=2, max_steps=2)
    assert explanation.baseline == "pad"
