"""Several corpora as one."""

import logging
import random
from collections import Counter

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc
from spacy.training import Example

from spacy_ner_ext.training.corpora.mixture import make_mixture
from spacy_ner_ext.util.errors import UserError

NLP = spacy.blank("xx")


def corpus(name, size):
    """Examples of one word, NAME-NUMBER."""

    def read(nlp):
        for number in range(size):
            doc = Doc(nlp.vocab, words=[f"{name}-{number}"])
            yield Example(doc, doc.copy())

    return read


def corpora(**sizes):
    return {name: corpus(name, size) for name, size in sizes.items()}


def read(mixture):
    return [example.reference[0].text for example in mixture(NLP)]


def by_name(found):
    return Counter(text.split("-")[0] for text in found)


@pytest.mark.parametrize(
    ("weights", "shares"),
    [
        ({}, {"a": 1 / 3, "b": 1 / 3, "c": 1 / 3}),
        ({"a": 6.0, "b": 3.0, "c": 1.0}, {"a": 0.6, "b": 0.3, "c": 0.1}),
        ({"a": 2}, {"a": 0.5, "b": 0.25, "c": 0.25}),
    ],
)
def test_weights_are_the_shares_of_examples(weights, shares):
    random.seed(0)
    n = 4000
    mixture = make_mixture(corpora(a=10, b=70, c=300), weights, n)
    counts = by_name(read(mixture))
    assert counts.total() == n
    for name, share in shares.items():
        # Four standard deviations of the binomial distribution.
        assert abs(counts[name] - share * n) < 4 * (n * share * (1 - share)) ** 0.5


@given(
    sizes=st.lists(st.integers(1, 8), min_size=1, max_size=4),
    n=st.one_of(st.none(), st.integers(1, 40)),
    shuffle=st.booleans(),
)
def test_a_corpus_begins_again_when_all_of_it_was_drawn(sizes, n, shuffle):
    sources = {f"c{i}": corpus(f"c{i}", size) for i, size in enumerate(sizes)}
    found = read(make_mixture(sources, {}, n, shuffle))
    ends = []
    for i, size in enumerate(sizes):
        own = [int(t.split("-")[1]) for t in found if t.startswith(f"c{i}-")]
        ends.append(len(own) // size)
        for first in range(0, len(own), size):
            part = own[first : first + size]
            assert len(set(part)) == len(part)
            assert shuffle or part == list(range(len(part)))
    if n is None:
        # The epoch ends with the last example of the last corpus.
        assert min(ends) == 1
        last = int(found[-1].split("-")[0][1:])
        assert by_name(found)[f"c{last}"] == sizes[last]
    else:
        assert len(found) == n


def test_one_corpus_is_an_epoch_of_itself():
    random.seed(0)
    found = read(make_mixture(corpora(a=30)))
    assert sorted(found) == sorted(f"a-{i}" for i in range(30))
    assert found != [f"a-{i}" for i in range(30)]


def test_epochs_differ_and_the_state_of_random_repeats_them():
    mixture = make_mixture(corpora(a=9, b=5), {"a": 2.0}, 30)
    random.seed(3)
    first, second = read(mixture), read(mixture)
    assert first != second
    random.seed(3)
    assert [read(mixture), read(mixture)] == [first, second]


def test_mixtures_can_be_nested():
    random.seed(0)
    inner = make_mixture(corpora(a=3, b=3))
    found = read(make_mixture({"both": inner, **corpora(c=5)}, {}, 200))
    assert set(by_name(found)) == {"a", "b", "c"}


def test_what_an_epoch_had_is_logged(caplog):
    mixture = make_mixture(corpora(a=2, b=2), {"a": 3.0}, 8, shuffle=False)
    random.seed(0)
    with caplog.at_level(logging.INFO, logger="spacy"):
        counts = by_name(read(mixture))
        read(mixture)
    (record,) = caplog.records
    parts = [
        f"{name} {n} ({n / 8:.1%}, exhausted {n // 2} times)"
        for name, n in sorted(counts.items())
    ]
    assert record.getMessage() == f"Mixture of 8 examples: {', '.join(parts)}"


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"corpora": {}}, "Mixture.v1 has no corpora"),
        ({"corpora": {"a": {"path": "x"}}}, "'a' of Mixture.v1 is not a reader"),
        ({"weights": {"c": 1.0}}, "name the corpus 'c'; choose of: a, b"),
        ({"weights": {"a": 0.0}}, "weights.a = 0.0 of Mixture.v1; set it to a number"),
        ({"weights": {"a": -1}}, "weights.a = -1 of Mixture.v1"),
        ({"weights": {"a": float("nan")}}, "weights.a = nan of Mixture.v1"),
        ({"examples_per_epoch": 0}, "examples_per_epoch = 0 of Mixture.v1"),
    ],
)
def test_impossible_settings(values, what):
    with pytest.raises(UserError, match=what):
        make_mixture(**{"corpora": corpora(a=1, b=1), **values})


@pytest.mark.parametrize("shuffle", [False, True])
def test_an_empty_corpus_is_named(shuffle):
    mixture = make_mixture(corpora(a=3, b=0), shuffle=shuffle)
    with pytest.raises(UserError, match="corpus 'b' of Mixture"):
        read(mixture)
