"""Choosing, cutting, sampling and splitting documents."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, Span

from spacy_ner_ext.data.lang import BlankPipeline
from spacy_ner_ext.data.options import ConvertOptions
from spacy_ner_ext.data.report import ConversionReport
from spacy_ner_ext.data.split.split import shape_docs
from spacy_ner_ext.util.errors import UserError

NLP = BlankPipeline("en")


def doc_of(words, *spans, starts=None, **user_data):
    sent_starts = None if starts is None else [i in starts for i in range(len(words))]
    doc = Doc(NLP.vocab, words=list(words), sent_starts=sent_starts)
    doc.set_ents([Span(doc, start, end, label) for start, end, label in spans])
    doc.user_data.update(user_data)
    return doc


def shape(docs, **settings):
    report = ConversionReport(source="in")
    pairs = shape_docs(lambda _: iter(docs), ConvertOptions(**settings), report)
    return list(pairs), report


def counts(report):
    return {kind: notes.count for kind, notes in report.notes.items() if notes.count}


def words(pairs):
    return ["".join(token.text for token in doc) for _, doc in pairs]


def ents(pairs):
    return [[(e.start, e.end, e.label_) for e in doc.ents] for _, doc in pairs]


def test_long_documents_are_cut_at_sentence_starts():
    doc = doc_of("abcdefghij", (4, 6, "X"), starts=(0, 3, 7), id="d")
    doc.spans["sc"] = [Span(doc, 3, 7, "Y")]
    pairs, report = shape([doc, doc_of("xy")], max_length=7)
    assert words(pairs) == ["abcdefg", "hij", "xy"]
    assert ents(pairs) == [[(4, 6, "X")], [], []]
    first = pairs[0][1]
    assert [(s.start, s.end, s.label_) for s in first.spans["sc"]] == [(3, 7, "Y")]
    assert first.has_unknown_spaces
    assert first.user_data == {"id": "d-1", "document": "d"}
    assert counts(report) == {"cut": 1}


def test_documents_without_sentences_are_cut_at_tokens_but_no_entity_is():
    pairs, report = shape([doc_of("abcdefghij", (3, 6, "X"))], max_length=4)
    assert words(pairs) == ["abc", "defg", "hij"]
    assert counts(report) == {"cut": 1, "uncut": 1}
    pairs, report = shape([doc_of("abcdefghij", (1, 8, "X"))], max_length=4)
    assert words(pairs) == ["a", "bcdefgh", "ij"]
    assert ents(pairs) == [[], [(0, 7, "X")], []]
    assert counts(report) == {"cut": 1, "uncut": 2}


def test_pieces_keep_tags_parses_and_attributes():
    doc = Doc(
        NLP.vocab,
        words=list("abcd"),
        tags=list("WXYZ"),
        heads=[1, 1, 1, 2],
        deps=["x", "ROOT", "y", "z"],
    )
    Span.set_extension("sure", default=None, force=True)
    doc.set_ents([Span(doc, 0, 1, "A"), Span(doc, 3, 4, "B", kb_id="Q1")])
    for ent in doc.ents:
        ent._.sure = ent.label_
    (_, first), (_, second) = shape([doc], max_length=2)[0]
    assert [token.tag_ for token in second] == ["Y", "Z"]
    assert [token.head.i for token in first] == [1, 1]
    assert [token.head.i for token in second] == [0, 0]
    assert [(e._.sure, e.kb_id_) for e in (*first.ents, *second.ents)] == [
        ("A", ""),
        ("B", "Q1"),
    ]
    assert len(first.user_data) == len(second.user_data) == 1


def test_documents_are_cut_behind_a_match():
    doc = NLP.make_doc("One two.\n\nThree four.\n\nFive.")
    doc.set_ents([Span(doc, 5, 9, "X")])
    pairs, report = shape([doc], split_regex=r"\n\n+")
    texts = [doc.text for _, doc in pairs]
    assert texts == ["One two.\n\n", "Three four.\n\nFive."]
    assert counts(report) == {"cut": 1, "uncut": 1}
    pairs, _ = shape([NLP.make_doc("a b\n\nc d\n\ne f\n\n")], split_regex="\n\n+",
                     max_length=6)  # fmt: skip
    assert [doc.text for _, doc in pairs] == ["a b\n\nc d\n\n", "e f\n\n"]


@settings(deadline=None)
@given(st.data(), st.integers(1, 60), st.integers(1, 20))
def test_pieces_are_the_document_and_hold_its_entities(data, n, size):
    spans, start = [], 0
    while start < n:
        end = data.draw(st.integers(start + 1, n))
        if data.draw(st.booleans()):
            spans.append((start, end, "X"))
        start = end
    starts = data.draw(st.none() | st.sets(st.integers(0, n - 1)))
    text = [chr(ord("a") + i % 26) for i in range(n)]
    pairs, _ = shape([doc_of(text, *spans, starts=starts)], max_length=size)
    assert "".join(words(pairs)) == "".join(text)
    found, offset = [], 0
    for _, piece in pairs:
        found += [(offset + e.start, offset + e.end, e.label_) for e in piece.ents]
        offset += len(piece)
        longest = max((len(e) for e in piece.ents), default=0)
        assert len(piece) <= max(size, longest)
    assert found == spans


@pytest.mark.parametrize("n", [10, 100, 1230])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.97])
def test_a_share_is_drawn(n, share):
    docs = [doc_of(["w"], number=i) for i in range(n)]
    drawn = [doc.user_data["number"] for _, doc in shape(docs, downsample=share)[0]]
    assert len(drawn) == round(share * n)
    assert drawn == sorted(drawn)
    again, report = shape(docs, downsample=share)
    assert [doc.user_data["number"] for _, doc in again] == drawn
    assert counts(report).get("unsampled", 0) == n - len(drawn)
    if n == 1230:
        other = shape(docs, downsample=share, seed=1)[0]
        assert [doc.user_data["number"] for _, doc in other] != drawn


def test_the_rest_behind_a_limit_is_not_read():
    def docs():
        for i in range(5):
            assert i < 4
            yield doc_of(["w"], number=i)

    pairs, report = shape(docs(), limit=3)
    assert [doc.user_data["number"] for _, doc in pairs] == [0, 1, 2]
    assert counts(report) == {"unused": 1}
    assert counts(shape([doc_of("a")] * 3, limit=3)[1]) == {}


SAMPLED = [{}, {"downsample": 0.5}, {"limit": 3}, {"oversample": {"X": 0.9}}]


@pytest.mark.parametrize("stratify", [False, True])
@pytest.mark.parametrize("sampled", SAMPLED)
def test_sampling_moves_no_document_to_another_part(stratify, sampled):
    docs = [doc_of("ab", *[(0, 1, "X")] * (i % 2), number=i) for i in range(100)]
    whole, _ = shape(docs, split=(0.8, 0.2), stratify=stratify)
    part_of = {doc.user_data["number"]: part for part, doc in whole}
    pairs, _ = shape(docs, split=(0.8, 0.2), stratify=stratify, **sampled)
    assert all(part_of[doc.user_data["number"]] == part for part, doc in pairs)
    sizes = Counter(part for part, _ in pairs)
    if "downsample" in sampled:
        assert sizes == {"train": 40, "dev": 10}
    if "limit" in sampled:
        assert sizes == {"train": 3, "dev": 3}


@pytest.mark.parametrize("n", [10, 101, 1000])
def test_parts_have_their_shares(n):
    docs = [doc_of(["w"], number=i) for i in range(n)]
    pairs, _ = shape(docs, split=(0.8, 0.1, 0.1))
    again, _ = shape(docs, split=(0.8, 0.1, 0.1))
    sizes = Counter(part for part, _ in pairs)
    assert [sizes[p] for p in ("train", "dev")] == [round(0.8 * n), round(0.1 * n)]
    assert sorted(doc.user_data["number"] for _, doc in pairs) == list(range(n))
    assert [part for part, _ in again] == [part for part, _ in pairs]


@pytest.mark.parametrize(
    "settings", [{}, {"stratify": True}, {"oversample": {"X": 0.9}}]
)
def test_what_is_of_one_document_stays_together(settings):
    docs = [doc_of("ab", (0, 1, "X"), document=f"d{i // 7 % 30}") for i in range(420)]
    pairs, _ = shape(docs, split=(0.7, 0.3), **settings)
    parts = {}
    for part, doc in pairs:
        parts.setdefault(doc.user_data["document"], set()).add(part)
    assert len(parts) == 30
    assert all(len(of_one) == 1 for of_one in parts.values())
    n_train = sum(of_one == {"train"} for of_one in parts.values())
    assert n_train == 21


def test_a_stratified_split_has_the_shares_of_each_label():
    docs = []
    for i in range(300):
        spans = [(0, 1, "COMMON")]
        spans += [(1, 2, "RARE")] if i < 20 else []
        spans += [(2, 3, "MIDDLE")] * (i % 3 == 0)
        docs.append(doc_of("abc", *spans))
    pairs, _ = shape(docs, split=(0.8, 0.1, 0.1), stratify=True)
    found = {part: Counter() for part in ("train", "dev", "test")}
    for part, doc in pairs:
        found[part].update(ent.label_ for ent in doc.ents)
    assert [found[p]["RARE"] for p in found] == [16, 2, 2]
    assert [found[p]["MIDDLE"] for p in found] == [80, 10, 10]
    assert [found[p]["COMMON"] for p in found] == [240, 30, 30]


def test_categories_are_stratified_and_oversampled_too():
    docs = []
    for i in range(100):
        doc = Doc(NLP.vocab, words=["w"])
        doc.cats = {"RARE": float(i < 10), "COMMON": float(i >= 10)}
        docs.append(doc)
    pairs, _ = shape(docs, split=(0.8, 0.2), stratify=True)
    rare = Counter(part for part, doc in pairs if doc.cats["RARE"])
    assert rare == {"train": 8, "dev": 2}
    pairs, _ = shape(docs, oversample={"RARE": 0.5})
    share = sum(doc.cats["RARE"] for _, doc in pairs) / len(pairs)
    assert share == pytest.approx(0.5, abs=0.02)


def test_copies_have_names_of_their_own():
    docs = [doc_of("ab", *[(0, 1, "X")] * (i < 5), id=f"d{i}") for i in range(20)]
    pairs, _ = shape(docs, oversample={"X": 0.5})
    names = [doc.user_data["id"] for _, doc in pairs]
    assert len(names) == len(set(names)) > 20
    assert {doc.user_data.get("document") for _, doc in pairs} <= {
        None,
        *(f"d{i}" for i in range(5)),
    }


def test_documents_with_rare_labels_are_repeated_up_to_a_share():
    docs = [doc_of("ab", (0, 1, "PER"), *[(1, 2, "BIO")] * (i < 4)) for i in range(100)]
    docs += [doc_of("ab", (0, 1, "DIS")) for _ in range(2)]
    pairs, report = shape(docs, oversample={"BIO": 0.2, "DIS": 0.1})
    labels = [{ent.label_ for ent in doc.ents} for _, doc in pairs]
    assert sum("BIO" in own for own in labels) / len(labels) == pytest.approx(
        0.2, abs=0.03
    )
    assert sum("DIS" in own for own in labels) / len(labels) == pytest.approx(
        0.1, abs=0.03
    )
    assert sum(own == {"PER"} for own in labels) == 96
    assert counts(report) == {"repeated": 6}
    again, _ = shape(docs, oversample={"BIO": 0.2, "DIS": 0.1})
    assert [id(doc) for _, doc in again] == [id(doc) for _, doc in pairs]


def test_only_the_training_part_is_oversampled():
    docs = [doc_of("ab", *[(0, 1, "X")] * (i < 10), number=i) for i in range(100)]
    pairs, _ = shape(docs, split=(0.8, 0.2), stratify=True, oversample={"X": 0.5})
    train = [doc for part, doc in pairs if part == "train"]
    assert sum(bool(doc.ents) for doc in train) / len(train) == pytest.approx(
        0.5, abs=0.05
    )
    dev = [doc.user_data["number"] for part, doc in pairs if part == "dev"]
    assert len(dev) == len(set(dev)) == 20
    assert not {doc.user_data["number"] for doc in train} & set(dev)


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"limit": -1}, "limit = -1 is negative"),
        ({"max_length": -1}, "max_length = -1 is negative"),
        ({"downsample": 0.0}, "downsample = 0.0 is not a share"),
        ({"downsample": 1.5}, "downsample = 1.5 is not a share"),
        ({"downsample": float("nan")}, "downsample = nan is not a share"),
        ({"split": (0.8, 0.1)}, "split = 0.8,0.1 must be shares above 0 that sum to 1"),
        ({"split": (1.2, -0.2)}, "must be shares above 0"),
        ({"split": (1.0,)}, "has 1 shares; give two"),
        ({"split": (0.25,) * 4}, "has 4 shares; give two"),
        ({"stratify": True}, "stratify needs a split"),
        ({"split_regex": "("}, "split_regex = '\\(' is not a regular expression"),
        ({"oversample": {"X": 1.0}}, "oversample = X=1.0 is not a share"),
    ],
)
def test_impossible_settings(settings, what):
    with pytest.raises(UserError, match=what):
        ConvertOptions(**settings)


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"split": (0.9, 0.1)}, "in: split = 0.9,0.1 of 3 documents leaves dev empty"),
        ({"oversample": {"Z": 0.5}}, "no document to repeat has the label Z"),
        (
            {"oversample": {"X": 0.7, "Y": 0.7}},
            "X=0.7, Y=0.7: repeating documents cannot",
        ),
    ],
)
def test_shares_that_cannot_be_reached(settings, what):
    docs = [doc_of("a", (0, 1, label)) for label in "XYW"]
    with pytest.raises(UserError, match=what):
        shape(docs, **settings)
