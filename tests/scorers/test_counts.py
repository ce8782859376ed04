"""Counts and scores of spans against slow definitions and against seqeval."""

import warnings

import numpy
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from seqeval.metrics import classification_report
from seqeval.scheme import BILOU, IOB2

from spacy_ner_ext.scorers.counts import (
    FOUND,
    GOLD,
    PREDICTED,
    RIGHT,
    Totals,
    averages,
    count_exact,
    count_overlap,
    count_tokens,
    rates,
)
from tests.helpers.drawn_spans import LENGTH, any_spans, documents, flat_spans


def dice(first, second):
    tokens = [set(range(start, end)) for start, end, _ in (first, second)]
    return 2 * len(tokens[0] & tokens[1]) / (len(tokens[0]) + len(tokens[1]))


def overlap_by_definition(gold, predicted, threshold=0.5):
    """EDS-NLP's definition; of the best predictions it takes any, here one that has
    the label."""
    found = [
        span
        for span in gold
        if any(
            other[2] == span[2]
            and dice(span, other) >= threshold
            and dice(span, other) == max(dice(span, each) for each in predicted)
            for other in predicted
        )
    ]
    right = [
        span
        for span in predicted
        if any(other[2] == span[2] and dice(span, other) >= threshold for other in gold)
    ]
    return table(gold, predicted, found, right)


def token_by_definition(gold, predicted):
    sides = [
        {(i, label) for start, end, label in spans for i in range(start, end)}
        for spans in (gold, predicted)
    ]
    both = sides[0] & sides[1]
    return table(*sides, both, both)


def table(*lists):
    labels = {label for spans in lists for *_, label in spans}
    return {
        label: [sum(span[-1] == label for span in spans) for spans in lists]
        for label in labels
    }


SPANS = any_spans()
# Two predictions that overlap a gold span equally, and one has its label.
TIE = ([(0, 4, "A")], [(0, 2, "A"), (2, 4, "B")])


@given(st.tuples(SPANS, SPANS))
@example(TIE)
@settings(max_examples=300, deadline=None)
def test_counts_are_those_of_the_definitions(sides):
    gold, predicted = sides
    both = set(gold) & set(predicted)
    assert dict(count_exact(*sides)) == table(gold, predicted, both, both)
    assert dict(count_overlap(*sides)) == overlap_by_definition(*sides)
    assert dict(count_tokens(*sides)) == token_by_definition(*sides)
    for threshold in (0.3, 1.0):
        expected = overlap_by_definition(*sides, threshold)
        assert dict(count_overlap(*sides, threshold)) == expected
    assert count_overlap(*sides, 1.0) == count_exact(*sides)


def test_one_of_two_equal_predictions_is_right():
    counts = count_exact([(0, 2, "A")], [(0, 2, "A"), (0, 2, "A")])
    assert counts["A"] == [1, 2, 1, 1]


def test_an_empty_span_is_never_found():
    assert count_overlap([(1, 1, "A")], [(1, 1, "A"), (0, 3, "A")])["A"] == [1, 2, 0, 0]


def tags(spans, scheme):
    last, alone = ("L", "U") if scheme is BILOU else ("I", "B")
    found = ["O"] * LENGTH
    for start, end, label in spans:
        found[start:end] = [f"I-{label}"] * (end - start)
        found[end - 1] = f"{last}-{label}"
        found[start] = f"{'B' if end - start > 1 else alone}-{label}"
    return found


@pytest.mark.parametrize("scheme", [BILOU, IOB2])
@given(some=documents(flat_spans()))
@settings(max_examples=150, deadline=None)
def test_scores_equal_those_of_seqeval(some, scheme):
    total = Totals()
    for gold, predicted in some:
        total.add(count_exact(gold, predicted))
    # seqeval fails where there is nothing at all.
    assume(any(gold for gold, _ in some))
    sides = [[tags(spans, scheme) for spans in side] for side in zip(*some)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = classification_report(
            *sides, output_dict=True, mode="strict", scheme=scheme, zero_division=0
        )
    counts = total.array()
    ours = {f"{name} avg": row for name, row in averages(counts).items()}
    ours.update(zip(total.labels, rates(counts)))
    assert set(ours) == set(expected)
    for name, row in ours.items():
        theirs = [expected[name][key] for key in ("precision", "recall", "f1-score")]
        assert row.tolist() == pytest.approx(theirs, abs=1e-12)


def test_scores_without_spans_are_zero():
    nothing = numpy.zeros((0, 4))
    assert all((row == 0).all() for row in averages(nothing).values())
    assert rates(numpy.zeros(4)).tolist() == [0, 0, 0]


def test_labels_that_are_absent_do_not_lower_the_mean():
    counts = numpy.zeros((3, 4))
    counts[0, [GOLD, PREDICTED, FOUND, RIGHT]] = 2
    counts[1, PREDICTED] = 1
    means = averages(counts)
    assert means["macro"].tolist() == [0.5, 0.5, 0.5]
    assert means["weighted"].tolist() == [1, 1, 1]
