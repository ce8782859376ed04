"""The page of an audit: its content, and its use in a browser."""

import json
import re
from collections import Counter

import pytest
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from spacy_ner_ext.data.read import read_docs
from spacy_ner_ext.tools.audit.agreement import Agreement
from spacy_ner_ext.tools.audit.apply import APPLIED, REJECTED, apply_decisions
from spacy_ner_ext.tools.audit.audit import Audit
from spacy_ner_ext.tools.audit.changes import Change
from spacy_ner_ext.tools.audit.page import write_page
from spacy_ner_ext.tools.audit.suggestions import Suggestion, read_decisions
from tests.helpers.browser import PROGRAM, open_browser
from tests.helpers.corpora import write_docs

EVIL = "</script><script>alert('&')</script>"
WORDS = ["Anna", "went", "from", "New", "York", "to", "Rome", "with", "Tom", "."]
GOLD = [(0, 1, "LOC"), (4, 5, "LOC"), (8, 9, "PER")]
CHANGES = [
    Change("wrong label", ((0, 1, "LOC"),), (0, 1, "PER"), 0.1, 0.8),
    Change("wrong boundary", ((4, 5, "LOC"),), (3, 5, "LOC"), 0.2, 0.6),
    Change("missing", (), (6, 7, "LOC"), 0.3, 0.6),
    Change("spurious", ((8, 9, "PER"),), None, 0.6, 0.3),
]


def make_doc(words=WORDS, gold=GOLD):
    doc = Doc(Vocab(), words=words)
    doc.set_ents([Span(doc, *span) for span in gold])
    return doc


def make_audit(docs, changes=CHANGES):
    """Each document with the same changes."""
    suggestions = [
        Suggestion(
            number, "ents", change, Agreement(number, 2 * i, 0, 0), 8.0 / (i + 1)
        )
        for number in range(1, len(docs) + 1)
        for i, change in enumerate(changes)
    ]
    suggestions.sort(key=lambda suggestion: -suggestion.odds)
    return Audit(suggestions, len(docs), 3 * len(docs), [1.0], Counter({"LONG": 2}))


@pytest.fixture
def page(tmp_path):
    def write(docs, changes=CHANGES, name="audit.html"):
        write_page(tmp_path / name, make_audit(docs, changes), docs, "gold.spacy")
        return tmp_path / name

    return write


# --- Content ----------------------------------------------------------------------


def articles(path):
    return re.findall("(?s)<article.*?</article>", path.read_text(encoding="utf8"))


def text_of(html):
    return " ".join(re.sub("<[^>]*>", "", html).split())


def test_gold_is_above_the_suggestion_with_numbers(page):
    label, boundary, missing, spurious = map(text_of, articles(page([make_doc()])))
    assert label == (
        "wrong label · document 1 · odds 8 · probability 0.80, of gold 0.10 · other "
        "mentions: 0 as suggested, 1 as gold "
        "goldAnnaLOC went from New YorkLOC to Rome with TomPER . "
        "suggestionAnnaPER went from New YorkLOC to Rome with TomPER ."
    )
    assert "suggestionAnnaLOC went from New YorkLOC" in boundary
    assert "suggestionAnnaLOC went from New YorkLOC to RomeLOC with" in missing
    assert "goldAnnaLOC went from New YorkLOC to Rome with TomPER" in missing
    assert spurious.endswith("to Rome with Tom .")


def test_what_differs_is_framed(page):
    first, *_ = articles(page([make_doc()]))
    framed = re.findall('<mark class="[^"]*wrong">([^<]*)<small>([^<]*)', first)
    assert framed == [("Anna", "LOC"), ("Anna", "PER")]


def test_entities_that_are_not_judged_are_counted(page):
    text = text_of(page([make_doc()]).read_text(encoding="utf8"))
    assert "4 suggestions for 3 entities in 1 documents" in text
    assert "2 entities are not judged" in text and "LONG (2)" in text


def test_no_suggestions(page):
    assert "Nothing to review." in page([make_doc()], []).read_text(encoding="utf8")


