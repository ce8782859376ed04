"""Reading gold from and writing predictions to doc.ents and span groups."""

import numpy
import pytest
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_ner_ext.pipes.spans import (
    as_keys,
    flat_subset,
    get_score,
    read_gold,
    write_group,
    write_spans,
)
from tests.helpers.pipelines import annotate, found

VOCAB = Vocab()
WORDS = ["Anna", "Berg", "saw", "New", "York", "today"]
GOLD = [(0, 2, "PER"), (3, 5, "LOC")]


def make_doc(words=WORDS):
    return Doc(VOCAB, words=words)


def gold_of(reference, keys=("ents",), words=WORDS):
    return read_gold(Example(make_doc(words), reference), keys)


def scored(doc, *spans):
    return [(Span(doc, start, end, label), score) for start, end, label, score in spans]


# --- Reading -----------------------------------------------------------------


@pytest.mark.parametrize("key", ["ents", "sc"])
def test_gold_on_the_same_tokens_is_read_as_it_is(key):
    gold = gold_of(annotate(make_doc(), GOLD, key), [key])
    assert gold.spans == GOLD
    assert not gold.missing.any() and gold.misaligned == []


def test_overlapping_gold_of_several_places_is_read_from_all():
    reference = annotate(annotate(make_doc(), GOLD), [(2, 5, "EVENT")], "sc")
    gold = gold_of(reference, ["ents", "sc", "absent"])
    assert sorted(gold.spans) == sorted([*GOLD, (2, 5, "EVENT")])


def test_without_annotation_everything_is_missing():
    assert gold_of(make_doc()).missing.all()
    assert gold_of(annotate(make_doc(), GOLD), ["sc"]).missing.all()
    assert gold_of(make_doc(), ["ents", "sc"]).missing.all()


def test_no_entities_is_an_annotation_too():
    assert not gold_of(annotate(make_doc(), [])).missing.any()
    assert not gold_of(annotate(make_doc(), [], "sc"), ["sc"]).missing.any()


def test_single_tokens_may_be_missing():
    reference = make_doc()
    reference.set_ents(
        [Span(reference, 0, 2, "PER")], missing=[reference[3:5]], default="outside"
    )
    gold = gold_of(reference)
    assert gold.spans == [(0, 2, "PER")]
    assert gold.missing.tolist() == [False, False, False, True, True, False]


def test_a_span_group_says_something_about_every_token():
    reference = make_doc()
    reference.set_ents([], missing=[reference[0:6]])
    annotate(reference, GOLD[:1], "sc")
    assert not gold_of(reference, ["ents", "sc"]).missing.any()


@pytest.mark.parametrize(
    "words,spans",
    [
        (["An", "na", "Berg", "saw", "New", "York", "today"], [(0, 3), (4, 6)]),
        (["Anna", "Berg", "saw", "New York", "today"], [(0, 2), (3, 4)]),
        (["Anna Berg", "saw", "New York", "to", "day"], [(0, 1), (2, 3)]),
        (["Anna", " ", "Berg", "\n", "saw", "New", "York", "today"], [(0, 3), (5, 7)]),
    ],
)
@pytest.mark.parametrize("key", ["ents", "sc"])
def test_gold_moves_to_tokens_with_the_same_boundaries(words, spans, key):
    gold = gold_of(annotate(make_doc(), GOLD, key), [key], words)
    assert [span[:2] for span in gold.spans] == spans
    assert [span[2] for span in gold.spans] == ["PER", "LOC"]
    assert not gold.missing.any() and gold.misaligned == []


def test_tokens_of_a_misaligned_span_are_missing():
    words = ["Anna", "Berg saw", "New", "York", "today"]
    gold = gold_of(annotate(make_doc(), GOLD), words=words)
    assert gold.spans == [(2, 4, "LOC")]
    assert gold.misaligned == [("Anna Berg", "PER")]
    assert gold.missing.tolist() == [True, True, False, False, False]


def test_missing_tokens_move_to_other_tokens():
    reference = make_doc()
    reference.set_ents([], missing=[reference[4:5]], default="outside")
    gold = gold_of(reference, words=["Anna", "Berg", "saw", "New York", "to", "day"])
    assert gold.missing.tolist() == [False, False, False, True, False, False]


