"""Scores of a corpus with their intervals, and of groups."""

import numpy
import pytest
from hypothesis import given, settings

from spacy_ner_ext.scorers.counts import COUNTERS, Totals, averages, rates
from spacy_ner_ext.tools.evaluate import bootstrap
from spacy_ner_ext.tools.evaluate.bootstrap import draw_weights
from spacy_ner_ext.tools.evaluate.entities import DocEntities, ScoredDoc
from spacy_ner_ext.tools.evaluate.groups import (
    LENGTH,
    OTHER,
    SAME,
    SEEN,
    SENTENCE,
    UNSEEN,
    SeenForms,
)
from spacy_ner_ext.tools.evaluate.metrics import Metrics
from tests.helpers.drawn_spans import any_spans, documents, entity, scored


def collect(some, **settings):
    metrics = Metrics(**settings)
    for gold, predicted in some:
        metrics.add(scored(gold, predicted))
    return metrics.result()


def total_of(some, metric):
    total = Totals()
    for sides in some:
        total.add(COUNTERS[metric](*sides))
    return total


@settings(max_examples=100, deadline=None)
@given(documents(any_spans()))
def test_scores_are_those_of_all_counts(some):
    found = collect(some, resamples=0)["metrics"]
    for metric in COUNTERS:
        total = total_of(some, metric)
        rows = {**found[metric]["labels"]}
        assert set(rows) == set(total.labels)
        expected = dict(zip(total.labels, rates(total.array())))
        expected.update(averages(total.array()))
        rows.update({name: found[metric][name] for name in averages(total.array())})
        for name, row in rows.items():
            found_scores = [row[each] for each in "prf"]
            assert found_scores == pytest.approx(expected[name].tolist(), abs=1e-12)
            assert row["f_interval"] is None
        labels = found[metric]["labels"].values()
        for name in ("support", "predicted", "correct"):
            assert rows["micro"][name] == sum(each[name] for each in labels)


@settings(max_examples=50, deadline=None)
@given(documents(any_spans()))
def test_groups_share_out_all_entities(some):
    found = collect(some, resamples=0)
    micro = found["metrics"]["exact"]["micro"]
    for kind in (LENGTH, SENTENCE):
        for name in ("support", "predicted", "correct"):
            assert sum(g[name] for g in found["groups"][kind]) == micro[name]
    assert found["groups"][SEEN] is None


SOME = [
    ([(0, 2, "A"), (3, 4, "B")], [(0, 2, "A"), (3, 5, "B")]),
    ([(1, 4, "A")], []),
    ([], [(2, 3, "A")]),
    ([], []),
    ([(0, 2, "A"), (3, 4, "B")], [(0, 2, "A"), (3, 5, "B")]),
    ([(5, 8, "C")], [(5, 8, "C"), (0, 1, "A")]),
]
RESAMPLES = 60


def resampled(some, weights):
    """Scores of a corpus in which each document is as often as it was drawn."""
    corpus = [sides for sides, n in zip(some, weights) for _ in range(int(n))]
    for metric in COUNTERS:
        total = total_of(corpus, metric)
        for label in "ABC":
            known = label in total.labels
            values = rates(total.array([label]))[0] if known else [numpy.nan] * 3
            yield (metric, label), list(values)
        for name, row in averages(total.array()).items():
            yield (metric, name), row.tolist() if total.labels else [numpy.nan] * 3


def test_intervals_are_those_of_corpora_made_of_the_drawn_documents(monkeypatch):
    """Some resamples at a time, and documents with equal counts drawn as one."""
    monkeypatch.setattr(bootstrap, "CHUNK", 35)
    found = collect(SOME, resamples=RESAMPLES, confidence=0.8, seed=3)["metrics"]
    # The first and the fifth document are alike, and drawn as the first.
    repeats = numpy.array([2, 1, 1, 1, 1])
    drawn = numpy.concatenate(list(draw_weights(repeats, RESAMPLES, seed=3)))
    assert drawn.shape == (RESAMPLES, 5) and (drawn.sum(axis=1) == len(SOME)).all()
    distinct = [*SOME[:4], SOME[5]]
    samples = [dict(resampled(distinct, weights)) for weights in drawn]
    for key in samples[0]:
        metric, name = key
        score = {**found[metric]["labels"], **found[metric]}[name]
        for column, each in enumerate("prf"):
            values = [sample[key][column] for sample in samples]
            expected = numpy.nanquantile(values, [0.1, 0.9]).tolist()
            assert score[f"{each}_interval"] == pytest.approx(expected, abs=1e-12)


def test_without_documents_there_is_nothing():
    assert not list(draw_weights(numpy.array([], dtype=int), 10))
    found = Metrics().result()
    assert found["metrics"]["exact"]["micro"]["f"] == 0
    assert found["metrics"]["exact"]["labels"] == {}
    assert found["groups"][LENGTH] == []


def test_the_same_seed_gives_the_same_intervals():
    first, again, other = (collect(SOME, seed=seed) for seed in (1, 1, 2))
    assert first == again != other


def test_groups_by_what_training_has():
    seen = SeenForms()
    seen.labels["New York"].add("LOC")
    gold = (
        entity(0, 2, "LOC", text="New\nYork"),
        entity(3, 5, "ORG", text="New York"),
        entity(6, 7, "LOC", text="Oslo"),
    )
    metrics = Metrics(seen, resamples=0)
    metrics.add(ScoredDoc(DocEntities(0, 8, gold, gold[1:]), None))
    found = {group["name"]: group for group in metrics.result()["groups"][SEEN]}
    assert list(found) == [SAME, OTHER, UNSEEN]
    assert [found[name]["r"] for name in found] == [0, 1, 1]
