"""Writing predictions to doc.ents and span groups."""

import numpy
import pytest
import spacy
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

import spacy_ner_ext
from spacy_ner_ext.pipes.annotations import (
    _warn_about_foreign,
    flat_subset,
    get_score,
    register_score_extension,
    write_group,
    write_spans,
)
from spacy_ner_ext.pipes.predictions import ScoredSpan
from tests.helpers.pipelines import TEXTS, annotate, fitted, found

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


def test_scores_in_documents_of_earlier_versions_are_found():
    doc = make_doc()
    span = Span(doc, 0, 2, "PER")
    key = ("._.", "score", span.start_char, span.end_char)
    doc.user_data[key] = {"PER": 0.5}
    assert get_score(span) == 0.5
    # Another package stores a number there.
    doc.user_data[key] = 0.75
    assert get_score(span) is None


def test_kept_entities_get_no_score():
    doc = annotate(make_doc(), GOLD[:1])
    predictions = predicted((0, 2, "PER", 1.0), (3, 5, "LOC", 0.5))
    write_spans(doc, predictions, ["PER", "LOC"], ["ents"], overwrite=False)
    assert [get_score(ent) for ent in doc.ents] == [None, 0.5]
    write_spans(doc, predictions, ["PER", "LOC"], ["ents"], overwrite=True)
    assert [get_score(ent) for ent in doc.ents] == [1.0, 0.5]


# --- An extension Span._.score of another package --------------------------------


@pytest.fixture(params=["a default", "a getter"])
def foreign_score(request):
    """An extension as gliner-spacy defines it, when it is imported first."""
    register_score_extension()
    own = Span.remove_extension("score")
    if request.param == "a default":
        Span.set_extension("score", default=0.0)
    else:
        Span.set_extension("score", getter=lambda span: 0.0)
    _warn_about_foreign.cache_clear()
    yield request.param
    Span.remove_extension("score")
    register_score_extension()
    assert Span.get_extension("score") == own


@pytest.mark.parametrize("pipes", ["flat_biluo", "group"])
def test_scores_are_found_although_another_package_has_the_extension(
    foreign_score, pipes, tmp_path
):
    with pytest.warns(
        UserWarning, match=r"use spacy_ner_ext.get_score\(span\)"
    ) as seen:
        nlp = fitted(pipes)
        nlp.to_disk(tmp_path / "model")
        loaded = spacy.load(tmp_path / "model")
        doc = loaded(TEXTS[0])
    assert len(seen) == 1
    spans = list(doc.spans["sc"]) if pipes == "group" else list(doc.ents)
    assert len(spans) == 2
    scores = [get_score(span) for span in spans]
    assert all(0.5 < score <= 1 for score in scores)
    if pipes == "group":
        assert doc.spans["sc"].attrs["scores"].tolist() == pytest.approx(scores)
    # The value of the other package is its own.
    assert [span._.score for span in spans] == [0.0, 0.0]
    if foreign_score == "a default":
        spans[0]._.score = 0.25
        assert [get_score(span) for span in spans] == scores
    [result] = spacy_ner_ext.predict(loaded, [TEXTS[0]])
    shown = result["spans"]["sc"] if pipes == "group" else result["entities"]
    assert [found["score"] for found in shown] == pytest.approx(scores, abs=1e-6)


def test_an_extension_that_is_replaced_after_loading_is_noticed():
    nlp = fitted("flat_biluo")
    register_score_extension()
    own = Span.get_extension("score")
    _warn_about_foreign.cache_clear()
    Span.set_extension("score", default=0.0, force=True)
    try:
        with pytest.warns(UserWarning, match="Another package"):
            doc = nlp(TEXTS[0])
    finally:
        Span.remove_extension("score")
        register_score_extension()
    assert Span.get_extension("score") == own
    assert [spacy_ner_ext.get_score(ent) for ent in doc.ents] == [
        ent._.score for ent in doc.ents
    ]
