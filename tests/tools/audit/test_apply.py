"""`audit --apply`: the corpus that results from decisions."""

import json

import pytest
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from spacy_ner_ext.data.read import read_docs
from spacy_ner_ext.tools.audit.agreement import Agreement
from spacy_ner_ext.tools.audit.apply import apply_decisions
from spacy_ner_ext.tools.audit.changes import Change
from spacy_ner_ext.tools.audit.suggestions import Suggestion
from spacy_ner_ext.util.errors import UserError
from tests.helpers.corpora import write_docs

WORDS = ["Anna", "went", "from", "New", "York", "to", "Rome", "with", "Tom", "."]
GOLD = [(0, 1, "LOC"), (4, 5, "LOC"), (8, 9, "PER")]
LABEL = Change("wrong label", ((0, 1, "LOC"),), (0, 1, "PER"), 0.1, 0.8)
BOUNDARY = Change("wrong boundary", ((4, 5, "LOC"),), (3, 5, "LOC"), 0.2, 0.6)
MISSING = Change("missing", (), (6, 7, "LOC"), 0.3, 0.6)
SPURIOUS = Change("spurious", ((8, 9, "PER"),), None, 0.9, 0.1)
NONE = Agreement(0, 0, 0, 0)
CHANGES = [LABEL, BOUNDARY, MISSING, SPURIOUS]


def odds_of(change):
    return change.probability / change.gold_probability


@pytest.fixture
def doc():
    doc = Doc(Vocab(), words=WORDS, user_data={"id": "a letter"})
    doc.set_ents([Span(doc, *span) for span in GOLD])
    doc.spans["sc"] = [Span(doc, *span) for span in GOLD]
    return doc


@pytest.fixture
def corpus(tmp_path, doc):
    return write_docs([Doc(doc.vocab, words=["Hello"]), doc], tmp_path / "gold.spacy")


@pytest.fixture
def decide(tmp_path, doc):
    """Write decisions, and apply them to the corpus."""

    def run(corpus, decisions, *, key="ents", document=2, **settings):
        lines = []
        for change, decision in decisions:
            values = Suggestion(document, key, change, NONE, odds_of(change)).to_dict(
                doc
            )
            lines.append(json.dumps({**values, "decision": decision}) + "\n")
        path = tmp_path / "decisions.jsonl"
        path.write_text("".join(lines), encoding="utf8")
        output = tmp_path / "out" / "fixed.spacy"
        return apply_decisions(path, corpus, output, **settings), output

    return run


def entities(output, key="ents"):
    _, doc = read_docs(output, Vocab())
    spans = doc.ents if key == "ents" else doc.spans[key]
    return [(span.start, span.end, span.label_) for span in spans]


def test_accepted_suggestions_change_entities(corpus, decide):
    accepted = [(change, "accept") for change in CHANGES]
    results, output = decide(corpus, accepted)
    assert results == {"applied": 4}
    assert entities(output) == [(0, 1, "PER"), (3, 5, "LOC"), (6, 7, "LOC")]
    first, second = read_docs(output, Vocab())
    assert first.text.strip() == "Hello" and second.user_data["id"] == "a letter"
    # Nothing else became annotated or missing.
    assert second.to_array("ENT_IOB").tolist().count(0) == 0
    listed = output.with_name("fixed.changes.jsonl").read_text().splitlines()
    assert [json.loads(line)["result"] for line in listed] == ["applied"] * 4


def test_texts_may_hold_line_separators(tmp_path):
    doc = Doc(Vocab(), words=["Oslo", "\u2028", "x\x85"])
    doc.set_ents([Span(doc, 0, 1, "PER")])
    corpus = write_docs([doc], tmp_path / "gold.spacy")
    change = Change("wrong label", ((0, 1, "PER"),), (0, 1, "LOC"), 0.1, 0.8)
    values = Suggestion(1, "ents", change, NONE, 8).to_dict(doc)
    line = json.dumps({**values, "decision": "accept"}, ensure_ascii=False)
    (tmp_path / "d.jsonl").write_text(line, encoding="utf8", newline="")
    results = apply_decisions(tmp_path / "d.jsonl", corpus, tmp_path / "new.spacy")
    assert results == {"applied": 1}


def test_rejected_and_undecided_suggestions_change_nothing(corpus, decide):
    results, output = decide(corpus, [(LABEL, "reject"), (MISSING, None)])
    assert results == {"rejected": 1, "undecided": 1}
    assert entities(output) == GOLD


def test_a_suggestion_in_conflict_with_another_is_counted(corpus, decide):
    other = Change("wrong boundary", ((4, 5, "LOC"),), (4, 6, "LOC"), 0.2, 0.3)
    over = Change("missing", (), (2, 4, "LOC"), 0.9, 0.05)
    decisions = [(other, "accept"), (BOUNDARY, "accept"), (over, "accept")]
    results, output = decide(corpus, decisions)
    assert results == {"applied": 1, "in conflict with a change before it": 2}
    # The one with the highest odds comes first.
    assert entities(output) == [(0, 1, "LOC"), (3, 5, "LOC"), (8, 9, "PER")]


def test_span_groups_are_changed_too(corpus, decide):
    results, output = decide(
        corpus, [(LABEL, "accept"), (SPURIOUS, "accept")], key="sc"
    )
    assert results == {"applied": 2}
    assert entities(output, "sc") == [(0, 1, "PER"), (4, 5, "LOC")]
    assert entities(output) == GOLD


def test_doubtful_entities_become_missing(corpus, decide):
    undecided = [(change, None) for change in CHANGES]
    results, output = decide(corpus, undecided, weights=True)
    # The odds of the last are low.
    assert results == {"marked missing": 3, "undecided": 1}
    assert entities(output) == [(8, 9, "PER")]
    _, doc = read_docs(output, Vocab())
    missing = [token.i for token in doc if token.ent_iob == 0]
    assert missing == [0, 3, 4, 6]


def test_rejected_suggestions_are_not_doubtful(corpus, decide):
    results, output = decide(corpus, [(LABEL, "reject")], weights=True)
    assert results == {"rejected": 1} and entities(output) == GOLD


def test_decisions_about_another_corpus_are_refused(corpus, decide, tmp_path):
    for document in (1, 7):
        with pytest.raises(UserError, match=f"another text than document {document}"):
            decide(corpus, [(LABEL, "accept")], document=document)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("line", ["{", "[1]", '{"id": "x"}', '{"gold": 3}', "null"])
def test_other_lines_are_refused_by_number(corpus, tmp_path, line):
    path = tmp_path / "decisions.jsonl"
    path.write_text("\n" + line + "\n")
    with pytest.raises(UserError, match=r"decisions.jsonl, line 2: is not a sugg"):
        apply_decisions(path, corpus, tmp_path / "fixed.spacy")
    assert not (tmp_path / "fixed.spacy").exists()


def test_an_unknown_decision_is_refused(corpus, decide):
    with pytest.raises(UserError, match='has the decision "yes"; write "accept"'):
        decide(corpus, [(LABEL, "yes")])


def test_the_corpus_is_not_overwritten(corpus, tmp_path):
    path = tmp_path / "decisions.jsonl"
    path.write_text("")
    with pytest.raises(UserError, match="is input and output"):
        apply_decisions(path, corpus, corpus)


def test_a_span_group_cannot_be_missing(corpus, decide):
    with pytest.raises(UserError, match=r"the span group sc.*leave out --weights"):
        decide(corpus, [(LABEL, None)], key="sc", weights=True)
