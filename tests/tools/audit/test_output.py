"""Files of an audit: the tasks for review."""

import json
from collections import Counter

import pytest
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from spacy_ner_ext import convert
from spacy_ner_ext.data.read import read_docs
from spacy_ner_ext.tools.audit.agreement import Agreement
from spacy_ner_ext.tools.audit.audit import Audit
from spacy_ner_ext.tools.audit.changes import Change
from spacy_ner_ext.tools.audit.output import write_audit
from spacy_ner_ext.tools.audit.suggestions import Suggestion
from tests.helpers.corpora import write_docs

NONE = Agreement(0, 0, 0, 0)


@pytest.fixture
def written(tmp_path):
    vocab = Vocab()
    docs = [Doc(vocab, words=words.split()) for words in ("Oslo", "To Rome and Turin")]
    docs[0].set_ents([Span(docs[0], 0, 1, "LOC")])
    docs[1].set_ents([Span(docs[1], 1, 2, "PER"), Span(docs[1], 3, 4, "LOC")])
    label = Change("wrong label", ((1, 2, "PER"),), (1, 2, "LOC"), 0.1, 0.8)
    spurious = Change("spurious", ((3, 4, "LOC"),), None, 0.4, 0.6)
    suggestions = [
        Suggestion(2, "ents", label, NONE, 7.0),
        Suggestion(2, "ents", spurious, NONE, 0.3),
    ]
    audit = Audit(suggestions, 2, 3, [1.0], Counter())
    write_audit(audit, write_docs(docs, tmp_path / "gold.spacy"), tmp_path / "audit")
    return tmp_path / "audit"


def test_tasks_have_probable_suggestions_and_name_all(written):
    task = json.loads((written / "tasks.prodigy.jsonl").read_text())
    found = [(span["start"], span["end"], span["label"]) for span in task["spans"]]
    assert found == [(3, 7, "LOC"), (12, 17, "LOC")]
    assert task["meta"]["document"] == 2
    assert task["meta"]["suggestions"] == (
        "wrong label: Rome PER -> Rome LOC (odds 7); "
        "spurious: Turin LOC -> no entity (odds 0.3)"
    )


def test_reviewed_tasks_are_converted(written, tmp_path):
    (task,) = json.loads((written / "tasks.label-studio.json").read_text())
    task["annotations"] = [{"result": task.pop("predictions")[0]["result"]}]
    (tmp_path / "export.json").write_text(json.dumps([task]))
    convert(tmp_path / "export.json", tmp_path / "new.spacy", lang="en")
    (doc,) = read_docs(tmp_path / "new.spacy", Vocab())
    assert [(e.text, e.label_) for e in doc.ents] == [("Rome", "LOC"), ("Turin", "LOC")]
    assert (written / "tasks.doccano.jsonl").read_text().count("\n") == 1
