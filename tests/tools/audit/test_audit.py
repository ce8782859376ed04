"""`spacy_ner_ext.audit` in Python: wrong annotation is found."""

import pytest
import spacy
from spacy.tokens import Doc, Span

from spacy_ner_ext import audit
from spacy_ner_ext.tools.audit.folds import divide
from spacy_ner_ext.util.errors import UserError
from tests.helpers.corpora import write_docs
from tests.helpers.pipelines import (
    CORPUS,
    PIPELINES,
    annotate,
    fitted,
    subject,
    words_of,
)

# Each is wrong in one way; the pipelines have learned the right annotation by heart.
WRONG = {
    "missing": ("Anna Berg lives in New York .", [(0, 2, "PER")]),
    "spurious": ("It rains again today .", [(3, 4, "LOC")]),
    "wrong label": ("Oslo", [(0, 1, "PER")]),
    "wrong boundary": ("She met Tom Lee Ray in Rome .", [(2, 4, "PER"), (6, 7, "LOC")]),
}
RIGHT = {
    "missing": (4, 6, "LOC"),
    "spurious": None,
    "wrong label": (0, 1, "LOC"),
    "wrong boundary": (2, 5, "PER"),
}


def gold_doc(nlp, text, spans, key="ents"):
    return annotate(Doc(nlp.vocab, words=words_of(text)), spans, key)


def audit_with(name, kind, tmp_path):
    """Audit right texts and, last, one that is wrong in one way."""
    nlp = fitted(name)
    key = subject(nlp).target[0]
    docs = [gold_doc(nlp, *each, key) for each in [*CORPUS, WRONG[kind]]]
    found = audit(write_docs(docs, tmp_path / "c.spacy"), model=nlp)
    return found.suggestions, key, len(docs)


@pytest.mark.parametrize(
    "name", [n for n in PIPELINES if n not in ("tagger", "text_cnn")]
)
@pytest.mark.parametrize("kind", [kind for kind in WRONG if kind != "spurious"])
def test_each_kind_of_error_comes_first(name, kind, tmp_path):
    suggestions, key, number = audit_with(name, kind, tmp_path)
    first = suggestions[0]
    assert (first.document, first.key, first.change.kind) == (number, key, kind)
    assert first.change.suggested == RIGHT[kind]
    odds = [suggestion.odds for suggestion in suggestions]
    assert odds == sorted(odds, reverse=True)


def test_an_entity_that_is_none_is_found_but_does_not_come_first(tmp_path):
    suggestions, _, number = audit_with("flat_biluo", "spurious", tmp_path)
    (found,) = (s for s in suggestions if s.document == number)
    assert (found.change.kind, found.change.suggested) == ("spurious", None)
    assert found.change.gold == ((3, 4, "LOC"),)


def test_other_mentions_of_the_form_are_counted(tmp_path):
    nlp = fitted("flat_biluo")
    oslo = [("Oslo", [(0, 1, label)]) for label in ("PER", "LOC", "LOC")]
    texts = [*oslo, ("She met Oslo .", [])]
    docs = [gold_doc(nlp, *each) for each in texts]
    found = audit(write_docs(docs, tmp_path / "c.spacy"), model=nlp)
    first = found.suggestions[0]
    assert first.document == 1 and first.change.kind == "wrong label"
    assert first.agreement[:2] == (0, 2)
    assert (found.documents, found.entities) == (4, 3)


def test_unannotated_tokens_are_not_judged(tmp_path):
    nlp = fitted("flat_biluo")
    doc = gold_doc(nlp, "New York", [])
    doc.set_ents([], missing=[doc[0:2]])
    right = [gold_doc(nlp, *each) for each in CORPUS]
    found = audit(write_docs([doc, *right], tmp_path / "c.spacy"), model=nlp)
    assert not found.suggestions


def test_entities_that_can_never_be_predicted_are_counted(tmp_path):
    nlp = fitted("span_marker")
    words = ["Anna"] * 9
    docs = [gold_doc(nlp, " ".join(words), [(0, 9, "PER")])]
    found = audit(write_docs(docs, tmp_path / "c.spacy"), model=nlp)
    assert found.unjudged == {"PER": 1}


@pytest.mark.parametrize(
    "text,spans,message",
    [
        ("Oslo", [], "has no entities in ents.*give an annotated corpus"),
        ("Oslo", [(0, 1, "CITY")], "entities of the label CITY, which 'crf_ner' lacks"),
    ],
)
def test_a_corpus_that_cannot_be_judged_gets_one_sentence(
    text, spans, message, tmp_path
):
    nlp = fitted("flat_biluo")
    path = write_docs([gold_doc(nlp, text, spans)], tmp_path / "c.spacy")
    with pytest.raises(UserError, match=message):
        audit(path, model=nlp)


def test_either_a_config_or_a_model_judges(tmp_path):
    nlp = fitted("flat_biluo")
    path = write_docs([gold_doc(nlp, "Oslo", [(0, 1, "LOC")])], tmp_path / "c.spacy")
    with pytest.raises(UserError, match=r"either a config .* or a trained model"):
        audit(path)
    with pytest.raises(UserError, match=r"name the folder .* with --output"):
        audit(path, config=tmp_path / "train.cfg")


def test_the_same_text_and_the_parts_of_a_document_are_in_one_fold():
    vocab = spacy.blank("en").vocab
    texts = [f"text {i % 20}" for i in range(40)]
    docs = [Doc(vocab, words=text.split()) for text in texts]
    for i in range(20):
        part = Doc(vocab, words=["part", str(i)])
        part.user_data["document"] = f"book {i % 4}"
        docs.append(part)
    folds = divide(docs, 4)
    names = [doc.user_data.get("document") or doc.text for doc in docs]
    assert len(set(zip(names, folds))) == len(set(names))
    sizes = [folds.count(fold) for fold in range(4)]
    assert min(sizes) > 5
    assert divide(docs, 4) == folds


def test_fewer_documents_than_folds_are_refused():
    vocab = spacy.blank("en").vocab
    docs = [Doc(vocab, words=["same"]), Doc(vocab, words=["same"])]
    with pytest.raises(UserError, match=r"1 different documents cannot .* --folds"):
        divide(docs, 2)


def test_entities_of_several_span_groups_are_judged_where_they_are(tmp_path):
    nlp = fitted("flat_biluo")
    subject(nlp).cfg["target"] = ["sc", "ents"]
    doc = gold_doc(nlp, "Oslo", [(0, 1, "PER")])
    doc.spans["sc"] = [Span(doc, 0, 1, "LOC")]
    found = audit(write_docs([doc], tmp_path / "c.spacy"), model=nlp)
    assert [s.key for s in found.suggestions if s.change.gold] == ["ents"]
