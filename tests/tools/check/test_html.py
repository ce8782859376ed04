from html.parser import HTMLParser

import pytest
from spacy.tokens import Doc, Span

from spacy_ner_ext.data.lang import blank_vocab
from spacy_ner_ext.tools.check.check import check_files
from spacy_ner_ext.tools.check.html import render_html, write_html
from tests.helpers.corpora import write_docs
from tests.helpers.encoders import encoder_folder

VOCAB = blank_vocab("en")
EVIL = "<script>alert('&amp;')</script>"
EMPTY_TAGS = {"meta", "br"}


class Page(HTMLParser):
    """The elements and texts of a page; wrong nesting is an error."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.links, self.tables = [], [], [], []
        self.texts, self.headings, self.outside_scroll = [], [], 0
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href")]
        if tag == "table":
            self.tables.append([])
            self.outside_scroll += ("div", "scroll") not in self.open
        if tag == "tr":
            self.tables[-1].append([])
        if tag not in EMPTY_TAGS:
            self.open.append((tag, dict(attrs).get("class")))

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        tag = self.open[-1][0] if self.open else ""
        if tag in ("th", "td"):
            self.tables[-1][-1].append(data)
        elif tag == "h2":
            self.headings.append(data)
        elif tag != "style":
            self.texts.append(data)


def make_doc(words, *spans):
    doc = Doc(VOCAB, words=words.split(" ") if isinstance(words, str) else words)
    doc.set_ents([Span(doc, *span) for span in spans])
    return doc


@pytest.fixture
def report(tmp_path):
    train = [
        make_doc("Ann in Rome", (0, 1, "PER"), (2, 3, "LOC")),
        make_doc("Ann in Rome", (0, 1, "PER"), (2, 3, "LOC")),
        make_doc([EVIL, "Rome"], (0, 1, "<b>")),
    ]
    dev = [make_doc([EVIL, "Rome"], (0, 1, "ORG"), (1, 2, "ORG"))]
    paths = {name: tmp_path / f"{name} <i>.spacy" for name in ("train", "dev")}
    write_docs(train, paths["train"])
    write_docs(dev, paths["dev"])
    return check_files(paths, tokenizer=str(encoder_folder()))


def test_tables_and_findings(report):
    page = Page(render_html(report))
    assert page.headings[:4] == [
        *("Findings", "Counts", "Entities of dev that are in train"),
        "Strings annotated in different ways",
    ]
    assert page.headings[4].startswith("Pieces of the tokenizer")
    counts, seen, conflicts, pieces = page.tables
    assert counts[0] == ["train", "dev"]
    assert counts[1] == ["documents", "3", "1"]
    assert ["PER (rare)", "2", "0"] in counts
    assert seen[1] == ["all", "2", "100.0 %", "0.0 %", "2", "100.0 %", "0.0 %"]
    assert conflicts[1] == ["'Rome'", "2", "LOC 2, O 1", "ORG 1"]
    assert pieces[1][0] == "pieces a word"
    text = "".join(page.texts)
    for found in report.findings:
        assert found.what in text
        assert all(example in text for example in found.examples)
    assert "warnings: " in text


def test_all_text_is_escaped(report):
    page = Page(render_html(report))
    assert not {"script", "i", "b"} & {*page.tags}
    assert EVIL in "".join(page.texts)
    assert any("<b> (rare)" in row for row in page.tables[0])


def test_one_file_for_any_screen(report):
    text = render_html(report)
    page = Page(text)
    assert page.links == []
    assert not {"script", "link", "img", "iframe"} & {*page.tags}
    assert "url(" not in text
    assert "@import" not in text
    assert 'name="viewport"' in text
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text
    assert page.outside_scroll == 0


def test_nothing_found(tmp_path):
    for name, word in (("train", "Ann"), ("dev", "Bob")):
        write_docs([make_doc(word, (0, 1, "PER"))], tmp_path / f"{name}.spacy")
    paths = {name: tmp_path / f"{name}.spacy" for name in ("train", "dev")}
    page = Page(render_html(check_files(paths, rare=0)))
    assert "Nothing was found." in page.texts
    assert page.headings == ["Findings", "Counts", "Entities of dev that are in train"]


def test_names_that_are_not_utf8(report, tmp_path):
    report.splits[0].path = "train-\udcff.spacy"
    write_html(report, tmp_path / "new" / "c.html")
    text = (tmp_path / "new" / "c.html").read_text(encoding="utf-8")
    assert "train-\\udcff.spacy" in text
