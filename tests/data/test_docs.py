"""From records to documents: alignment, overlaps, what is counted."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.util import filter_spans

from spacy_ner_ext.data.align import ALIGNMENTS
from spacy_ner_ext.data.docs import make_docs
from spacy_ner_ext.data.lang import BlankPipeline
from spacy_ner_ext.data.options import ConvertOptions
from spacy_ner_ext.data.record import Entity, Record
from spacy_ner_ext.data.report import ConversionReport
from spacy_ner_ext.util.errors import Place, UserError

NLP = BlankPipeline("en")
PLACE = Place(Path("in.jsonl"), 7)
TEXT = "The HIV-positive man saw New  York today."


def make(*entities, text=TEXT, **settings):
    report = ConversionReport()
    marks = [
        Entity(text.index(e), text.index(e) + len(e), name) for e, name in entities
    ]
    record = Record(PLACE, text=text, entities=marks)
    (doc,) = make_docs([record], NLP, report, ConvertOptions(**settings))
    return doc, report


def ents(doc):
    return [(ent.text, ent.label_) for ent in doc.ents]


def counts(report):
    return {kind: notes.count for kind, notes in report.notes.items() if notes.count}


@pytest.mark.parametrize("align", ALIGNMENTS)
def test_entities_of_whole_tokens_are_kept(align):
    doc, report = make(("man", "X"), ("New  York", "LOC"), align=align)
    assert ents(doc) == [("man", "X"), ("New  York", "LOC")]
    assert counts(report) == {}


@pytest.mark.parametrize(
    ("align", "found", "noted"),
    [
        ("strict", [], {"misaligned": 2}),
        ("contract", [("New  York", "LOC")], {"misaligned": 1, "contracted": 1}),
        ("expand", [("man", "X"), ("New  York today", "LOC")], {"expanded": 2}),
    ],
)
def test_entities_inside_tokens(align, found, noted):
    doc, report = make(("ma", "X"), ("New  York tod", "LOC"), align=align)
    assert ents(doc) == found
    assert counts(report) == noted
    places = [place for n in report.notes.values() for place, _ in n.examples]
    assert places == [PLACE, PLACE]


def test_tokens_of_a_dropped_entity_are_not_annotated():
    doc, _ = make(("ma", "X"), align="strict")
    by_text = {token.text: token.ent_iob_ for token in doc}
    assert (by_text["man"], by_text["saw"]) == ("", "O")


def test_white_space_at_the_ends_is_left_out():
    doc, report = make((" man ", "X"), ("  York", "LOC"))
    assert ents(doc) == [("man", "X"), ("York", "LOC")]
    assert counts(report) == {"trimmed": 2}
    doc, report = make(("  ", "X"))
    assert (ents(doc), counts(report)) == ([], {"dropped": 1})


def test_entities_given_twice_are_kept_once():
    doc, report = make(("man", "X"), ("man", "X"))
    assert (ents(doc), counts(report)) == ([("man", "X")], {"duplicates": 1})


def test_of_overlapping_entities_the_longest_then_the_first_stays():
    marks = [("York", "CITY"), ("New  York", "LOC"), ("man", "X"), ("man", "Y")]
    doc, report = make(*marks)
    assert ents(doc) == [("man", "X"), ("New  York", "LOC")]
    assert counts(report) == {"overlapping": 2}
    whats = [what for _, what in report.notes["overlapping"].examples]
    assert sorted(what.split()[0] for what in whats) == ["CITY", "Y"]


def test_a_span_group_gets_all_entities():
    doc, report = make(("York", "CITY"), ("New  York", "LOC"), spans_key="sc")
    assert [(s.text, s.label_) for s in doc.spans["sc"]] == [
        ("New  York", "LOC"),
        ("York", "CITY"),
    ]
    assert "only in doc.spans['sc']" in report.notes["overlapping"].examples[0][1]


@pytest.mark.parametrize(
    ("entity", "what"),
    [
        ((3, 99, "X"), "X from 3 to 99 is not in the text of 4 characters"),
        ((-2, 3, "X"), "X from -2 to 3 is not in the text of 4 characters"),
        ((3, 3, "X"), "X from 3 to 3 is empty"),
        ((3, 1, "X"), "X from 3 to 1 is empty"),
        ((0, 3, " "), "from 0 to 3 has no label"),
    ],
)
def test_impossible_entities_are_named_with_their_place(entity, what):
    record = Record(PLACE, text="Anna", entities=[Entity(*entity)])
    with pytest.raises(UserError, match=rf"in\.jsonl, line 7: .*{what}"):
        list(make_docs([record], NLP, ConversionReport()))
    record.entities = [Entity(*entity, place=Place(Path("b.ann"), 9))]
    with pytest.raises(UserError, match=r"b\.ann, line 9"):
        list(make_docs([record], NLP, ConversionReport()))


def test_no_annotation_is_not_no_entity():
    records = [Record(PLACE, text="a b"), Record(PLACE, text="a b", entities=[])]
    without, empty = make_docs(records, NLP, ConversionReport())
    assert not without.has_annotation("ENT_IOB")
    assert empty.has_annotation("ENT_IOB")


def test_texts_of_other_languages_and_without_a_token_are_counted():
    langs = ["en", "de", "", "fr", "en-US", "ENG", "zz"]
    records = [Record(PLACE, text="a", lang=lang) for lang in langs]
    records.append(Record(PLACE, text=""))
    report = ConversionReport()
    docs = list(make_docs(records, NLP, report, ConvertOptions(lang="en,fr")))
    assert [doc.user_data.get("lang", "") for doc in docs] == [
        *("en", "", "fr", "en-US", "ENG"),
    ]
    assert counts(report) == {"other_language": 2, "empty": 1}


def test_all_languages():
    records = [Record(PLACE, text="a", lang=lang) for lang in ("en", "de")]
    options = ConvertOptions(lang="xx")
    assert len(list(make_docs(records, NLP, ConversionReport(), options))) == 2


def test_labels_are_renamed_first_and_then_chosen():
    marks = [("man", "GPE"), ("saw", "PER"), ("today", "FAC")]
    chosen = {"map": {"GPE": "LOC"}, "labels": ("LOC", "PER", "ORG")}
    doc, report = make(*marks, **chosen, spans_key="sc")
    assert ents(doc) == [("man", "LOC"), ("saw", "PER")]
    assert [span.label_ for span in doc.spans["sc"]] == ["LOC", "PER"]
    assert all(token.ent_iob_ for token in doc)
    assert counts(report) == {"deselected": 1, "relabelled": 1}
    assert report.more_warnings == [": no entity has the label ORG"]


def test_a_label_that_is_not_wanted_hides_no_other():
    marks = [("New  York", "GPE"), ("York", "LOC")]
    doc, report = make(*marks, labels=("LOC",))
    assert ents(doc) == [("York", "LOC")]
    assert counts(report) == {"deselected": 1}


def test_unknown_alignment():
    with pytest.raises(UserError, match="'widen'; choose one of strict, contract"):
        ConvertOptions(align="widen")


@pytest.mark.parametrize("spans_key", [None, "sc"])
@pytest.mark.parametrize(
    ("marks", "in_ents", "in_group"),
    [
        # One label: the spans would be the same one.
        ([("Paris", "LOC"), ("Lyon", "LOC")], 1, 1),
        ([("Paris", "LOC"), ("Lyon", "ORG")], 1, 2),
        # Not given twice, as the characters differ.
        ([("Paris", "LOC"), ("Paris_", "LOC")], 1, 1),
        ([("from Paris", "LOC"), ("Lyon today", "LOC")], 1, 2),
    ],
)
def test_different_entities_in_one_token_are_noted_as_that(
    marks, in_ents, in_group, spans_key
):
    text = "The train from Paris_Lyon today"
    doc, report = make(*marks, text=text, spans_key=spans_key)
    assert len(doc.ents) == in_ents
    if spans_key:
        assert len(doc.spans["sc"]) == in_group
    assert counts(report) == {"expanded": 2, "same_token": 1}
    ((_, what),) = report.notes["same_token"].examples
    assert "shares a token with a different entity" in what
    assert what.endswith("cut the token with --align split")
    assert ("only in doc.spans['sc']" in what) == bool(spans_key and in_group == 2)


@pytest.mark.parametrize(
    ("text", "marks", "tokens"),
    [
        ("from Paris_Lyon.", ["Paris", "Lyon"], ["from ", "Paris", "_", "Lyon", "."]),
        ("the Paris_Lyon line", ["Lyon"], ["the ", "Paris_", "Lyon ", "line"]),
        ("in 12mg doses", ["mg", "12"], ["in ", "12", "mg ", "doses"]),
        ("in 12mg doses", [" 12", "mg doses"], ["in ", "12", "mg ", "doses"]),
        ("a  xyz", ["  xy"], ["a ", " ", "xy", "z"]),
        ("whole words", ["words"], ["whole ", "words"]),
    ],
)
def test_tokens_are_cut_where_entities_begin_and_end(text, marks, tokens):
    doc, report = make(*((mark, "X") for mark in marks), text=text, align="split")
    assert [token.text_with_ws for token in doc] == tokens
    assert {ent.text for ent in doc.ents} == {mark.strip() for mark in marks}
    assert doc.text == text
    assert set(counts(report)) <= {"split", "trimmed"}


def test_only_selected_entities_cut_tokens():
    marks = [("Paris", "LOC"), ("Lyon", "OTHER")]
    options = {"align": "split", "labels": ("LOC",)}
    doc, _ = make(*marks, text="Paris_Lyon", **options)
    assert [token.text for token in doc] == ["Paris", "_Lyon"]


def test_cut_gold_tokens_keep_spaces_sentences_and_layers():
    record = Record(
        PLACE,
        words=["New York", "12mg", "stay", "Bye"],
        spaces=[False, True, True, False],
        starts=[0, 3],
        entities=[Entity(0, 3, "A"), Entity(8, 10, "N"), Entity(10, 12, "UNIT")],
        layers={
            "heads": [2, 2, 2, 3],
            "deps": ["nsubj", "obj", "ROOT", "ROOT"],
            "tags": ["NN", "CD", "VB", "UH"],
        },
    )
    options = ConvertOptions(align="split")
    (doc,) = make_docs([record], NLP, ConversionReport(), options)
    assert doc.text == "New York12mg stay Bye"
    words = [token.text_with_ws for token in doc]
    assert words == ["New ", "York", "12", "mg ", "stay ", "Bye"]
    assert ents(doc) == [("New", "A"), ("12", "N"), ("mg", "UNIT")]
    assert [sent.text for sent in doc.sents] == ["New York12mg stay", "Bye"]
    assert [token.head.text for token in doc] == [
        *("stay", "New", "stay", "12", "stay", "Bye")
    ]
    assert [token.tag_ for token in doc] == ["", "", "", "", "VB", "UH"]
    assert not doc.has_unknown_spaces


def test_cut_gold_tokens_without_known_spaces_stay_so():
    entities = [Entity(3, 4, "N")]
    record = Record(PLACE, words=["in", "1a"], entities=entities)
    options = ConvertOptions(align="split")
    (doc,) = make_docs([record], NLP, ConversionReport(), options)
    assert [token.text for token in doc] == ["in", "1", "a"]
    assert doc.has_unknown_spaces


@settings(deadline=None)
@given(
    st.text(min_size=1, max_size=40),
    st.lists(st.tuples(st.integers(0, 39), st.integers(1, 9), st.sampled_from("XYZ"))),
    st.sampled_from(ALIGNMENTS),
)
def test_every_entity_is_in_the_document_or_in_the_report(text, spans, align):
    text = text.encode("utf8", "ignore").decode("utf8") or "a"
    marks = [
        Entity(start, min(start + size, len(text)), label)
        for start, size, label in spans
        if start < len(text)
    ]
    report = ConversionReport()
    record = Record(PLACE, text=text, entities=list(marks))
    (doc,) = make_docs(
        [record], NLP, report, ConvertOptions(align=align, spans_key="all")
    )
    noted = counts(report)
    lost = ("duplicates", "dropped", "misaligned")
    in_group, in_ents = len(doc.spans["all"]), len(doc.ents)
    n_shared = noted.get("same_token", 0)
    n_not_in_group = len(marks) - in_group - sum(noted.get(k, 0) for k in lost)
    assert 0 <= n_not_in_group <= n_shared
    n_only_in_group = noted.get("overlapping", 0) + n_shared - n_not_in_group
    assert in_ents == in_group - n_only_in_group
    if align == "split":
        assert n_shared == 0 and "misaligned" not in noted
        assert doc.text == text
    assert list(doc.ents) == filter_spans(doc.spans["all"])
    for span in doc.spans["all"]:
        assert span[0].text.strip() and span[-1].text.strip()
    exact = {
        (e.start, e.end, e.label)
        for e in marks
        if doc.char_span(e.start, e.end) is not None
        and text[e.start : e.end].strip() == text[e.start : e.end]
    }
    found = {(s.start_char, s.end_char, s.label_) for s in doc.spans["all"]}
    assert exact <= found


def cutting_record(n_entities, n_cutting, **values):
    text = "Oslo " * n_entities
    ends = [5 * i + (3 if i < n_cutting else 4) for i in range(n_entities)]
    entities = [Entity(5 * i, end, "LOC", **values) for i, end in enumerate(ends)]
    return Record(PLACE, text=text, entities=entities)


@pytest.mark.parametrize(
    ("n_entities", "n_cutting", "values", "is_warned"),
    [
        (20, 3, {}, True),
        (2, 2, {}, True),
        (20, 2, {}, False),
        (1, 1, {}, False),
        (20, 20, {"is_quoted": True}, False),
    ],
)
def test_many_entities_that_cut_tokens_are_warned_about(
    n_entities, n_cutting, values, is_warned
):
    report = ConversionReport(source="in.jsonl")
    record = cutting_record(n_entities, n_cutting, **values)
    for doc in make_docs([record], NLP, report):
        report.add(doc)
    warning = (
        f"in.jsonl: {n_cutting} of {n_entities} entities begin or end inside a token: "
        "the offsets may count bytes or UTF-16 units"
    )
    assert (warning in report.warnings) == is_warned


@pytest.mark.parametrize(
    ("cats", "n_warnings"),
    [([{"A": 1.0}, {"B": 1.0}], 1), ([{"A": 1.0}, {"B": 0.0}], 0), ([{"A": 1.0}], 0)],
)
def test_categories_that_are_never_false_are_warned_about(cats, n_warnings):
    report = ConversionReport(source="in.jsonl")
    records = [Record(PLACE, text="a", cats=one) for one in cats]
    for doc in make_docs(records, NLP, report):
        report.add(doc)
    assert ["none is ever 0" in what for what in report.warnings] == [True] * n_warnings
