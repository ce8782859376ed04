"""Groups of entities."""

from spacy_ner_ext.tools.evaluate.groups import (
    LENGTH,
    SENTENCE,
    length_group,
    order_of,
    sentence_group,
)
from tests.helpers.drawn_spans import entity


def test_groups_by_length_and_sentence():
    names = [length_group(entity(0, end, "A")) for end in (1, 2, 4, 5, 60)]
    assert names == ["1 token", "2 tokens", "4 tokens", *["5 or more tokens"] * 2]
    lengths = [entity(0, 1, "A", sentence_length=n) for n in (1, 10, 11, 51)]
    names = [sentence_group(each) for each in lengths]
    assert names == ["1-10 words"] * 2 + ["11-20 words", "51 or more words"]
    for kind, sizes, group in (
        (LENGTH, range(1, 9), lambda n: length_group(entity(0, n, "A"))),
        (SENTENCE, range(1, 80), lambda n: sentence_group(entities(n))),
    ):
        assert list(dict.fromkeys(map(group, sizes))) == order_of(kind)


def entities(length):
    return entity(0, 1, "A", sentence_length=length)