def test_texts_are_escaped(page):
    doc = make_doc([EVIL, "in", '"'], [(0, 1, '"><b>')])
    change = Change("wrong label", ((0, 1, '"><b>'),), (0, 1, "PER"), 0.1, 0.8)
    html = page([doc], [change]).read_text(encoding="utf8")
    assert "alert('" not in html and '"><b>' not in html
    (content,) = re.findall('(?s)id="content">(.*?)</script>', html)
    assert json.loads(content)["texts"] == {"1": doc.text}


def test_text_from_right_to_left(page):
    doc = make_doc(["שרה", "גרה", "בחיפה"], [(0, 1, "LOC")])
    (article,) = articles(page([doc], CHANGES[:1]))
    assert article.count('<div dir="rtl">') == 2


def test_overlapping_entities_are_drawn(tmp_path):
    doc = make_doc()
    doc.spans["sc"] = [Span(doc, 3, 5, "LOC"), Span(doc, 4, 5, "LOC")]
    change = Change("missing", (), (3, 7, "LOC"), 0.1, 0.8)
    found = Suggestion(1, "sc", change, Agreement(0, 0, 0, 0), 3.0)
    result = Audit([found], 1, 2, [1.0], Counter())
    write_page(tmp_path / "audit.html", result, [doc], "gold.spacy")
    (article,) = articles(tmp_path / "audit.html")
    assert article.count("<small>LOC</small>") == 5


# --- In a browser -----------------------------------------------------------------

needs_browser = pytest.mark.skipif(PROGRAM is None, reason="Chromium is not installed")


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    with open_browser(tmp_path_factory.mktemp("profile")) as tab:
        yield tab
        assert tab.errors == []


def counter(tab):
    return tab.run("document.querySelector('.bar output').textContent")


def visible(tab):
    rows = "[...document.querySelectorAll('article')].filter((each) => !each.hidden)"
    start = "each.querySelector('p').textContent.split(' · ').slice(0, 2).join()"
    return tab.run(f"{rows}.map((each) => {start})")


def choose(tab, name, value):
    tab.run(
        f"document.querySelector('[name={name}]').value = {json.dumps(value)};"
        f"document.querySelector('[name={name}]')"
        ".dispatchEvent(new Event('input', { bubbles: true }))"
    )


@needs_browser
@pytest.mark.parametrize("width", [1280, 390])
def test_decisions_survive_a_reload_and_are_applied(tab, page, tmp_path, width):
    # A line end of Unicode, and a corpus of its own for each test.
    words = [*WORDS[:-1], "a\u2028b", str(width)]
    docs = [make_doc(words)]
    tab.resize(width, 800)
    tab.open(page(docs))
    assert counter(tab) == "0 of 4 decided: 0 accepted, 0 rejected"
    tab.press("a", "r", "ArrowDown", "a", "k", "k", "r", "u", "u", "a")
    assert counter(tab) == "3 of 4 decided: 2 accepted, 1 rejected"
    tab.reload()
    assert counter(tab) == "3 of 4 decided: 2 accepted, 1 rejected"
    # The first suggestion without a decision is the current one.
    current = "document.querySelector('article[aria-current] strong').textContent"
    assert tab.run(current) == "missing"
    assert tab.run("document.documentElement.scrollWidth") <= width
    decisions = tab.download(tmp_path, "[name=export]", "decisions.jsonl")
    read = {each.kind: each.decision for each in read_decisions(decisions)}
    assert read == {
        "wrong label": "accept",
        "wrong boundary": "reject",
        "spurious": "accept",
    }
    first = json.loads(decisions.read_text(encoding="utf8").split("\n")[0])
    values = make_audit(docs).suggestions[0].to_dict(docs[0])
    assert first == {**values, "decision": "accept"}
    corpus, output = write_docs(docs, tmp_path / "gold.spacy"), tmp_path / "out.spacy"
    results = apply_decisions(decisions, corpus, output)
    assert results == {APPLIED: 2, REJECTED: 1}
    (doc,) = read_docs(output, Vocab())
    assert [(e.text, e.label_) for e in doc.ents] == [("Anna", "PER"), ("York", "LOC")]


