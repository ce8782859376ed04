"""Spans that are entities with at least a probability, against brute force."""

import itertools

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_ner_ext.crf.marginals import entity_probabilities
from spacy_ner_ext.crf.ner import find_likely
from spacy_ner_ext.crf.tags import TagSet
from tests.helpers.lattices import random_lattice

LENGTHS = [4, 0, 1, 3]


def every_span(tags):
    """All spans of the documents, and the same as rows of TagSet.find_spans."""
    first = numpy.cumsum([0, *LENGTHS])
    spans, rows = [], []
    for doc, n in enumerate(LENGTHS):
        for start, end, label in itertools.product(range(n), range(n + 1), tags.labels):
            if start < end:
                chain, begin = tags.locate(label)
                spans.append((doc, start, end, label))
                rows.append([chain, first[doc] + start, first[doc] + end, begin])
    return spans, numpy.array(rows)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["biluo", "iob2"]),
    st.sampled_from(["flat", "per_label"]),
    st.sampled_from([1e-4, 0.05, 0.4]),
    st.sampled_from([1.0, 2.5]),
    st.integers(0, 1000),
)
def test_all_spans_of_at_least_the_probability_are_found(
    scheme, structure, minimum, temperature, seed
):
    tags = TagSet(("A", "B"), scheme, structure)
    rng = numpy.random.default_rng(seed)
    lattice = random_lattice(rng, LENGTHS, tags.n_chains, tags.n_tags, 1.5)
    spans, rows = every_span(tags)
    exact = entity_probabilities(lattice.scaled(1 / temperature), tags, rows)
    found = find_likely(lattice, tags, None, temperature, minimum, ())
    expected = {s: p for s, p in zip(spans, exact.tolist()) if p >= minimum}
    assert set(found.spans) == expected.keys()
    probabilities = dict(zip(found.spans, found.probabilities(temperature).tolist()))
    assert probabilities == pytest.approx(expected)


def test_given_spans_are_found_whatever_their_probability():
    tags = TagSet(("A", "B"))
    lattice = random_lattice(numpy.random.default_rng(0), LENGTHS, 1, tags.n_tags)
    spans, rows = every_span(tags)
    given = [spans[3], spans[-1]]
    found = find_likely(lattice, tags, None, 1.0, 1.1, given)
    assert sorted(found.spans) == sorted(given)
    exact = dict(zip(spans, entity_probabilities(lattice, tags, rows).tolist()))
    got = dict(zip(found.spans, found.probabilities(1.0).tolist()))
    assert got == pytest.approx({span: exact[span] for span in given})
    assert not find_likely(lattice, tags, None, 1.0, 1.1, ()).spans
