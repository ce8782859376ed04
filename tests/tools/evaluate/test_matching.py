"""Every gold entity and every prediction has one place among right and wrong."""

from collections import Counter

import pytest
from hypothesis import given, settings

from spacy_ner_ext.scorers.counts import RIGHT, count_exact
from spacy_ner_ext.tools.evaluate.matching import (
    CORRECT,
    MISSED,
    SPURIOUS,
    WRONG_BOTH,
    WRONG_BOUNDARY,
    WRONG_LABEL,
    match,
)
from tests.helpers.drawn_spans import any_spans, entity


def matched(gold, predicted):
    return match(*([entity(*span) for span in side] for side in (gold, predicted)))


CASES = [
    ([(0, 2, "A")], [(0, 2, "A")], [CORRECT]),
    ([(0, 2, "A")], [(0, 2, "B")], [WRONG_LABEL]),
    ([(0, 2, "A")], [(0, 1, "A")], [WRONG_BOUNDARY]),
    ([(0, 2, "A")], [(0, 1, "B")], [WRONG_BOTH]),
    ([(0, 2, "A")], [(2, 3, "A")], [MISSED, SPURIOUS]),
    # Of two predictions inside one gold entity the longer is its own.
    ([(0, 5, "A")], [(0, 2, "A"), (2, 5, "A")], [WRONG_BOUNDARY, SPURIOUS]),
    # The label decides before how much overlaps.
    ([(0, 5, "A")], [(0, 1, "A"), (1, 5, "B")], [WRONG_BOUNDARY, SPURIOUS]),
    ([(0, 2, "A")], [(0, 2, "A"), (0, 2, "A")], [CORRECT, SPURIOUS]),
    # Nested entities.
    ([(0, 4, "A"), (0, 2, "B")], [(0, 4, "A"), (0, 2, "B")], [CORRECT, CORRECT]),
]


@pytest.mark.parametrize("gold,predicted,kinds", CASES)
def test_kinds_of_errors(gold, predicted, kinds):
    assert [each.kind for each in matched(gold, predicted)] == kinds


@settings(max_examples=200, deadline=None)
@given(any_spans(), any_spans(unique=False))
def test_each_entity_is_in_one_match(gold, predicted):
    matches = matched(gold, predicted)
    for name, spans in (("gold", gold), ("predicted", predicted)):
        found = [getattr(each, name) for each in matches]
        assert Counter(each.key for each in found if each) == Counter(spans)
    right = sum(counts[RIGHT] for counts in count_exact(gold, predicted).values())
    assert sum(m.kind == CORRECT for m in matches) == right
    for each in matches:
        assert (each.gold is None) == (each.kind == SPURIOUS)
        assert (each.predicted is None) == (each.kind == MISSED)
