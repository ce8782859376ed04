"""The data has the order of spaCy's, and can be resumed at any batch."""

import json
import random
from dataclasses import asdict

import numpy
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.training import Example
from spacy.training.loop import create_train_batches
from thinc.api import fix_random_seed

from spacy_ner_ext.tools.train.batches import Position, train_batches
from spacy_ner_ext.tools.train.random_state import capture, restore
from spacy_ner_ext.util.errors import UserError

NLP = spacy.blank("xx")
TEXTS = [f"text {number}" for number in range(11)]


def corpus(nlp):
    """Examples with random numbers."""
    for text in TEXTS:
        doc = nlp.make_doc(text)
        doc.user_data["drawn"] = random.random(), numpy.random.random()
        yield Example(doc, doc)


def batcher(examples):
    """Batches of random sizes."""
    batch = []
    for example in examples:
        batch.append(example)
        if len(batch) >= random.randint(1, 4):
            yield batch
            batch = []
    if batch:
        yield batch


def shown(examples):
    return [(eg.reference.text, eg.predicted.user_data["drawn"]) for eg in examples]


def take(batches, n):
    return [next(batches) for _ in range(n)]


@pytest.mark.parametrize("max_epochs", [0, 2, -1])
def test_batches_are_those_of_spacy(max_epochs):
    fix_random_seed(5)
    theirs = create_train_batches(NLP, corpus, batcher, max_epochs)
    expected = [(e, shown(b)) for e, b in take(theirs, 8)]
    fix_random_seed(5)
    ours = train_batches(NLP, corpus, batcher, max_epochs)
    assert [(b.epoch, shown(b.examples)) for b in take(ours, 8)] == expected


def test_nothing_else_changes_the_order_or_is_changed():
    fix_random_seed(5)
    batches = train_batches(NLP, corpus, batcher, 0)
    alone = [shown(batch.examples) for batch in take(batches, 9)]
    fix_random_seed(5)
    batches = train_batches(NLP, corpus, batcher, 0)
    together = []
    drawn = []
    for batch in take(batches, 9):
        together.append(shown(batch.examples))
        drawn.append((random.random(), numpy.random.random()))
    assert together == alone
    fix_random_seed(5)
    assert drawn == [(random.random(), numpy.random.random()) for _ in range(9)]


@given(
    st.integers(1, 25), st.integers(0, 20), st.sampled_from([0, 9, -1]), st.integers()
)
@settings(deadline=None, max_examples=60)
def test_any_position_can_be_resumed(n_before, n_after, max_epochs, other_seed):
    fix_random_seed(1)
    whole = train_batches(NLP, corpus, batcher, max_epochs)
    before = take(whole, n_before)
    after = take(whole, n_after)
    position = Position(**json.loads(json.dumps(asdict(before[-1].position))))
    random.seed(other_seed)
    again = take(train_batches(NLP, corpus, batcher, max_epochs, position), n_after)
    assert [shown(b.examples) for b in again] == [shown(b.examples) for b in after]
    assert [b.epochs for b in again] == [b.epochs for b in after]
    assert [b.position for b in again] == [b.position for b in after]


def growing():
    """A batcher whose batches grow over all epochs."""
    sizes = iter(range(1, 1000))

    def batch_up(examples):
        examples = list(examples)
        while examples:
            size = next(sizes)
            yield examples[:size]
            examples = examples[size:]

    return batch_up


@pytest.mark.parametrize("n_before", [1, 3, 5, 9])
def test_a_batcher_with_a_state_can_be_resumed(n_before):
    fix_random_seed(1)
    whole = train_batches(NLP, corpus, growing(), 0)
    position = take(whole, n_before)[-1].position
    after = take(whole, 6)
    again = train_batches(NLP, corpus, growing(), 0, position, from_start=True)
    for batch, expected in zip(take(again, 6), after):
        assert shown(batch.examples) == shown(expected.examples)
        assert batch.position == expected.position


def test_epochs_are_counted_in_parts():
    batches = list(train_batches(NLP, corpus, batcher, 2))
    seen = numpy.cumsum([len(batch.examples) for batch in batches])
    assert [b.epochs for b in batches] == pytest.approx(list(seen / len(TEXTS)))
    assert batches[-1].epochs == 2


def test_other_data_is_an_error():
    position = next(train_batches(NLP, corpus, batcher, 0)).position

    def other(nlp):
        return [*corpus(nlp)][1:]

    with pytest.raises(
        UserError, match="training data differs from that which the run"
    ):
        next(train_batches(NLP, other, batcher, 0, position))


def test_no_data_is_an_error():
    with pytest.raises(ValueError, match="E986"):
        next(train_batches(NLP, lambda nlp: [], batcher, 0))


def test_random_numbers_continue_after_json():
    fix_random_seed(2)
    numpy.random.normal()
    state = json.loads(json.dumps(capture()))
    first = random.random(), numpy.random.normal(), NLP.vocab.length
    restore(state)
    assert (random.random(), numpy.random.normal(), NLP.vocab.length) == first
