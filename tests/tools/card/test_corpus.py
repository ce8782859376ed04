"""Counts of a corpus, and the limitations that they show."""

from spacy.tokens import Doc, Span

from spacy_ner_ext.tools.card.card import (
    About,
)
from tests.helpers.pipelines import OVERLAPS, fitted
from tests.tools.card.conftest import (
    bullets,
    make_card,
    make_docs,
    rows,
    save,
    section,
    write_corpus,
)


def test_labels_have_counts_and_their_most_frequent_texts(model, corpus):
    found = rows(
        section(make_card(model, {"train": corpus}, About(n_examples=1)), "Labels")
    )
    assert ["LOC", "4", "New York"] in found
    assert ["PER", "2", "Anna Berg"] in found
    none = rows(
        section(make_card(model, {"train": corpus}, About(n_examples=0)), "Labels")
    )
    assert ["LOC", "4", ""] in none


def test_the_data_are_counted_by_split(model, corpus, tmp_path):
    dev = write_corpus(tmp_path / "dev.spacy", make_docs()[:1])
    text = section(make_card(model, {"train": corpus, "dev": dev}), "Data")
    assert "Corpus: News of Oslo, org/oslo" in text
    assert rows(text) == [
        ["", "train", "dev"],
        ["---", "---", "---"],
        ["documents", "5", "1"],
        ["tokens", "23", "7"],
        ["LOC", "4", "1"],
        ["PER", "2", "1"],
    ]


def test_limitations_are_facts(model, corpus):
    assert bullets(make_card(model, {"train": corpus})) == [
        "Entities that `crf_ner` predicts never overlap.",
        "Labels with fewer than 50 examples in train: PER (2), LOC (4).",
        "The best weights were chosen by the scores on dev above.",
        "Labels with an F below 50 on dev: LOC.",
    ]


def test_entities_that_cannot_be_learned_are_counted(tmp_path):
    model = save(fitted("group"), tmp_path / "model")
    docs = make_docs()
    for doc in docs:
        doc.spans["sc"] = list(doc.ents)
    overlaps = [(text, []) for text, _ in OVERLAPS]
    for doc, (_, spans) in zip(make_docs(overlaps), OVERLAPS):
        doc.spans["sc"] = [Span(doc, start, end, label) for start, end, label in spans]
        docs.append(doc)
    cut = Doc(docs[0].vocab, words=["New", "Yorkers"], spaces=[True, False])
    half = Doc(docs[0].vocab, words=["New", "York", "ers"], spaces=[True, False, False])
    assert cut.text == half.text
    half.spans["sc"] = [Span(half, 0, 2, "LOC")]
    train = write_corpus(tmp_path / "train.spacy", [*docs, half])
    found = " ".join(bullets(make_card(model, {"train": train})))
    of = "of 11 entities of train"
    assert (
        f"`crf_ner` could not learn 1 {of}: their boundaries are not token boundaries"
        in found
    )
    assert f"`crf_ner` could not learn 1 {of}: they overlap a longer one" in found
    assert (
        f"`crf_ner` could not learn 1 {of}: the component lacks the label ORG" in found
    )


def test_entities_that_are_too_long_are_counted(tmp_path):
    model = save(fitted("span_marker"), tmp_path / "model")
    long = [("Anna of the old town of York sleeps", [(0, 7, "PER")])]
    train = write_corpus(tmp_path / "train.spacy", make_docs(long))
    found = " ".join(bullets(make_card(model, {"train": train})))
    assert (
        "could not learn 1 of 1 entities of train: the component cannot predict"
        in found
    )


def test_without_the_training_data_the_card_says_so(model):
    found = bullets(make_card(model))
    assert "The training data were not available, so rare labels are not listed." in (
        found
    )
