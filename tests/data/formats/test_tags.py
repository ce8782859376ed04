from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_ner_ext.data.formats.tags import (
    SCHEMES,
    Column,
    find_scheme,
    parse_tag,
    resolve_scheme,
    tags_to_spans,
    understand_tags,
)
from spacy_ner_ext.util.errors import UserError

LABELS = ["PER", "creative-work", "B-I"]


def parse(text):
    return [parse_tag(tag) for tag in text.split()]


def scheme_of(*sentences):
    column, line = Column(), 1
    for text in sentences:
        for tag in text.split():
            column.add(tag, line)
            line += 1
        column.end_sentence()
    known = understand_tags(column.lines)
    return find_scheme([(column, known)], "auto", Path("x.conll"))


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("O", ("O", "")),
        ("B-person", ("B", "person")),
        ("I-creative-work", ("I", "creative-work")),
        ("U-B-X", ("U", "B-X")),
        ("", ("-", "")),
        ("B", None),
        ("B-", None),
        ("-", ("-", "")),
        ("_", ("-", "")),
        ("PER_B", ("B", "PER")),
        ("M-PER", ("I", "PER")),
        ("-X-", None),
        ("O-PER", None),
        ("BI-PER", None),
        ("b-PER", ("B", "PER")),
        ("PER", None),
    ],
)
def test_parse_tag(text, tag):
    assert parse_tag(text) == tag


@pytest.mark.parametrize(
    ("sentences", "scheme"),
    [
        (["O O"], "iob2"),
        (["B-A I-A O B-B"], "iob2"),
        (["I-A I-A O I-B"], "iob1"),
        (["I-A B-A O I-B"], "iob1"),
        # The sentence boundary parts the two: B- is not where iob1 has it.
        (["I-A", "B-A"], "iob2"),
        (["B-A I-A O I-B"], "iob2"),
        (["I-A B-B"], "iob2"),
        (["B-A E-A O"], "bioes"),
        (["O S-A", "B-A I-A"], "bioes"),
        (["B-A L-A O"], "biluo"),
        (["O U-A", "B-A I-A"], "biluo"),
    ],
)
def test_scheme_recognised_from_all_tags(sentences, scheme):
    assert scheme_of(*sentences) == scheme


@pytest.mark.parametrize("tags", ["L-A S-A", "U-A E-A", "E-A L-A", "S-A U-A"])
def test_prefixes_of_two_schemes_clash(tags):
    first, second = (tag[0] for tag in tags.split())
    with pytest.raises(
        UserError, match=f"a tag with {second}- does not .* has {first}- as on line"
    ):
        scheme_of(tags)


@pytest.mark.parametrize(
    ("scheme", "tags", "spans", "repaired"),
    [
        ("iob2", "I-A I-A O", [(0, 2, "A")], [0]),
        ("iob2", "B-A I-B", [(0, 1, "A"), (1, 2, "B")], [1]),
        ("iob2", "B-A O I-A", [(0, 1, "A"), (2, 3, "A")], [2]),
        ("iob1", "I-A I-B B-B", [(0, 1, "A"), (1, 2, "B"), (2, 3, "B")], []),
        ("iob1", "O B-A I-A", [(1, 3, "A")], [1]),
        ("bioes", "B-A I-A O", [(0, 2, "A")], [1]),
        ("bioes", "B-A I-A", [(0, 2, "A")], [1]),
        ("bioes", "E-A O", [(0, 1, "A")], [0]),
        ("bioes", "B-A B-A E-A", [(0, 1, "A"), (1, 3, "A")], [0]),
        ("bioes", "B-A S-A", [(0, 1, "A"), (1, 2, "A")], [0]),
        ("bioes", "S-A E-A", [(0, 1, "A"), (1, 2, "A")], [1]),
        ("bioes", "B-A E-B", [(0, 1, "A"), (1, 2, "B")], [0, 1]),
        ("biluo", "I-A L-A U-A", [(0, 2, "A"), (2, 3, "A")], [0]),
        ("biluo", "L-A L-A", [(0, 1, "A"), (1, 2, "A")], [0, 1]),
        ("biluo", "", [], []),
    ],
)
def test_broken_tags_are_repaired(scheme, tags, spans, repaired):
    found, repairs = tags_to_spans(parse(tags), scheme)
    assert found == spans
    assert [i for i, _ in repairs] == repaired


@given(
    tags=st.lists(
        st.sampled_from(["O"] + [f"{p}-{x}" for p in "BIESLU" for x in "AB"])
    ),
    scheme=st.sampled_from(sorted(SCHEMES)),
)
def test_every_tagged_token_is_in_one_span(tags, scheme):
    tags = [tag for tag in tags if tag[0] in SCHEMES[scheme]]
    spans, _ = tags_to_spans(parse(" ".join(tags)), scheme)
    labels = ["O"] * len(tags)
    for start, end, label in spans:
        assert labels[start:end] == ["O"] * (end - start)
        labels[start:end] = [label] * (end - start)
    assert labels == [tag[2:] or "O" for tag in tags]
    assert spans == sorted(spans)


def test_scheme_names():
    names = {"iob": "iob1", "bio": "iob2", "iobes": "bioes", "bmes": "bioes"}
    assert {name: resolve_scheme(name) for name in names} == names
    assert resolve_scheme("auto") == "auto"
    with pytest.raises(UserError, match="unknown tag scheme 'bmx'; choose one of"):
        resolve_scheme("bmx")


UNDERSTOOD = {
    "a label with spaces": (["B-Given Name", "O"], {}),
    "one wrong tag": (["B-X", "I-X", "X", "O"], {"X"}),
    "several tags": (["B-X I-X", "B-X O", "O"], {"B-X I-X", "B-X O", "O"}),
    "tags joined": (["B-X|B-Y", "B-X,I-Z", "O"], {"B-X|B-Y", "B-X,I-Z", "O"}),
    "labels with a prefix among them": (["B-X", "Y", "Z"], {"B-X", "Y", "Z"}),
    "parts of speech": (["NN", "VB"], {"NN", "VB"}),
    "labels alone": (["art-music", "person", "O"], {}),
    "words": (["the", "O", "!"], {"!"}),
}


@pytest.mark.parametrize("case", UNDERSTOOD)
def test_tags_that_are_not_understood(case):
    texts, unknown = UNDERSTOOD[case]
    assert set(texts) - understand_tags(texts).keys() == set(unknown)
