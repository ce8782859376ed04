"""Comparison of two pipelines on the same documents."""

import random

import numpy as np
import pytest
from spacy.tokens import Doc
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_ner_ext.scorers.counts import COUNTERS, GOLD, Totals, averages, rates
from spacy_ner_ext.tools.evaluate.bootstrap import draw_weights
from spacy_ner_ext.tools.evaluate.comparison import Comparison, two_sided
from spacy_ner_ext.tools.evaluate.entities import (
    DocEntities,
    ScoredDoc,
    ScoredEntity,
)

WORDS = [f"w{i}" for i in range(12)]
VOCAB = Vocab()


def scored(index, gold, predicted):
    doc = Doc(VOCAB, words=WORDS)
    sides = [
        tuple(ScoredEntity(*span[:2], span[2], "", 0.5) for span in sorted(side))
        for side in (gold, predicted)
    ]
    return ScoredDoc(DocEntities(index, len(doc), *sides), Example(doc, doc))


def make_spans(order):
    """Spans that do not overlap."""
    starts = [start for start in range(0, 12, 3) if order.random() < 0.6]
    return {(s, s + order.choice([1, 2]), order.choice("AB")) for s in starts}


def make_documents(n, seed=0):
    """Gold, and the predictions of two pipelines, the first better."""
    order = random.Random(seed)
    documents = []
    for _ in range(n):
        gold = make_spans(order)
        sides = [
            {span for span in gold if order.random() < share}
            | {span for span in make_spans(order) if order.random() < 0.1}
            for share in (0.8, 0.5)
        ]
        documents.append((gold, *sides))
    return documents


def compare(documents, **settings):
    comparison = Comparison(**settings)
    for index, (gold, ours, others) in enumerate(documents):
        comparison.add(scored(index, gold, ours), scored(index, gold, others))
    return comparison.result()


def brute_force(documents, metric, weights):
    """Scores of both, the averages first: [2, 3 + n_labels, 3]."""
    sides = []
    for side in (1, 2):
        totals = Totals()
        for document, weight in zip(documents, weights, strict=True):
            for _ in range(int(weight)):
                totals.add(COUNTERS[metric](document[0], document[side]))
        counts = totals.array(["A", "B"])
        sides.append([*averages(counts).values(), *rates(counts)])
    return np.array(sides)


@pytest.mark.parametrize("metric", ["exact", "overlap", "token"])
def test_differences_and_p_values_are_those_of_brute_force(metric):
    documents = make_documents(12)
    found = compare(documents, resamples=60)["differences"][metric]
    observed = brute_force(documents, metric, np.ones(12))
    # Each of these documents has counts that no other has.
    (weights,) = draw_weights(np.ones(12, dtype=int), 60)
    resampled = np.array([brute_force(documents, metric, row) for row in weights])
    difference = observed[0] - observed[1]
    moved = resampled[:, 0] - resampled[:, 1]
    low, high = np.quantile(moved, [0.025, 0.975], axis=0)
    far = np.abs(moved - difference) >= np.abs(difference) - 1e-9
    p = (1 + far.sum(axis=0)) / 61
    rows = [
        found["micro"],
        found["macro"],
        found["weighted"],
        *found["labels"].values(),
    ]
    for i, row in enumerate(rows):
        for j, name in enumerate("prf"):
            expected = {
                "ours": observed[0, i, j],
                "baseline": observed[1, i, j],
                "difference": difference[i, j],
                "p_value": p[i, j],
            }
            interval = row[name].pop("interval")
            assert row[name] == pytest.approx(expected, abs=1e-12)
            assert interval == pytest.approx([low[i, j], high[i, j]], abs=1e-12)
    supports = [each["support"] for each in found["labels"].values()]
    assert supports == count_gold(documents, metric)


def count_gold(documents, metric):
    totals = Totals()
    for gold, *_ in documents:
        totals.add(COUNTERS[metric](gold, ()))
    return totals.array(["A", "B"])[:, GOLD].tolist()


