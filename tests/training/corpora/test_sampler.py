"""Sample a corpus, and repeat examples with rare labels."""

import logging
import random
from collections import Counter
from itertools import pairwise

import numpy
import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_ner_ext.training.corpora.sampler import make_sampler
from spacy_ner_ext.util.errors import UserError

NLP = spacy.blank("xx")
# A hundred examples of one word, its number: five with A, twenty with B, two of these
# with both.
NUMBERS = range(100)
LABELS = {i: [*["A"] * (i < 5), *["B"] * (3 <= i < 23)] for i in NUMBERS}


def example_of(number):
    doc = Doc(NLP.vocab, words=[str(number)])
    doc.spans["sc"] = [Span(doc, 0, 1, label=label) for label in LABELS[number]]
    return Example(Doc(NLP.vocab, words=[str(number)]), doc)


def in_order(nlp):
    return map(example_of, NUMBERS)


def in_random_order(nlp):
    numbers = [*NUMBERS]
    random.shuffle(numbers)
    numpy.random.random()
    return map(example_of, numbers)


def read(sampler):
    return [int(example.reference[0].text) for example in sampler(NLP)]


def share_of(label, found):
    return sum(label in LABELS[i] for i in found) / len(found)


@pytest.mark.parametrize("corpus", [in_order, in_random_order])
def test_labels_have_their_shares(corpus):
    found = read(make_sampler(corpus, oversample={"A": 0.3, "B": 0.4}))
    assert set(found) == set(NUMBERS)
    assert share_of("A", found) == pytest.approx(0.3, abs=0.02)
    assert share_of("B", found) == pytest.approx(0.4, abs=0.04)
    # Examples without the labels are not repeated.
    assert Counter(found)[50] == 1


def test_categories_can_be_repeated():
    def with_categories(nlp):
        for i in NUMBERS:
            doc = Doc(nlp.vocab, words=[str(i)])
            doc.cats = {"RARE": float(i == 0)}
            yield Example(doc, doc.copy())

    found = read(make_sampler(with_categories, oversample={"RARE": 0.5}))
    assert found.count(0) == 99


def test_a_part_is_the_same_in_each_epoch():
    sampler = make_sampler(in_order, downsample=0.2)
    found = read(sampler)
    assert len(found) == 20
    assert read(sampler) == found
    assert read(make_sampler(in_order, downsample=0.2, seed=1)) != found
    assert read(make_sampler(in_order, limit=7)) == list(range(7))
    assert read(make_sampler(in_order)) == list(NUMBERS)
    limited = read(make_sampler(in_order, limit=10, oversample={"A": 0.8}))
    assert set(limited) == set(range(10))
    assert share_of("A", limited) == pytest.approx(0.8, abs=0.03)


def test_a_buffer_parts_what_is_repeated():
    settings = {"oversample": {"A": 0.5}}
    found = read(make_sampler(in_order, **settings))
    random.seed(0)
    parted = read(make_sampler(in_order, **settings, shuffle_buffer=1000))
    assert Counter(parted) == Counter(found)
    assert longest_run(found) > 15
    assert longest_run(parted) < 5


def longest_run(numbers):
    longest = run = 1
    for one, other in pairwise(numbers):
        run = run + 1 if one == other else 1
        longest = max(longest, run)
    return longest


def test_counting_labels_makes_no_difference_to_the_order():
    sampler = make_sampler(in_random_order, oversample={"A": 0.3}, shuffle_buffer=9)
    random.seed(5)
    numpy.random.seed(5)
    first = read(sampler)
    random.seed(5)
    numpy.random.seed(5)
    assert read(sampler) == first


def test_what_is_repeated_does_not_depend_on_when_labels_are_counted():
    settings = {"oversample": {"A": 0.3}, "limit": 50}
    one, other = (make_sampler(in_random_order, **settings) for _ in range(2))
    random.seed(1)
    read(one)
    found = []
    for sampler in (one, other):
        random.seed(2)
        found.append(read(sampler))
    assert found[0] == found[1]


@given(limit=st.integers(0, 120), share=st.sampled_from([0.1, 0.5, 1.0]))
def test_the_number_of_examples(limit, share):
    found = read(make_sampler(in_order, limit=limit, downsample=share))
    n = round(share * 100)
    assert len(found) == (min(n, limit) if limit else n)
    assert found == sorted(set(found))


def test_numbers_are_logged_once(caplog):
    sampler = make_sampler(in_order, downsample=0.5, oversample={"A": 0.5})
    with caplog.at_level(logging.INFO, logger="spacy"):
        found = read(sampler)
        read(sampler)
    (record,) = caplog.records
    assert record.getMessage() == (
        f"Sampler: 100 example(s) read, 50 taken, {len(found)} with repetitions"
    )


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"limit": -1}, "limit = -1 is negative"),
        ({"downsample": 1.5}, "downsample = 1.5 is not a share"),
        ({"oversample": {"A": 1.0}}, "oversample = A=1.0 is not a share"),
        ({"shuffle_buffer": -1}, "shuffle_buffer = -1 of Sampler.v1"),
    ],
)
def test_impossible_settings(settings, what):
    with pytest.raises(UserError, match=what):
        make_sampler(in_order, **settings)


@pytest.mark.parametrize(
    ("shares", "what"),
    [
        ({"C": 0.5}, "no document to repeat has the label C"),
        ({"A": 0.6, "B": 0.99}, "repeating documents cannot reach these shares"),
    ],
)
def test_impossible_shares(shares, what):
    sampler = make_sampler(in_order, oversample=shares)
    # Each time, not only when the labels are counted.
    for _ in range(2):
        with pytest.raises(UserError, match=what):
            read(sampler)
