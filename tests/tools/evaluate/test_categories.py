"""Evaluation of text categorizers."""

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_ner_ext.scorers.textcat import make_textcat_scorer
from spacy_ner_ext.tools.evaluate.categories import Categorizer, CategoryMetrics
from spacy_ner_ext.tools.evaluate.entities import DocEntities, ScoredDoc
from spacy_ner_ext.tools.evaluate.evaluate import evaluate

VOCAB = Vocab()
LABELS = ("A", "B", "C")
VALUES = st.integers(0, 100).map(lambda percent: percent / 100)
SCORES = st.fixed_dictionaries(dict.fromkeys(LABELS, VALUES))


def scored(index, gold, predicted):
    docs = [Doc(VOCAB, words=["a", "b"]) for _ in range(2)]
    for doc, cats in zip(docs, (predicted, gold)):
        doc.cats = cats
    return ScoredDoc(DocEntities(index, 2, (), ()), Example(*docs))


def collect(pairs, exclusive):
    collector = CategoryMetrics(
        Categorizer("textcat", LABELS, exclusive, 0.5), resamples=0
    )
    documents = [scored(i, *pair) for i, pair in enumerate(pairs)]
    for document in documents:
        collector.add(document)
    return collector, [document.example for document in documents]


def one_of(label):
    return {name: float(name == label) for name in LABELS}


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.sampled_from(LABELS), SCORES), min_size=1))
def test_scores_are_those_of_the_scorer(pairs):
    pairs = [(one_of(gold), scores) for gold, scores in pairs]
    collector, examples = collect(pairs, exclusive=True)
    result = collector.result()
    expected = make_textcat_scorer()(examples, labels=LABELS)
    assert result["accuracy"] == pytest.approx(expected["cats_accuracy"])
    for name in "prf":
        weighted = expected[f"cats_weighted_{name}"]
        assert result["weighted"][name] == pytest.approx(weighted)
    rows = result["confusion"]["rows"]
    assert sum(map(sum, rows)) == len(pairs)
    right = sum(row[i] for i, row in enumerate(rows))
    assert right == pytest.approx(result["accuracy"] * len(pairs))
    assert result["calibration"]["count"] == len(pairs)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.sets(st.sampled_from(LABELS)), SCORES), min_size=1))
def test_several_categories_a_text(pairs):
    pairs = [({k: float(k in gold) for k in LABELS}, found) for gold, found in pairs]
    collector, examples = collect(pairs, exclusive=False)
    result = collector.result()
    scorer = make_textcat_scorer(multi_label=True)
    expected = scorer(examples, labels=LABELS, threshold=0.5)
    assert result["accuracy"] == pytest.approx(expected["cats_accuracy"])
    assert result["weighted"]["f"] == pytest.approx(expected["cats_weighted_f"])
    assert result["confusion"] is None
    assert result["calibration"]["count"] == len(pairs) * len(LABELS)
    best = result["thresholds"]["best"]["(all)"]
    assert best["f"] >= result["micro"]["f"] - 1e-9


def test_texts_without_gold_do_not_count():
    collector, _ = collect([({}, one_of("A"))], exclusive=True)
    assert collector.result() is None


def test_unknown_categories_are_wrong_and_counted():
    pairs = [({"X": 1.0, "A": 0.0}, one_of("A")), (one_of("A"), one_of("A"))]
    collector, _ = collect(pairs, exclusive=True)
    assert collector.unknown == ["X"]
    result = collector.result()
    assert result["accuracy"] == 0.5
    assert result["labels"]["X"]["support"] == 1


def test_the_errors_with_the_highest_scores_are_kept():
    categorizer = Categorizer("textcat", LABELS, True, 0.5)
    collector = CategoryMetrics(categorizer, resamples=0, most=2)
    for i, score in enumerate((0.6, 0.9, 0.7, 0.9)):
        found = {"A": score, "B": 1 - score}
        collector.add(scored(i, one_of("B"), found))
    kept = collector.result()["examples"]
    assert [example["document"] for example in kept] == [1, 3]
    assert kept[0]["predicted"] == [{"label": "A", "score": 0.9}]


@pytest.mark.parametrize("factory", ["textcat", "textcat_multilabel"])
def test_a_pipeline(factory, tmp_path):
    nlp = spacy.blank("en")
    nlp.add_pipe(factory)
    texts = {"ship": "A ship sails the sea.", "bread": "Bread and butter."}
    golds = {label: {k: float(k == label) for k in texts} for label in texts}
    examples = [
        Example.from_dict(nlp.make_doc(text), {"cats": golds[label]})
        for label, text in texts.items()
    ]
    optimizer = nlp.initialize(lambda: examples)
    for _ in range(40):
        nlp.update(examples, sgd=optimizer)
    corpus = tmp_path / "dev.spacy"
    DocBin(docs=[eg.reference for eg in examples], store_user_data=True).to_disk(corpus)
    result = evaluate(nlp, corpus, resamples=10).to_dict()
    assert result["entities"] is None
    assert result["categories"]["component"] == factory
    assert result["categories"]["accuracy"] == 1.0
    assert result["categories"]["exclusive"] == (factory == "textcat")
    assert result["categories"]["examples"] == []