@needs_browser
def test_order_and_filters(tab, page):
    tab.resize(1280, 800)
    tab.open(page([make_doc([*WORDS, "order"]), make_doc([*WORDS, "Rome"])]))
    kinds = [change.kind for change in CHANGES]
    by_odds = [f"{kind},document {number}" for kind in kinds for number in (1, 2)]
    by_place = [f"{kind},document {number}" for number in (1, 2) for kind in kinds]
    assert visible(tab) == by_odds
    choose(tab, "order", "place")
    assert visible(tab) == by_place
    choose(tab, "order", "agreement")
    assert visible(tab)[0] == "spurious,document 1"
    assert visible(tab)[-1] == "wrong label,document 2"
    choose(tab, "order", "")
    choose(tab, "label", "PER")
    assert visible(tab) == [*by_odds[:2], *by_odds[6:]]
    choose(tab, "kind", "spurious")
    assert visible(tab) == by_odds[6:]
    choose(tab, "text", "ORDER")
    assert visible(tab) == ["spurious,document 1"]
    for name in ("label", "kind", "text"):
        choose(tab, name, "")
    choose(tab, "decision", "none")
    tab.press("a", "r", "j", "a")
    assert counter(tab) == "3 of 8 decided: 2 accepted, 1 rejected"
    assert visible(tab) == [by_odds[2], *by_odds[4:]]
    choose(tab, "decision", "reject")
    assert visible(tab) == by_odds[1:2]
    choose(tab, "text", "accept")
    assert visible(tab) == []


@needs_browser
def test_buttons(tab, page):
    tab.open(page([make_doc([*WORDS, "buttons"])]))
    assert tab.run("document.querySelector('[name=export]').disabled")
    tab.click("article:nth-child(2) [name=reject]")
    tab.click("article:nth-child(3) [name=accept]")
    assert counter(tab) == "2 of 4 decided: 1 accepted, 1 rejected"
    tab.click("article:nth-child(3) [name=accept]")
    assert counter(tab) == "1 of 4 decided: 0 accepted, 1 rejected"
    tab.click("[name=undo]")
    assert counter(tab) == "2 of 4 decided: 1 accepted, 1 rejected"
    pressed = "[...document.querySelectorAll('[aria-pressed=true]')]"
    assert tab.run(f"{pressed}.map((each) => each.name)") == ["reject", "accept"]


@needs_browser
def test_decisions_of_another_corpus_are_not_shown(tab, page):
    tab.open(page([make_doc([*WORDS, "one"])]))
    tab.press("a")
    other = make_doc([*WORDS, "one"], [*GOLD, (1, 2, "PER")])
    tab.open(page([other], name="other.html"))
    assert counter(tab).startswith("0 of 4")


@needs_browser
def test_keys_reach_the_whole_of_a_long_list(tab, page):
    tab.open(page([make_doc([*WORDS, str(i)]) for i in range(10)]))
    assert len(visible(tab)) == 20
    tab.press(*"r" * 21)
    assert counter(tab) == "21 of 40 decided: 0 accepted, 21 rejected"
    current = "document.activeElement.getAttribute('aria-current')"
    assert tab.run(current) == "true"
    box = "document.activeElement.getBoundingClientRect()"
    assert tab.run(f"{box}.top > 0 && {box}.bottom <= innerHeight")
    tab.run("scrollTo(0, 0)")
    tab.press("a")
    assert counter(tab).startswith("21 of 40")
    assert tab.run(f"{box}.top > 0 && {box}.bottom <= innerHeight")
    choose(tab, "text", "no such text")
    tab.press("a")
    assert counter(tab).startswith("21 of 40")


@needs_browser
def test_without_storage_decisions_are_in_memory(tab, page):
    script = "Object.defineProperty(window, 'localStorage', { get() { throw 1; } })"
    added = tab.send("Page.addScriptToEvaluateOnNewDocument", source=script)
    tab.open(page([make_doc([*WORDS, "memory"])]))
    tab.send("Page.removeScriptToEvaluateOnNewDocument", **added)
    assert not tab.run("document.querySelector('.volatile').hidden")
    tab.press("a")
    assert counter(tab).startswith("1 of 4")
