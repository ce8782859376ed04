"""Precision and recall over the threshold, against counting again for each."""

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_ner_ext.scorers.thresholds import (
    best_point,
    curve,
    lowest_for_precision,
    split_by_label,
    thin,
    threshold_curves,
)

# Few values, so that some are equal.
scores = st.one_of(st.floats(0, 1), st.sampled_from([0.2, 0.5, 0.5000001, 1.0]))
found = st.lists(
    st.tuples(scores, st.booleans(), st.sampled_from(["A", "B"])),
    min_size=1,
    max_size=30,
)


def count(rows, threshold, n_gold):
    kept = [right for score, right, _ in rows if score >= threshold]
    right = sum(kept)
    recall = right / n_gold if n_gold else 0.0
    return right / len(kept), recall, 2 * right / (len(kept) + n_gold), len(kept)


def points_of(rows, missed):
    gold = {label: sum(r for _, r, x in rows if x == label) for label in "AB"}
    gold["B"] += missed
    columns = list(zip(*rows))
    total = numpy.array(columns[0]), numpy.array(columns[1]), sum(gold.values())
    return {"(all)": total, **split_by_label(*columns, gold)}


@given(found, st.integers(0, 5))
def test_every_point_is_what_its_threshold_gives(rows, missed):
    for name, part in points_of(rows, missed).items():
        own = [row for row in rows if name in ("(all)", row[2])]
        points = curve(*part)
        for point in points:
            expected = count(own, point.threshold, part[2])
            assert (point.p, point.r, point.f, point.kept) == pytest.approx(expected)
        assert points[0].threshold == 0, "the first keeps all"
        assert len(points) == len({score for score, *_ in own})


@given(found, st.integers(0, 5), st.floats(0, 1))
def test_no_threshold_is_better_than_the_best(rows, missed, precision):
    part = points_of(rows, missed)["(all)"]
    points = curve(*part)
    best, lowest = best_point(points), lowest_for_precision(points, precision)
    for score, *_ in rows:
        p, r, f, _ = count(rows, score, part[2])
        assert f <= best.f + 1e-12
        assert p < precision or (lowest.p >= precision and lowest.r >= r)


def test_a_precision_that_no_threshold_reaches_has_none():
    points = curve(*split_by_label([0.9, 0.8], [0, 1], ["A"] * 2, {"A": 1})["A"])
    assert lowest_for_precision(points, 0.6) is None
    assert lowest_for_precision(points, 0.5).threshold == 0


def test_thresholds_are_short_and_between_scores():
    points = curve(numpy.array([0.3141592, 0.6]), numpy.array([False, True]), 1)
    assert [point.threshold for point in points] == [0.0, 0.4571]


def test_long_curves_keep_their_ends_and_their_best():
    n = 5000
    values = [i / n for i in range(n)]
    right = [value > 0.7771 for value in values]
    points = curve(numpy.array(values), numpy.array(right), n)
    short = thin(points, 200)
    assert len(short) <= 200
    assert (short[0], short[-1]) == (points[0], points[-1])
    assert best_point(points) in short
    assert short == sorted(short, key=lambda point: point.threshold)


def test_the_result_can_be_written_as_json():
    result = threshold_curves([0.9, 0.4], [True, False], ["A", "B"], {"A": 1, "C": 2})
    assert set(result["curves"]) == {"(all)", "A", "B"}
    assert result["best"]["A"]["f"] == 1
    assert result["best"]["(all)"]["threshold"] == 0.65
    assert result["best"]["(all)"]["r"] == pytest.approx(1 / 3)
    assert threshold_curves([], [], [], {"A": 1}) is None
