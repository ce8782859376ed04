"""Tag schemes: spans to tags and back, and valid sequences."""

import itertools

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_ner_ext.crf.tags import TagSet, keep_longest

LABELS = ("A", "B", "C")
SCHEMES = list(itertools.product(["biluo", "iob2"], ["flat", "per_label"]))
every_scheme = pytest.mark.parametrize("scheme,structure", SCHEMES)

any_spans = st.lists(
    st.tuples(st.integers(0, 9), st.integers(1, 5), st.sampled_from(LABELS)).map(
        lambda span: (span[0], min(10, span[0] + span[1]), span[2])
    ),
    max_size=8,
)


def covered(span, tags):
    """The words that a span takes, with the chain that it takes them in."""
    start, end, label = span
    return {(tags.locate(label)[0], i) for i in range(start, end)}


def all_span_sets(n_words, labels):
    """Every set of spans without overlap, in the order of their words."""
    if n_words <= 0:
        yield from [()] if n_words == 0 else []
        return
    for spans in all_span_sets(n_words - 1, labels):
        yield spans
    for length, label in itertools.product(range(1, n_words + 1), labels):
        for spans in all_span_sets(n_words - length, labels):
            yield (*spans, (n_words - length, n_words, label))


@every_scheme
@given(spans=any_spans)
def test_spans_come_back_from_their_tags(scheme, structure, spans):
    tags = TagSet(LABELS, scheme, structure)
    kept, _ = keep_longest(spans, tags)
    array = tags.encode(kept, 10)
    assert array.shape == (10, tags.n_chains)
    assert sorted(tags.decode(array)) == sorted(kept)


@every_scheme
@given(spans=any_spans)
def test_tags_of_spans_are_valid(scheme, structure, spans):
    tags = TagSet(LABELS, scheme, structure)
    array = tags.encode(keep_longest(spans, tags)[0], 10)
    allowed_transitions = tags.allowed_transitions
    assert (
        allowed_transitions.start[array[0]].all()
        and allowed_transitions.end[array[-1]].all()
    )
    assert allowed_transitions.transitions[array[:-1], array[1:]].all()


@pytest.mark.parametrize("scheme", ["biluo", "iob2"])
@pytest.mark.parametrize("n_words", [1, 2, 3, 4])
def test_valid_sequences_are_exactly_the_tags_of_span_sets(scheme, n_words):
    tags = TagSet(("A", "B"), scheme)
    allowed_transitions = tags.allowed_transitions
    legal = {
        path
        for path in itertools.product(range(tags.n_tags), repeat=n_words)
        if allowed_transitions.start[path[0]]
        and allowed_transitions.end[path[-1]]
        and all(
            allowed_transitions.transitions[step] for step in itertools.pairwise(path)
        )
    }
    span_sets = list(all_span_sets(n_words, tags.labels))
    encoded = [tuple(tags.encode(s, n_words)[:, 0].tolist()) for s in span_sets]
    assert len(set(encoded)) == len(encoded)
    assert set(encoded) == legal
    for spans, path in zip(span_sets, encoded):
        assert tuple(tags.decode(numpy.array([path]).T)) == spans


@every_scheme
@pytest.mark.parametrize("n_labels", [1, 2, 7])
def test_the_block_structure_is_the_transition_matrix(scheme, structure, n_labels):
    tags = TagSet(tuple(map(str, range(n_labels))), scheme, structure)
    blocks = tags.allowed_transitions.blocks
    built = numpy.zeros((tags.n_tags, tags.n_tags), dtype=bool)
    built[blocks.sources, blocks.targets] = True
    own = numpy.arange(tags.labels_per_chain)
    for target, sources in blocks.within:
        for source in sources:
            built[source.start + own, target.start + own] = True
    legal = tags.allowed_transitions.transitions[blocks.order][:, blocks.order]
    assert sorted(blocks.order) == list(range(tags.n_tags))
    assert (built == legal).all()


@every_scheme
@settings(max_examples=50)
@given(documents=st.lists(any_spans, min_size=1, max_size=4))
def test_spans_are_found_in_several_documents_in_a_row(scheme, structure, documents):
    tags = TagSet(LABELS, scheme, structure)
    kept = [keep_longest(spans, tags)[0] for spans in documents]
    array = numpy.concatenate([tags.encode(spans, 10) for spans in kept])
    expected = sorted(
        (chain, 10 * i + start, 10 * i + end, begin)
        for i, spans in enumerate(kept)
        for start, end, label in spans
        for chain, begin in [tags.locate(label)]
    )
    assert [tuple(row) for row in tags.find_spans(array).tolist()] == expected


@every_scheme
@given(spans=any_spans)
def test_a_new_label_leaves_the_tags_of_the_others(scheme, structure, spans):
    old = TagSet(LABELS, scheme, structure)
    new = TagSet((*LABELS, "D"), scheme, structure)
    kept, _ = keep_longest(spans, old)
    array, extended = old.encode(kept, 10), new.encode(kept, 10)
    assert (extended[:, : old.n_chains] == array).all()
    assert not extended[:, old.n_chains :].any()


@every_scheme
@given(spans=any_spans)
def test_keep_longest_drops_only_what_a_longer_span_crosses(scheme, structure, spans):
    tags = TagSet(LABELS, scheme, structure)
    kept, dropped = keep_longest(spans, tags)
    assert sorted(kept + dropped) == sorted(set(spans))
    for first, second in itertools.combinations(kept, 2):
        assert not covered(first, tags) & covered(second, tags)
    for span in dropped:
        crossing = [k for k in kept if covered(k, tags) & covered(span, tags)]
        assert any(k[1] - k[0] >= span[1] - span[0] for k in crossing)


def test_the_leftmost_of_equally_long_spans_is_kept():
    spans = [(1, 3, "A"), (0, 2, "B"), (2, 4, "A")]
    kept, dropped = keep_longest(spans, TagSet(LABELS))
    assert kept == [(0, 2, "B"), (2, 4, "A")]
    assert dropped == [(1, 3, "A")]


@every_scheme
def test_every_tag_but_outside_has_a_label(scheme, structure):
    tags = TagSet(LABELS, scheme, structure)
    for label in LABELS:
        chain, begin = tags.locate(label)
        for tag in range(begin, begin + len(tags.prefixes)):
            assert tags.label_of(chain, tag) == label


def test_sizes_follow_scheme_and_structure():
    sizes = {
        (scheme, structure): (
            TagSet(LABELS, scheme, structure).n_chains,
            TagSet(LABELS, scheme, structure).n_tags,
        )
        for scheme, structure in SCHEMES
    }
    assert sizes == {
        ("biluo", "flat"): (1, 13),
        ("biluo", "per_label"): (3, 5),
        ("iob2", "flat"): (1, 7),
        ("iob2", "per_label"): (3, 3),
    }


def test_unknown_names_raise():
    with pytest.raises(ValueError, match=r"scheme 'bioes'.*biluo, iob2"):
        TagSet(LABELS, "bioes")
    with pytest.raises(ValueError, match=r"structure 'tree'.*flat, per_label"):
        TagSet(LABELS, "biluo", "tree")
    with pytest.raises(KeyError, match="Z"):
        TagSet(LABELS).locate("Z")
