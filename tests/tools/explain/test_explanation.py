"""The result as JSON, HTML and text."""

import json
from html.parser import HTMLParser

from spacy_ner_ext.tools.explain.explanation import (
    Explanation,
    render_html,
    shade,
    table,
)


def make(text="Anna  sails <b>.", scores=(0.5, -1.0, 0.0, 0.0), **changes):
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
    return Explanation(**{**facts, **changes})


def test_a_dictionary_is_plain_json():
    data = make().to_dict()
    assert json.loads(json.dumps(data)) == data
    assert data["entity"] == {"text": "Anna  sails", "start": 0, "end": 11}
    assert data["tokens"][1] == {"text": "sails", "start": 6, "score": -1.0}
    assert make(start=None, end=None).to_dict()["entity"] is None


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


def test_the_page_is_escaped_and_needs_no_other_file():
    html = make(notes=["<i>"]).to_html()
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
    html = render_html([make(), make(start=None, end=None)])
    page = Page()
    page.feed(html)
    assert page.texts["h2"].count("A&B") == 2 and "The text" in page.texts["h2"]
    assert html.count("<mark") == 1
    assert render_html([])


def test_text_for_a_terminal():
    assert shade(make(), colors=False) == "[Anna  sails]A&B <b>."
    colored = shade(make(), colors=True)
    assert colored.count("\x1b[0m") == 2
    rows = table(make(), n_rows=8)
    assert rows == [("sails", "-1.000", "-" * 20), ("Anna", "+0.500", "+" * 10)]
