"""Accuracy and weighted scores of categories, against a plain count."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spacy.scorer import Scorer
from spacy.tokens import Doc
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_ner_ext.scorers.textcat import make_cats_weighted, make_textcat_scorer

VOCAB = Vocab()
LABELS = ("A", "B", "C")
ONE = st.sampled_from(LABELS)


def example(gold, predicted):
    docs = [Doc(VOCAB, words=["a"]), Doc(VOCAB, words=["a"])]
    for doc, true in zip(docs, (predicted, gold)):
        doc.cats = {label: float(label in true) for label in LABELS}
    return Example(*docs)


def expected_means(pairs):
    total = sum(len(gold) for gold, _ in pairs)
    means = [0.0, 0.0, 0.0]
    for label in LABELS:
        right = sum(label in gold and label in found for gold, found in pairs)
        n_gold = sum(label in gold for gold, _ in pairs)
        n_found = sum(label in found for _, found in pairs)
        p = right / n_found if n_found else 0.0
        r = right / n_gold if n_gold else 0.0
        f = 2 * p * r / (p + r) if p + r else 0.0
        for i, value in enumerate((p, r, f)):
            means[i] += value * n_gold / total if total else 0.0
    return means


@given(st.lists(st.tuples(ONE, ONE), min_size=1))
def test_one_category_per_text(pairs):
    score = make_textcat_scorer()
    scores = score([example(*pair) for pair in pairs], labels=LABELS)
    right = sum(gold == found for gold, found in pairs)
    assert scores["cats_accuracy"] == pytest.approx(right / len(pairs))
    found = [scores[f"cats_weighted_{name}"] for name in "prf"]
    assert found == pytest.approx(expected_means(pairs), abs=1e-9)


@given(st.lists(st.tuples(st.sets(ONE), st.sets(ONE)), min_size=1))
def test_any_number_of_categories(pairs):
    score = make_textcat_scorer(multi_label=True)
    examples = [example(*pair) for pair in pairs]
    scores = score(examples, labels=LABELS, threshold=0.5)
    right = sum(gold == found for gold, found in pairs)
    assert scores["cats_accuracy"] == pytest.approx(right / len(pairs))
    found = [scores[f"cats_weighted_{name}"] for name in "prf"]
    assert found == pytest.approx(expected_means(pairs), abs=1e-9)


def test_scores_of_spacy_are_unchanged_and_scores_without_gold_are_zero():
    examples = [example("A", "A"), example("B", "A")]
    scores = make_textcat_scorer()(examples, labels=LABELS)
    theirs = Scorer.score_cats(examples, "cats", labels=LABELS, multi_label=False)
    assert {key: scores[key] for key in theirs} == theirs
    for doc in (eg.reference for eg in examples):
        doc.cats = {}
    scores = make_textcat_scorer()(examples, labels=LABELS)
    assert scores["cats_accuracy"] == scores["cats_weighted_f"] == 0.0


@given(st.lists(st.tuples(ONE, ONE), min_size=1))
def test_weighted_f_as_main_score(pairs):
    examples = [example(*pair) for pair in pairs]
    usual = make_textcat_scorer()(examples, labels=LABELS)
    scores = make_textcat_scorer(weighted=True)(examples, labels=LABELS)
    assert make_cats_weighted()(examples, labels=LABELS) == scores
    assert scores["cats_score"] == usual["cats_weighted_f"]
    different = {key for key in usual if scores[key] != usual[key]}
    assert different <= {"cats_score", "cats_score_desc", "cats_auc_per_type"}
