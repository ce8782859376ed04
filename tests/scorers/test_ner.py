"""The scorer against spaCy's, and its additional scores."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy import registry
from spacy.scorer import get_ner_prf
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_ner_ext.scorers.ner import ner_score
from tests.helpers.pipelines import annotate

VOCAB = Vocab()
WORDS = ["Anna", "Berg", "saw", "New", "York", "today"]
LENGTH = 8
LABELS = ["A", "B"]
# The scores of each span key.
NAMES = [
    *(f"{metric}{name}" for metric in ("", "overlap_", "token_") for name in "prf"),
    *("macro_p", "macro_r", "macro_f"),
    *("per_type", "overlap_per_type", "token_per_type"),
]


@st.composite
def documents(draw):
    """A document of the same text every time, on any tokens."""
    cuts = sorted(draw(st.sets(st.integers(1, LENGTH - 1))))
    boundaries = [0, *cuts, LENGTH]
    words = ["abcdefgh"[a:b] for a, b in itertools.pairwise(boundaries)]
    return Doc(VOCAB, words=words, spaces=[False] * len(words))


@st.composite
def entities(draw, doc):
    """Entities without overlap."""
    spans, start = [], 0
    while start < len(doc):
        end = draw(st.integers(start + 1, len(doc)))
        label = draw(st.sampled_from([None, *LABELS]))
        if label:
            spans.append(Span(doc, start, end, label))
        start = end
    return spans


@st.composite
def examples(draw):
    """Any entities on any tokens, and gold that may be missing in parts."""
    predicted, reference = draw(documents()), draw(documents())
    predicted.set_ents(draw(entities(predicted)))
    if draw(st.integers(0, 4)):
        gold = draw(entities(reference))
        taken = {i for span in gold for i in range(span.start, span.end)}
        free = [i for i in range(len(reference)) if i not in taken]
        unknown = draw(st.sets(st.sampled_from(free))) if free else ()
        missing = [reference[i : i + 1] for i in unknown]
        reference.set_ents(gold, missing=missing, default="outside")
    return Example(predicted, reference)


@settings(max_examples=300, deadline=None)
@given(st.lists(examples(), max_size=4))
def test_scores_of_doc_ents_equal_those_of_spacy(some):
    scores, expected = ner_score(some), get_ner_prf(some)
    ours = scores.pop("ents_per_type") or {}
    theirs = expected.pop("ents_per_type") or {}
    # Where spaCy has None, there is a number that a training loop can add.
    exact = {name: scores[name] for name in expected}
    assert exact == {name: value or 0.0 for name, value in expected.items()}
    # spaCy also lists labels that were only predicted where gold is missing.
    assert ours.items() <= theirs.items()
    assert not any(any(theirs[label].values()) for label in set(theirs) - set(ours))


def test_one_of_two_predictions_for_a_gold_entity_is_right():
    reference = annotate(Doc(VOCAB, words=["NewYork"]), [(0, 1, "LOC")])
    predicted = Doc(VOCAB, words=["New", "York"], spaces=[False, False])
    annotate(predicted, [(0, 1, "LOC"), (1, 2, "LOC")])
    scores = ner_score([Example(predicted, reference)])
    assert (scores["ents_p"], scores["ents_r"]) == (0.5, 1.0)


def example(gold, predicted, target="ents", annotate_="ents"):
    reference = annotate(Doc(VOCAB, words=WORDS), gold, target)
    return Example(annotate(Doc(VOCAB, words=WORDS), predicted, annotate_), reference)


GOLD = [(0, 2, "PER"), (3, 5, "LOC"), (5, 6, "DATE")]
PREDICTED = [(0, 2, "PER"), (3, 5, "PER")]


def test_boundaries_and_label_must_be_right():
    scores = ner_score([example(GOLD, PREDICTED)])
    assert scores["ents_p"] == 1 / 2
    assert scores["ents_r"] == 1 / 3
    assert scores["ents_f"] == pytest.approx(0.4)
    recall = {label: s["r"] for label, s in scores["ents_per_type"].items()}
    assert recall == {"PER": 1.0, "LOC": 0.0, "DATE": 0.0}


def test_a_span_group_is_scored_under_its_name():
    scores = ner_score([example(GOLD, PREDICTED, "sc", "sc")], target="sc")
    assert scores["spans_sc_p"] == 1 / 2 and scores["spans_sc_r"] == 1 / 3
    assert set(scores) == {f"spans_sc_{name}" for name in NAMES}


def test_predictions_are_compared_with_gold_of_another_span_key():
    both = example(GOLD, PREDICTED, "gold", "ents")
    annotate(both.predicted, GOLD, "sc")
    scores = ner_score([both], target="gold", annotate=["ents", "sc"])
    assert scores["ents_p"] == 1 / 2 and scores["spans_sc_f"] == 1


def test_overlapping_entities_count_one_by_one():
    nested = [(0, 2, "PER"), (0, 6, "EVENT"), (3, 5, "LOC")]
    scores = ner_score([example(nested, nested[:2], "sc", "sc")], target="sc")
    assert scores["spans_sc_p"] == 1 and scores["spans_sc_r"] == 2 / 3


def test_a_star_scores_the_group_of_each_label():
    one = example(GOLD, [])
    annotate(one.predicted, [(0, 2, "PER")], "PER")
    annotate(one.predicted, [(3, 4, "LOC")], "LOC")
    scores = ner_score([one], target="ents", annotate="*", labels=["PER", "LOC", "X"])
    assert scores["spans_PER_f"] == 1 and scores["spans_LOC_f"] == 0
    assert scores["spans_X_f"] == 0
    assert set(scores["spans_PER_per_type"]) == {"PER"}


def test_without_gold_scores_are_zero():
    """A missing score, or None, makes spaCy leave it out of score_weights for good."""
    unknown = Example(
        annotate(Doc(VOCAB, words=WORDS), PREDICTED), Doc(VOCAB, words=WORDS)
    )
    in_group = example(GOLD, PREDICTED)
    for scores in (
        *(ner_score([unknown]), ner_score([])),
        ner_score([in_group], target="sc", annotate="ents"),
    ):
        assert {name.removeprefix("ents_") for name in scores} == set(NAMES)
        for name, value in scores.items():
            assert value is None if name.endswith("per_type") else value == 0.0


@settings(max_examples=100, deadline=None)
@given(st.lists(examples(), max_size=3))
def test_every_score_is_a_number_that_a_training_loop_can_add(some):
    scores = ner_score(some, target="ents", annotate=["ents", "sc", "*"], labels=["A"])
    places = ("ents", "spans_sc", "spans_A")
    assert set(scores) == {f"{place}_{name}" for place in places for name in NAMES}
    for name, value in scores.items():
        if name.endswith("per_type"):
            assert value is None or all(
                set(each) == set("prf") for each in value.values()
            )
        else:
            assert type(value) is float and 0 <= value <= 1


def test_entities_by_overlap_and_by_token():
    gold, predicted = [(0, 2, "PER"), (3, 5, "LOC")], [(0, 1, "PER"), (2, 5, "ORG")]
    scores = ner_score([example(gold, predicted)])
    assert scores["ents_f"] == 0
    assert (scores["ents_overlap_p"], scores["ents_overlap_r"]) == (0.5, 0.5)
    assert (scores["ents_token_p"], scores["ents_token_r"]) == (1 / 4, 1 / 4)
    assert scores["ents_token_per_type"]["PER"]["p"] == 1


def test_the_macro_mean_is_over_labels():
    scores = ner_score([example(GOLD, PREDICTED)])
    of_labels = scores["ents_per_type"].values()
    for name in "prf":
        mean = sum(each[name] for each in of_labels) / 3
        assert scores[f"ents_macro_{name}"] == pytest.approx(mean)


def test_the_scorer_is_registered():
    assert registry.scorers.get("spacy_ner_ext.ner_scorer.v1")() is ner_score