def test_a_token_of_an_aligned_span_is_known_beside_a_misaligned_one():
    reference = annotate(make_doc(), [(0, 2, "PER"), (0, 3, "ACT")], "sc")
    words = ["Anna", "Berg", "saw New", "York", "today"]
    gold = gold_of(reference, ["sc"], words)
    assert gold.spans == [(0, 2, "PER")]
    assert gold.misaligned == [("Anna Berg saw", "ACT")]
    assert gold.missing.tolist() == [False, False, True, False, False]


def test_an_empty_document_has_no_gold():
    gold = gold_of(make_doc([]), words=[])
    assert gold.spans == [] and gold.missing.shape == (0,)


@pytest.mark.parametrize("setting", [[], "", [""], [3], ["ents", None]])
def test_a_place_must_have_a_name(setting):
    with pytest.raises(ValueError, match=r"The setting target = .* names no place"):
        as_keys(setting, "target")


def test_a_place_or_a_list_of_places():
    assert as_keys("sc", "target") == ["sc"]
    assert as_keys(("ents", "sc"), "target") == ["ents", "sc"]


# --- Writing -----------------------------------------------------------------


def test_the_flat_subset_takes_the_probable_then_the_long_then_the_left():
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


def test_of_spans_that_are_as_probable_the_longest_wins():
    doc = make_doc()
    spans = scored(doc, (0, 1, "A", 0.5), (0, 3, "B", 0.5), (3, 5, "A", 0.5))
    chosen = [(s.start, s.end) for s in flat_subset(spans[::-1], set())]
    assert chosen == [(0, 3), (3, 5)]


def test_a_group_that_is_kept_gets_what_is_new_and_nan_for_what_has_no_score():
    doc = annotate(make_doc(), [(0, 2, "PER"), (3, 5, "LOC")], "sc")
    new = scored(doc, (3, 5, "LOC", 0.9), (5, 6, "DATE", 0.25))
    write_group(doc, "sc", new, overwrite=False)
    assert found(doc, "sc") == [(0, 2, "PER"), (3, 5, "LOC"), (5, 6, "DATE")]
    scores = doc.spans["sc"].attrs["scores"]
    assert numpy.isnan(scores[:2]).all() and scores[2] == 0.25


def test_a_group_that_is_kept_keeps_its_scores():
    doc = make_doc()
    write_group(doc, "sc", scored(doc, (0, 2, "PER", 0.5)), overwrite=False)
    write_group(doc, "sc", scored(doc, (3, 5, "LOC", 0.75)), overwrite=False)
    assert found(doc, "sc") == GOLD
    assert doc.spans["sc"].attrs["scores"].tolist() == [0.5, 0.75]


def test_a_group_is_replaced_on_request():
    doc = annotate(make_doc(), GOLD, "sc")
    write_group(doc, "sc", scored(doc, (5, 6, "DATE", 0.25)), overwrite=True)
    assert found(doc, "sc") == [(5, 6, "DATE")]
    assert doc.spans["sc"].attrs["scores"].tolist() == [0.25]


@pytest.mark.parametrize("overwrite", [False, True])
def test_without_predictions_every_place_says_so(overwrite):
    doc = make_doc()
    write_spans(doc, [], ["PER"], ["ents", "sc", "*"], overwrite=overwrite)
    assert doc.has_annotation("ENT_IOB") and doc.ents == ()
    assert {key: len(group) for key, group in doc.spans.items()} == {"sc": 0, "PER": 0}
    assert doc.spans["sc"].attrs["scores"].shape == (0,)


def test_a_score_belongs_to_boundaries_and_label():
    doc = make_doc()
    predictions = [(0, 2, "PER", 0.5), (0, 2, "ORG", 0.25)]
    write_spans(doc, predictions, ["PER", "ORG"], ["sc"], overwrite=False)
    assert get_score(Span(doc, 0, 2, "PER")) == 0.5
    assert get_score(Span(doc, 0, 2, "ORG")) == 0.25
    assert get_score(Span(doc, 0, 2, "LOC")) is None
    assert get_score(Span(doc, 0, 1, "PER")) is None


def test_what_was_there_gets_no_score():
    doc = annotate(make_doc(), GOLD[:1])
    predictions = [(0, 2, "PER", 1.0), (3, 5, "LOC", 0.5)]
    write_spans(doc, predictions, ["PER", "LOC"], ["ents"], overwrite=False)
    assert [get_score(ent) for ent in doc.ents] == [None, 0.5]
    write_spans(doc, predictions, ["PER", "LOC"], ["ents"], overwrite=True)
    assert [get_score(ent) for ent in doc.ents] == [1.0, 0.5]