def test_a_clear_difference_is_significant_and_none_is_not():
    documents = make_documents(200)
    f = compare(documents)["differences"]["exact"]["micro"]["f"]
    assert f["difference"] > 0.1 and f["interval"][0] > 0
    assert f["p_value"] == pytest.approx(1 / 1001)
    same = compare([(gold, ours, ours) for gold, ours, _ in documents])
    f = same["differences"]["exact"]["micro"]["f"]
    assert f["difference"] == 0 and f["interval"] == [0, 0] and f["p_value"] == 1
    assert same["changed"] == {"better": 0, "worse": 0, "other": 0, "examples": []}


def test_p_values_are_uniform_without_a_difference():
    """Equally good pipelines differ with p < 0.1 on a tenth of corpora."""
    order = np.random.default_rng(0)
    values = order.normal(size=(2000, 100))
    weights = order.multinomial(100, np.full(100, 0.01), size=300) / 100
    p = two_sided(values.mean(axis=1), weights @ values.T)
    assert (p < 0.1).mean() == pytest.approx(0.1, abs=0.03)
    assert (p < 0.5).mean() == pytest.approx(0.5, abs=0.04)


def test_the_same_documents_give_the_same_result():
    documents = make_documents(30)
    assert compare(documents, seed=3) == compare(documents, seed=3)
    assert compare(documents, seed=3) != compare(documents, seed=4)


def test_without_resamples_there_are_differences_only():
    f = compare(make_documents(20), resamples=0)["differences"]["exact"]["micro"]["f"]
    assert f["difference"] == f["ours"] - f["baseline"] > 0
    assert f["interval"] is None and f["p_value"] is None


def test_a_label_of_only_one_pipeline():
    result = compare([({(0, 1, "A")}, {(0, 1, "A")}, {(0, 1, "B")})] * 5)
    labels = result["differences"]["exact"]["labels"]
    assert labels["A"]["f"]["difference"] == 1 and labels["B"]["support"] == 0
    assert labels["B"]["p"]["baseline"] == 0


def test_nothing_to_compare():
    result = compare([(set(), set(), set())] * 3)
    assert result["differences"]["exact"]["labels"] == {}
    assert result["differences"]["exact"]["micro"]["f"]["difference"] == 0
    assert compare([])["changed"]["examples"] == []


# --- Documents that changed -----------------------------------------------------------

RIGHT, SHORT, OTHER = (0, 2, "A"), (0, 1, "A"), (0, 2, "B")


def test_documents_are_better_worse_or_other():
    documents = [
        ({RIGHT}, {RIGHT}, {RIGHT}),
        ({RIGHT}, {RIGHT}, set()),
        ({RIGHT}, set(), {RIGHT}),
        ({RIGHT}, {SHORT}, {OTHER}),
        ({RIGHT}, {RIGHT}, {OTHER}),
    ]
    changed = compare(documents)["changed"]
    examples = changed.pop("examples")
    assert changed == {"better": 2, "worse": 1, "other": 1}
    by_document = {each["document"]: each for each in examples}
    assert sorted(by_document) == [1, 2, 3, 4]
    assert [by_document[i]["kinds"] for i in (1, 2, 3)] == [
        *({"better": 1}, {"worse": 1}, {"other": 1})
    ]
    assert by_document[4]["reason"] == "2 errors fewer than the baseline."
    assert by_document[2]["reason"] == "1 error more than the baseline."
    assert "as many errors" in by_document[3]["reason"]
    for side, label in (("gold", "A"), ("predicted", "A"), ("baseline", "B")):
        (span,) = by_document[3][side]
        assert span["label"] == label and span["start"] == 0


def test_examples_of_changes_are_few():
    documents = make_documents(300)
    changed = compare(documents, most=10, resamples=0)["changed"]
    assert len(changed["examples"]) == 10
    kinds = [kind for each in changed["examples"] for kind in each["kinds"]]
    assert {"better", "worse", "other"} == set(kinds)
