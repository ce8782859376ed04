"""Writing predictions to doc.ents and span groups."""

import numpy
import pytest
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from spacy_ner_ext.pipes.annotations import (
    flat_subset,
    get_score,
    write_group,
    write_spans,
)
from spacy_ner_ext.pipes.predictions import ScoredSpan
from tests.helpers.pipelines import annotate, found

VOCAB = Vocab()
WORDS = ["Anna", "Berg", "saw", "New", "York", "today"]
GOLD = [(0, 2, "PER"), (3, 5, "LOC")]


def make_doc():
    return Doc(VOCAB, words=WORDS)


def predicted(*spans):
    return [ScoredSpan(*span, rank_score=span[3]) for span in spans]


def scored(doc, *spans):
    return [(Span(doc, start, end, label), score) for start, end, label, score in spans]


def test_the_flat_subset_prefers_probable_then_long_then_left_spans():
    doc = make_doc()
    spans = scored(
        doc,
        (0, 3, "A", 0.5),
        (1, 2, "B", 0.9),
        (2, 4, "A", 0.5),
        (3, 6, "B", 0.5),
        (0, 1, "A", 0.1),
    )
    chosen = [(s.start, s.end, s.label_) for s in flat_subset(spans, {5})]
    assert chosen == [(1, 2, "B"), (2, 4, "A"), (0, 1, "A")]


def test_the_longest_of_equally_probable_spans_is_selected():
    doc = make_doc()
    spans = scored(doc, (0, 1, "A", 0.5), (0, 3, "B", 0.5), (3, 5, "A", 0.5))
    chosen = [(s.start, s.end) for s in flat_subset(spans[::-1], set())]
    assert chosen == [(0, 3), (3, 5)]


def test_spans_of_a_kept_group_without_a_score_get_nan():
    doc = annotate(make_doc(), [(0, 2, "PER"), (3, 5, "LOC")], "sc")
    new = scored(doc, (3, 5, "LOC", 0.9), (5, 6, "DATE", 0.25))
    write_group(doc, "sc", new, overwrite=False)
    assert found(doc, "sc") == [(0, 2, "PER"), (3, 5, "LOC"), (5, 6, "DATE")]
    scores = doc.spans["sc"].attrs["scores"]
    assert numpy.isnan(scores[:2]).all() and scores[2] == 0.25


def test_a_kept_group_keeps_its_scores():
    doc = make_doc()
    write_group(doc, "sc", scored(doc, (0, 2, "PER", 0.5)), overwrite=False)
    write_group(doc, "sc", scored(doc, (3, 5, "LOC", 0.75)), overwrite=False)
    assert found(doc, "sc") == GOLD
    assert doc.spans["sc"].attrs["scores"].tolist() == [0.5, 0.75]


def test_overwrite_replaces_a_group():
    doc = annotate(make_doc(), GOLD, "sc")
    write_group(doc, "sc", scored(doc, (5, 6, "DATE", 0.25)), overwrite=True)
    assert found(doc, "sc") == [(5, 6, "DATE")]
    assert doc.spans["sc"].attrs["scores"].tolist() == [0.25]


@pytest.mark.parametrize("overwrite", [False, True])
def test_without_predictions_all_span_keys_are_annotated_as_empty(overwrite):
    doc = make_doc()
    write_spans(doc, [], ["PER"], ["ents", "sc", "*"], overwrite=overwrite)
    assert doc.has_annotation("ENT_IOB") and doc.ents == ()
    assert {key: len(group) for key, group in doc.spans.items()} == {"sc": 0, "PER": 0}
    assert doc.spans["sc"].attrs["scores"].shape == (0,)


def test_a_score_is_stored_by_boundaries_and_label():
    doc = make_doc()
    predictions = predicted((0, 2, "PER", 0.5), (0, 2, "ORG", 0.25))
    write_spans(doc, predictions, ["PER", "ORG"], ["sc"], overwrite=False)
    assert get_score(Span(doc, 0, 2, "PER")) == 0.5
    assert get_score(Span(doc, 0, 2, "ORG")) == 0.25
    assert get_score(Span(doc, 0, 2, "LOC")) is None
    assert get_score(Span(doc, 0, 1, "PER")) is None


def test_kept_entities_get_no_score():
    doc = annotate(make_doc(), GOLD[:1])
    predictions = predicted((0, 2, "PER", 1.0), (3, 5, "LOC", 0.5))
    write_spans(doc, predictions, ["PER", "LOC"], ["ents"], overwrite=False)
    assert [get_score(ent) for ent in doc.ents] == [None, 0.5]
    write_spans(doc, predictions, ["PER", "LOC"], ["ents"], overwrite=True)
    assert [get_score(ent) for ent in doc.ents] == [1.0, 0.5]
