"""Reading gold entities on the tokens of the predicted document."""

import pytest
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_ner_ext.pipes.gold import read_gold
from tests.helpers.pipelines import annotate

VOCAB = Vocab()
WORDS = ["Anna", "Berg", "saw", "New", "York", "today"]
GOLD = [(0, 2, "PER"), (3, 5, "LOC")]


def make_doc(words=WORDS):
    return Doc(VOCAB, words=words)


def gold_of(reference, keys=("ents",), words=WORDS):
    return read_gold(Example(make_doc(words), reference), keys)


@pytest.mark.parametrize("key", ["ents", "sc"])
def test_gold_on_the_same_tokens_is_unchanged(key):
    gold = gold_of(annotate(make_doc(), GOLD, key), [key])
    assert gold.spans == GOLD
    assert not gold.missing.any() and gold.misaligned == []


def test_overlapping_gold_is_read_from_all_span_keys():
    reference = annotate(annotate(make_doc(), GOLD), [(2, 5, "EVENT")], "sc")
    gold = gold_of(reference, ["ents", "sc", "absent"])
    assert sorted(gold.spans) == sorted([*GOLD, (2, 5, "EVENT")])


def test_without_annotation_everything_is_missing():
    assert gold_of(make_doc()).missing.all()
    assert gold_of(annotate(make_doc(), GOLD), ["sc"]).missing.all()
    assert gold_of(make_doc(), ["ents", "sc"]).missing.all()


def test_an_empty_annotation_is_not_missing():
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


def test_a_span_group_annotates_every_token():
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
def test_gold_is_aligned_to_tokens_with_the_same_boundaries(words, spans, key):
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


def test_missing_annotation_is_aligned_to_the_predicted_tokens():
    reference = make_doc()
    reference.set_ents([], missing=[reference[4:5]], default="outside")
    gold = gold_of(reference, words=["Anna", "Berg", "saw", "New York", "to", "day"])
    assert gold.missing.tolist() == [False, False, False, True, False, False]


def test_a_token_of_an_aligned_span_is_not_missing_where_a_misaligned_span_overlaps():
    reference = annotate(make_doc(), [(0, 2, "PER"), (0, 3, "ACT")], "sc")
    words = ["Anna", "Berg", "saw New", "York", "today"]
    gold = gold_of(reference, ["sc"], words)
    assert gold.spans == [(0, 2, "PER")]
    assert gold.misaligned == [("Anna Berg saw", "ACT")]
    assert gold.missing.tolist() == [False, False, True, False, False]


def test_an_empty_document_has_no_gold():
    gold = gold_of(make_doc([]), words=[])
    assert gold.spans == [] and gold.missing.shape == (0,)
