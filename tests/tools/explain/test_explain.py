"""What is explained, what cannot be, and what the result says."""

import json
from html.parser import HTMLParser

import pytest
import spacy
from spacy.tokens import Span

from spacy_ner_ext import explain, explain_all
from spacy_ner_ext.tools.explain.page import render_html
from spacy_ner_ext.tools.explain.result import Influence
from spacy_ner_ext.tools.explain.terminal import shade, table
from tests.helpers.explained import WET, rules, trained
from tests.helpers.pipelines import TEXTS

TEXT = TEXTS[0]


@pytest.fixture(scope="module")
def nlp():
    return trained("nested")


def occlude(nlp, *args, **settings):
    return explain(nlp, *args, method="occlusion", **settings)


def influence(text="Anna  sails <b>.", scores=(0.5, -1.0, 0.0, 0.0), **changes):
    facts = {
        "text": text,
        "tokens": ["Anna", "sails", "<b>", "."],
        "offsets": [0, 6, 12, 15],
        "scores": list(scores),
        "component": "crf_ner",
        "label": "A&B",
        "start": 0,
        "end": 2,
        "quantity": "log-probability",
        "value": -0.5,
        "method": "occlusion",
        "baseline": "[MASK]",
    }
    return Influence(**{**facts, **changes})


# --- What is explained ----------------------------------------------------------


def test_all_entities_of_a_text(nlp):
    doc = nlp(TEXT)
    found = explain_all(nlp, TEXT, method="occlusion")
    assert [(each.name, each.label) for each in found] == [
        (ent.text, ent.label_) for ent in doc.ents
    ]
    assert len(found) == 2
    assert explain_all(nlp, "It rains again today .") == []


def test_the_only_entity_needs_no_name(nlp):
    assert occlude(nlp, "New York").name == "New York"
    with pytest.raises(ValueError, match=r"2 entities: .*Anna Berg \(PER\)"):
        occlude(nlp, TEXT)
    with pytest.raises(ValueError, match="no entity in this text: name a span"):
        occlude(nlp, "It rains again today .")


def test_a_span_that_was_not_predicted(nlp):
    doc = nlp(TEXT)
    found = occlude(nlp, doc, Span(doc, 2, 4, label="LOC"))
    assert (found.name, found.start, found.end) == ("lives in", 2, 4)
    assert found.value < -0.5


def test_a_span_of_another_document_of_the_text(nlp):
    span = nlp(TEXT).ents[0]
    assert occlude(nlp, TEXT, span).name == "Anna Berg"
    with pytest.raises(ValueError, match=r"'Anna Berg' \(0:9\) is no span"):
        occlude(nlp, "AnnaBerg lives", span)


def test_entities_in_span_groups():
    nlp = trained("nested")
    nlp.get_pipe("crf_ner").cfg["annotate"] = ["*"]
    assert len(explain_all(nlp, TEXT, method="occlusion")) == 2


def test_a_component_is_named_where_several_know_a_label(nlp):
    both = spacy.blank("xx")
    both.add_pipe("crf_ner", source=trained("nested"))
    both.add_pipe("span_marker_ner", source=trained("span_marker"))
    doc = both(TEXT)
    with pytest.raises(ValueError, match="crf_ner, span_marker_ner know 'PER'"):
        occlude(both, doc, doc.ents[0])
    found = occlude(both, doc, doc.ents[0], component="span_marker_ner")
    assert found.component == "span_marker_ner"


def test_learned_components_are_asked_before_rules():
    nlp = rules()
    nlp.add_pipe("crf_ner", source=trained("nested"))
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
    cats = trained("hashed")
    with pytest.raises(ValueError, match=r"textcat does not know 'cold'.*dry, wet"):
        explain(cats, WET[0], category="cold")
    with pytest.raises(ValueError, match="finds no entit"):
        explain(cats, WET[0])
    with pytest.raises(ValueError, match="not at 'pad': leave baseline out"):
        explain(cats, WET[0], category="wet", baseline="pad")
    with pytest.raises(ValueError, match="finds no entities: it has textcat"):
        explain(cats, WET[0], Span(cats(WET[0]), 0, 1, label="LOC"))


def test_a_pipeline_with_nothing_to_explain():
    with pytest.raises(ValueError, match="finds no entities: it has nothing"):
        empty = spacy.blank("xx")
        explain(empty, TEXT, Span(empty(TEXT), 0, 1, label="LOC"))


def test_spans_that_are_never_marked():
    nlp = spacy.blank("xx")
    nlp.add_pipe("sentencizer")
    nlp.add_pipe("span_marker_ner", source=trained("span_marker"))
    doc = nlp("Anna Berg lives in New York . Tom in Rome .")
    with pytest.raises(ValueError, match=r"5 words, and .* marks 4 at most"):
        explain(nlp, doc, Span(doc, 0, 5, label="PER"))
    with pytest.raises(ValueError, match="within a sentence"):
        explain(nlp, doc, Span(doc, 5, 8, label="PER"))


def test_a_mask_that_there_is_not(nlp, monkeypatch):
    monkeypatch.setattr("spacy_ner_ext.tools.explain.embeddings.MASKS", ("<none>",))
    with pytest.raises(ValueError, match='no mask piece: set baseline to "pad"'):
        explain(nlp, "New York", baseline="mask")
    assert explain(nlp, "New York").baseline == "pad"


# --- The result -----------------------------------------------------------------


def test_a_dictionary_is_plain_json():
    data = influence().to_dict()
    assert json.loads(json.dumps(data)) == data
    assert data["entity"] == {"text": "Anna  sails", "start": 0, "end": 11}
    assert data["tokens"][1] == {"text": "sails", "start": 6, "score": -1.0}
    assert influence(start=None, end=None).to_dict()["entity"] is None


class Page(HTMLParser):
    """Collects the text below each kind of tag."""

    def __init__(self):
        super().__init__()
        self.open, self.texts, self.attributes = [], {}, []

    def handle_starttag(self, tag, attrs):
        self.attributes.append(dict(attrs))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        for tag in set(self.open):
            self.texts[tag] = self.texts.get(tag, "") + data


def test_the_page_is_escaped_and_alone():
    html = influence(notes=["<i>"]).to_html()
    page = Page()
    page.feed(html)
    assert page.open == []
    assert "<b>" not in html and "<i>" not in html and "A&B" not in html
    assert "Anna  sails <b>." in page.texts["p"].replace("A&B", "")
    assert page.texts["mark"] == "Anna  sailsA&B"
    assert "http" not in html and "<script" not in html
    titles = [attrs["title"] for attrs in page.attributes if "title" in attrs]
    assert titles == ["+0.500", "-1.000", "+0.000", "+0.000"]


def test_a_page_of_several_and_of_a_category():
    html = render_html([influence(), influence(start=None, end=None)])
    page = Page()
    page.feed(html)
    assert page.texts["h2"].count("A&B") == 2 and "The text" in page.texts["h2"]
    assert html.count("<mark") == 1
    assert render_html([])


def test_text_for_a_terminal():
    assert shade(influence(), colours=False) == "[Anna  sails]A&B <b>."
    coloured = shade(influence(), colours=True)
    assert coloured.count("\x1b[0m") == 2
    rows = table(influence(), most=8)
    assert rows == [("sails", "-1.000", "-" * 20), ("Anna", "+0.500", "+" * 10)]
