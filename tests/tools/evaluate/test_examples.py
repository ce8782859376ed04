"""Selection of error examples and of their text."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_ner_ext.tools.evaluate.entities import (
    DocEntities,
    ScoredDoc,
    ScoredEntity,
)
from spacy_ner_ext.tools.evaluate.examples import ErrorExamples, TopExamples
from spacy_ner_ext.tools.evaluate.groups import SeenForms
from spacy_ner_ext.tools.snippets import TOGETHER


@pytest.fixture(scope="module")
def vocab():
    return Vocab()


@pytest.fixture
def scored(vocab):
    def make(words, gold=(), predicted=(), index=0):
        """Entities are first token, end, label and, if predicted, a probability."""
        doc = Doc(vocab, words=words)
        sides = [
            tuple(
                ScoredEntity(start, end, label, doc[start:end].text, *score)
                for start, end, label, *score in side
            )
            for side in (gold, predicted)
        ]
        entities = DocEntities(index, len(doc), *sides)
        return ScoredDoc(entities, Example(doc, doc))

    return make


def kept(*docs, **settings):
    examples = ErrorExamples(**settings)
    for each in docs:
        examples.add(each)
    return examples.result()


def texts(example, side):
    return [example["text"][s["start"] : s["end"]] for s in example[side]]


WORDS = ["Ines", "Marlow", "sailed", "the", "Dunmore", "to", "Bergen", "."]


def test_an_example_has_text_entities_and_a_reason(scored):
    gold = [(0, 2, "PERSON"), (4, 5, "VESSEL"), (6, 7, "PLACE")]
    predicted = [(0, 1, "PERSON", 0.9), (4, 5, "VESSEL", 0.8)]
    (example,) = kept(scored(WORDS, gold, predicted, index=7))
    assert example["document"] == 7
    assert example["text"] == "Ines Marlow sailed the Dunmore to Bergen ."
    assert texts(example, "gold") == ["Ines Marlow", "Dunmore", "Bergen"]
    assert texts(example, "predicted") == ["Ines", "Dunmore"]
    assert [span.get("score") for span in example["predicted"]] == [0.9, 0.8]
    assert example["kinds"] == {"wrong_boundary": 1, "missed": 1}
    assert example["weight"] == pytest.approx(0.9 + 0.1 * 0.5)
    assert example["reason"] == (
        "‘Ines Marlow’ (PERSON) was predicted as ‘Ines’ (PERSON) with 0.90."
    )
    assert not example["cut_before"] and not example["cut_after"]


def test_correct_entities_are_not_examples(scored):
    entities = [(0, 2, "PERSON")]
    assert kept(scored(WORDS, entities, entities), scored(WORDS)) == []


def test_a_missed_form_of_the_training_data_weighs_more(scored, vocab):
    seen = SeenForms()
    seen.add([Doc(vocab, words=["Bergen"], ents=["B-PLACE"]).ents[0]])
    missed = scored(WORDS, [(6, 7, "PLACE")])
    (example,) = kept(missed, seen=seen)
    assert example["weight"] == 1.0
    assert example["reason"] == "‘Bergen’ (PLACE), as in training data, was missed."
    (example,) = kept(missed)
    assert example["weight"] == 0.5
    assert example["reason"] == "‘Bergen’ (PLACE) was missed."


def test_errors_with_higher_scores_weigh_more(scored):
    spurious = [
        scored(WORDS, (), [(2, 3, "PLACE", score)], index)
        for index, score in enumerate([0.2, 0.9, 0.5])
    ]
    assert [each["weight"] for each in kept(*spurious)] == [0.9, 0.5, 0.2]
    assert [each["weight"] for each in kept(*spurious, most=2)] == [0.9, 0.5]


def test_kinds_and_labels_are_mixed(scored):
    many = [scored(WORDS, (), [(2, 3, "PLACE", 0.99)], index) for index in range(50)]
    few = [
        scored(WORDS, [(0, 2, "PERSON")], (), 50),
        scored(WORDS, [(4, 5, "VESSEL")], [(4, 5, "PLACE", 0.1)], 51),
    ]
    examples = kept(*many, *few, most=10)
    assert len(examples) == 10
    assert {each["document"] for each in examples[:3]} == {0, 50, 51}
    # Of the same weight, the first ones stay.
    assert [each["document"] for each in examples[3:]] == [1, 2, 3, 4, 5, 6, 7]


def test_a_long_document_is_cut_around_its_errors(scored):
    words = [f"w{i}" for i in range(1000)]
    gold = [(100, 102, "A"), (110, 111, "A"), (500, 501, "A"), (485, 486, "B")]
    predicted = [(485, 486, "B", 0.9)]
    first, second = kept(scored(words, gold, predicted))
    assert first["text"].split() == words[85:126]
    assert second["text"].split() == words[485:516]
    assert texts(first, "gold") == ["w100 w101", "w110"]
    assert texts(second, "gold") == ["w485", "w500"]
    assert texts(second, "predicted") == ["w485"]
    assert second["cut_before"] and second["cut_after"]


def test_no_entity_is_cut(scored):
    words = [f"w{i}" for i in range(200)]
    gold = [(100, 101, "A"), (70, 90, "B"), (60, 72, "C"), (114, 130, "B")]
    predicted = [(start, end, label, 0.9) for start, end, label in gold[1:]]
    (example,) = kept(scored(words, gold, predicted))
    assert example["text"].split() == words[60:130]
    assert len(example["gold"]) == 4


def test_errors_in_one_short_document_are_one_example(scored):
    words = [f"w{i}" for i in range(TOGETHER)]
    gold = [(i, i + 1, "A") for i in range(0, TOGETHER, 7)]
    (example,) = kept(scored(words, gold))
    assert example["kinds"] == {"missed": len(gold)}


ITEMS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from([0.1, 0.5, 0.7, 0.9])),
    max_size=40,
)


@given(ITEMS, st.integers(1, 12), st.randoms(use_true_random=False))
def test_the_selection_does_not_depend_on_the_order(items, most, order):
    placed = [(group, weight, (i, 0)) for i, (group, weight) in enumerate(items)]
    ranked = []
    for group in "abc":
        own = sorted((-w, place) for g, w, place in placed if g == group)
        ranked += [(rank, *each) for rank, each in enumerate(own)]
    expected = [place for *_, place in sorted(ranked)[:most]]
    shuffled = order.sample(placed, len(placed))
    top_examples = TopExamples(most)
    for group, weight, place in shuffled:
        top_examples.add((group,), weight, place, lambda place=place: {"place": place})
    assert [each["place"] for each in top_examples.result()] == expected


def test_few_dropped_examples_are_made():
    made = []
    top_examples = TopExamples(3)
    order = random.Random(0)
    for i in range(1000):
        weight = order.random()
        top_examples.add(("a",), weight, (i, 0), lambda w=weight: made.append(w) or {})
        assert len(top_examples.result()) <= 3
    assert len(made) < 50
