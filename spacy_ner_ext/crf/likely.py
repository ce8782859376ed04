"""Spans that may be entities, by the marginals of their tags.

An entity is at most as probable as each of its tags, so few spans remain for which the
exact probability has to be computed.
"""

from collections.abc import Iterator

import numpy

from .tags import TagSet


def likely_spans(
    marginals: numpy.ndarray, tags: TagSet, ends: numpy.ndarray, minimum: float
) -> numpy.ndarray:
    """Find the spans all of whose tags have a marginal of at least `minimum`.

    marginals: The probability of each tag at each word, (n_words, n_chains, n_tags).
    ends: The end (exclusive) of the document of each word, (n_words,).
    RETURNS: Chain, first word, end (exclusive) and B- tag of each, as
        TagSet.find_spans: shape (n_spans, 4).
    """
    found = [numpy.zeros((0, 4), dtype=int)]
    for chain in range(tags.n_chains):
        likely = marginals[:, chain] >= minimum
        for begin in range(1, tags.n_tags, len(tags.prefixes)):
            for start, end in _grow(likely, tags, begin, ends):
                columns = numpy.full_like(start, chain), start, end
                found.append(numpy.stack([*columns, numpy.full_like(start, begin)], 1))
    return numpy.concatenate(found)


def _grow(
    likely: numpy.ndarray, tags: TagSet, begin: int, ends: numpy.ndarray
) -> Iterator[tuple[numpy.ndarray, numpy.ndarray]]:
    """First words and ends of the spans of a label, shorter ones first."""
    single, longer = tags.tag_string(begin, 1)[-1], tags.tag_string(begin, 2)[-1]
    inside = tags.inside_tag(begin)
    start = numpy.flatnonzero(likely[:, single])
    yield start, start + 1
    start = numpy.flatnonzero(likely[:, begin])
    word = start + 1
    while len(start):
        open_ = word < ends[start]
        start, word = start[open_], word[open_]
        closes = likely[word, longer]
        yield start[closes], word[closes] + 1
        continues = likely[word, inside]
        start, word = start[continues], word[continues] + 1
