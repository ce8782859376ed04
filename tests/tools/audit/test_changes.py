"""The most probable change of each gold entity, and entities that gold lacks."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_ner_ext.tools.audit.changes import find_changes

ROME, ROME_AS_PER, OLD_ROME = (4, 5, "LOC"), (4, 5, "PER"), (3, 5, "LOC")


def changes(gold, likely):
    return {change.kind: change for change in find_changes(gold, likely)}


def test_another_label_is_suggested_where_it_is_more_probable_than_nothing():
    (change,) = find_changes([ROME], {ROME: 0.1, ROME_AS_PER: 0.7, OLD_ROME: 0.05})
    assert (change.kind, change.gold, change.suggested) == (
        *("wrong label", (ROME,)),
        ROME_AS_PER,
    )
    assert (change.probability, change.gold_probability) == (0.7, 0.1)


def test_other_boundaries_are_suggested_whatever_their_label():
    found = changes([ROME], {ROME: 0.2, (3, 5, "PER"): 0.6})
    assert found["wrong boundary"].suggested == (3, 5, "PER")


def test_no_entity_has_the_rest_of_the_probability():
    (change,) = find_changes([ROME], {ROME: 0.1, ROME_AS_PER: 0.2})
    assert (change.kind, change.suggested) == ("spurious", None)
    assert change.probability == pytest.approx(0.7)


def test_one_entity_that_replaces_two_is_suggested_once():
    first, second, both = (0, 1, "LOC"), (1, 2, "LOC"), (0, 2, "LOC")
    likely = {first: 0.1, second: 0.2, both: 0.6}
    (change,) = find_changes([first, second], likely)
    assert (change.gold, change.suggested) == ((first, second), both)
    assert change.gold_probability == pytest.approx(0.1)


def test_of_overlapping_entities_that_gold_lacks_the_most_probable_is_suggested():
    likely = {(0, 1, "LOC"): 0.3, (0, 2, "LOC"): 0.5, (5, 6, "PER"): 0.9}
    found = list(find_changes([], likely))
    assert [change.suggested for change in found] == [(5, 6, "PER"), (0, 2, "LOC")]
    assert {change.kind for change in found} == {"missing"}
    assert found[1].gold_probability == pytest.approx(0.2)


def test_an_entity_that_cannot_be_judged_is_left_alone():
    assert not list(find_changes([ROME], {}))


SPANS = [
    (start, end, label)
    for start, end in itertools.combinations(range(5), 2)
    for label in ("A", "B")
]


@given(
    st.dictionaries(st.sampled_from(SPANS), st.floats(0, 1)),
    st.lists(st.sampled_from(SPANS), unique=True),
)
def test_every_change_changes_gold_and_has_odds(likely, gold):
    for change in find_changes(gold, likely):
        assert set(change.gold) <= set(gold)
        assert change.gold or change.suggested
        assert change.suggested not in gold
        assert 0 <= change.probability <= 1
        assert 0 <= change.gold_probability <= 1
        assert (change.kind == "missing") == (not change.gold)
        assert (change.kind == "spurious") == (change.suggested is None)
