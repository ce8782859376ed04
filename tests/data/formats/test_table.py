import csv
import json

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, Span

from spacy_ner_ext.data.formats.arrow_writers import write_parquet
from spacy_ner_ext.data.formats.table import read_table
from spacy_ner_ext.data.lang import BlankPipeline
from spacy_ner_ext.data.options import ConvertOptions
from spacy_ner_ext.data.report import ConversionReport
from spacy_ner_ext.util.errors import UserError

NLP = BlankPipeline("en")
TEXT = "Ann Lee left Oslo."
SPANS = [
    {"start": 0, "end": 7, "label": "PER"},
    {"start": 13, "end": 17, "label": "LOC"},
]
ENTS = [(0, 2, "PER"), (3, 4, "LOC")]


def read(path, **options):
    report = ConversionReport(source=str(path))
    return list(read_table(path, NLP, report=report, **options)), report


def ents(doc):
    return [(e.start, e.end, e.label_) for e in doc.ents]


def counts(report):
    return {kind: notes.count for kind, notes in report.notes.items() if notes.count}


def parquet(path, rows):
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return path


def delimited(path, rows):
    delimiter = "\t" if path.suffix == ".tsv" else ","
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(rows[0])
        for row in rows:
            values = row.values()
            writer.writerow(v if isinstance(v, str) else json.dumps(v) for v in values)
    return path


FORMS = {
    "objects": SPANS,
    "offsets": [
        {"start_offset": s["start"], "end_offset": s["end"], "label": s["label"]}
        for s in SPANS
    ],
    "strings": [[str(value) for value in span.values()] for span in SPANS],
    "struct of lists": {
        name: [span[name] for span in SPANS] for name in ("start", "end", "label")
    },
    "more values": [{**span, "score": 0.5} for span in SPANS],
}


@pytest.mark.parametrize("suffix", ["parquet", "csv", "tsv"])
@pytest.mark.parametrize("column", ["spans", "entities"])
@pytest.mark.parametrize("form", FORMS)
def test_spans_in_all_forms(tmp_path, suffix, column, form):
    write = parquet if suffix == "parquet" else delimited
    path = write(tmp_path / f"a.{suffix}", [{"text": TEXT, column: FORMS[form]}])
    (doc,), report = read(path)
    assert (doc.text, ents(doc), counts(report)) == (TEXT, ENTS, {})


def test_lists_of_numbers_and_a_label(tmp_path):
    rows = [{"text": TEXT, "spans": [[0, 7, "PER"], [13, 17, "LOC"]]}]
    (doc,), _ = read(delimited(tmp_path / "a.csv", rows))
    assert ents(doc) == ENTS


def test_other_names_of_columns(tmp_path):
    path = parquet(tmp_path / "a.parquet", [{"body": TEXT, "ner": SPANS, "spans": 1}])
    (doc,), _ = read(path, text_column="body", spans_column="ner")
    assert ents(doc) == ENTS


def test_no_spans_is_not_the_same_as_no_entity(tmp_path):
    rows = [{"text": TEXT, "spans": spans} for spans in (SPANS, [], None)]
    docs, _ = read(parquet(tmp_path / "a.parquet", rows))
    assert [doc.has_annotation("ENT_IOB") for doc in docs] == [True, True, False]
    (tmp_path / "a.csv").write_text('text,spans\na,""\nb,[]\nc,null\n')
    docs, _ = read(tmp_path / "a.csv")
    assert [doc.has_annotation("ENT_IOB") for doc in docs] == [False, True, False]


def test_names_languages_and_other_data(tmp_path):
    values = {
        "id": "a/b",
        "document": "a",
        "lang": "de",
        "cats": '{"x": 0.25, "y": 0}',
        "meta": '{"n": [1]}',
    }
    rows = [{"text": TEXT, "spans": SPANS, **values}, {"text": "x", "spans": None}]
    path = parquet(tmp_path / "a.parquet", rows)
    docs, _ = read(path)
    data = {"id": "a/b", "document": "a", "lang": "de", "meta": {"n": [1]}}
    assert docs[0].user_data == data
    assert docs[0].cats == {"x": 0.25, "y": 0.0}
    assert (docs[1].user_data, docs[1].cats) == ({}, {})
    docs, report = read(path, options=ConvertOptions(lang="en"))
    assert [doc.text for doc in docs] == ["x"]
    assert counts(report) == {"other_language": 1}


def test_nested_entities_are_in_the_span_group(tmp_path):
    spans = [*SPANS, {"start": 0, "end": 3, "label": "FIRST"}]
    path = parquet(tmp_path / "a.parquet", [{"text": TEXT, "spans": spans}])
    (doc,), report = read(path, options=ConvertOptions(spans_key="sc"))
    assert ents(doc) == ENTS
    assert [s.label_ for s in doc.spans["sc"]] == ["FIRST", "PER", "LOC"]
    assert counts(report) == {"overlapping": 1}


def test_words_are_the_tokens_if_they_spell_the_text(tmp_path):
    row = {"text": "Ann-Lee left", "spans": [{"start": 4, "end": 7, "label": "PER"}]}
    words = {
        "words": ["Ann", "-", "Lee", "left"],
        "spaces": [False, False, True, False],
    }
    path = parquet(tmp_path / "a.parquet", [{**row, **words}])
    (doc,), _ = read(path)
    assert [token.text for token in doc] == words["words"]
    assert ents(doc) == [(2, 3, "PER")]
    for other in (["Ann", "Lee", "left", "x"], ["Ann", "", "-Lee", "left"]):
        parquet(path, [{**row, **words, "words": other}])
        assert [token.text for token in read(path)[0][0]] == ["Ann", "-", "Lee", "left"]
    parquet(path, [{**row, "words": "Ann-Lee left"}])
    assert len(read(path)[0][0]) == 4


def cell(value):
    return "text,spans\n" + '"a b","{}"\n'.format(value.replace('"', '""'))


MALFORMED = {
    "json": (cell("[{"), "line 2: 'spans' is not a JSON value ("),
    "python": (cell("[(0, 1, f())]"), "'spans' is not a JSON value ("),
    "deep": (cell("[" * 5000 + "]" * 5000), "line 2: the value is nested too deep"),
    "surrogate": (cell('[[0, 1, "\\ud800"]]'), "half of a surrogate pair"),
    "number": (cell("3"), "'spans' is 3, not an array"),
    "numbers": (cell("[0, 1]"), "a span is 0, not an object"),
    "two": (cell("[[0, 1]]"), "span [0, 1] is not a start, an end and a label"),
    "nan": (cell('[[NaN, 1, "A"]]'), "line 2: NaN is not a JSON number"),
    "true": (cell('[[true, 1, "A"]]'), "'start' is true, not a"),
    "float": (cell('[[0, 1.5, "A"]]'), "'end' is 1.5, not a wh"),
    "words": (
        cell('[["a", 1, "A"]]'),
        "'start' is \"a\", not a",
    ),
    "no end": (cell('[{"start": 0}]'), "'end' is missing, found start"),
    "no label": (cell('[{"start": 0, "end": 1}]'), "'label' is missing, found start"),
    "blank label": (cell('[[0, 1, " "]]'), "has no label; add one"),
    "negative": (cell('[[-1, 1, "A"]]'), "A from -1 to 1 is not in the text of 3 char"),
    "outside": (cell('[[0, 4, "A"]]'), "A from 0 to 4 is not in the text of 3 charac"),
    "far": (cell('[["0", "%s", "A"]]' % ("9" * 5000)), "is not in the text of 3 char"),
    "empty span": (cell('[[1, 1, "A"]]'), "A from 1 to 1 is empty"),
    "reverse": (cell('[[2, 1, "A"]]'), "A from 2 to 1 is empty"),
    "unequal": (cell('{"start": [0], "end": []}'), "lists of unequal length"),
    "no lists": (cell('{"start": 0}'), "lists of unequal length"),
    "no text": (
        "a,spans\n1,[]\n",
        'line 2: {"a": "1", "spans": []} is not a record',
    ),
    "no spans": ("text,a\n1,2\n", "line 2: column spans is missing; columns are: text"),
    "fields": ("text,spans\na\n", "line 2: has 1 fields, but the header has 2"),
    "quote": ('text,spans\n"a,b\n', "line 2: the row cannot be read"),
    "no row": ("text,spans\n", "the table has no row"),
    "cats": ("text,spans,cats\na,[],news\n", "line 2: 'cats' is not a JSON value"),
    "meta": ("text,spans,meta\na,[],[1]\n", "line 2: 'meta' is [1], not an object"),
    "empty": ("", "the file is empty"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_error_names_line_and_value(tmp_path, case):
    content, what = MALFORMED[case]
    path = tmp_path / "in.csv"
    path.write_text(content)
    with pytest.raises(UserError) as caught:
        read(path)
    message = str(caught.value)
    assert what in message
    assert "\n" not in message
    assert message.startswith(str(path))


def test_parquet_values_that_do_not_fit(tmp_path):
    path = parquet(tmp_path / "a.parquet", [{"text": TEXT, "spans": SPANS}] * 2)
    for row, what in [
        ({"text": None, "spans": None}, "row 1: .* is not a record of a known shape"),
        ({"text": TEXT, "spans": 1.5}, "row 1: 'spans' is 1.5, not an array"),
        ({"text": TEXT, "spans": [None]}, "row 1: a span is null, not an object"),
    ]:
        parquet(path, [row])
        with pytest.raises(UserError, match=what):
            read(path)
    path.write_bytes(b"PAR1")
    with pytest.raises(UserError, match=r"a\.parquet: cannot be read as Parquet"):
        read(path)


def test_paths_that_are_no_table(tmp_path):
    (tmp_path / "a.txt").write_text("{}")
    for path, what in [
        (tmp_path, "is a folder"),
        (tmp_path / "no.csv", "no such file"),
        (
            tmp_path / "a.txt",
            r"must end in one of \.csv, \.tsv, \.jsonl, \.json, \.ndjson, \.pa",
        ),
    ]:
        with pytest.raises(UserError, match=what):
            read(path)


# Written and read again.


def write(docs, folder, **options):
    report = ConversionReport(source="in.spacy")
    write_parquet(docs, folder, "x", report=report, **options)
    return folder / "x.parquet", report


def test_everything_written_comes_back(tmp_path):
    doc = Doc(
        NLP.vocab,
        words=["Ann", "saw", "Oslo", ".", " ", "Hi"],
        spaces=[True, True, False, True, False, False],
        sent_starts=[True, False, False, False, False, True],
        ents=["B-PER", "O", "B-LOC", "O", "O", "O"],
    )
    doc.cats = {"news": 0.25, "sport": 0.0}
    doc.user_data.update(id="a/b", document="a", lang="en", meta={"year": 2001})
    bare = Doc(NLP.vocab, words=["not", "annotated"])
    path, report = write([doc, bare], tmp_path)
    assert counts(report) == {}
    assert [file.name for file in tmp_path.iterdir()] == ["x.parquet"]
    (found, other), report = read(path)
    assert found.to_json() == doc.to_json()
    assert found.user_data == doc.user_data
    assert other.has_unknown_spaces
    assert not other.has_annotation("ENT_IOB")
    assert not other.has_annotation("SENT_START")
    assert counts(report) == {}


def test_all_spans_of_a_group(tmp_path):
    doc = Doc(NLP.vocab, words=list("abcd"), pos=["X"] * 4)
    group = [(0, 3, "A"), (1, 2, "B"), (1, 2, "C"), (2, 2, "D")]
    doc.spans["sc"] = [Span(doc, *span) for span in group]
    path, report = write([doc, NLP.make_doc("x")], tmp_path, spans_key="sc")
    assert counts(report) == {"dropped": 1, "skipped": 1}
    place, what = report.notes["dropped"].examples[0]
    assert (str(place), what) == ("in.spacy, document 1", "D covers no token")
    assert report.notes["skipped"].examples[0][1] == "parts of speech"
    (found, other), _ = read(path, options=ConvertOptions(spans_key="sc"))
    assert [(s.start, s.end, s.label_) for s in found.spans["sc"]] == group[:3]
    assert "sc" not in other.spans


def test_many_documents_are_written_in_groups_of_rows(tmp_path):
    texts = [f"{number}{' x' * 99}" for number in range(2500)]
    path, _ = write(map(NLP.make_doc, texts), tmp_path)
    assert pyarrow.parquet.ParquetFile(path).num_row_groups == 3
    assert [doc.text for doc in read(path)[0]] == texts


def test_no_documents_make_a_table_without_rows(tmp_path):
    path, _ = write([], tmp_path)
    assert "spans" in pyarrow.parquet.read_schema(path).names
    with pytest.raises(UserError, match="the table has no row"):
        read(path)


WORD = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=4)
LABELS = st.sampled_from(["PER", "LOC", "creative-work", "Übung 1"])


@st.composite
def documents(draw):
    tokens = draw(st.lists(WORD, min_size=1, max_size=8))
    size = len(tokens)
    spaces = draw(st.none() | st.lists(st.booleans(), min_size=size, max_size=size))
    doc = Doc(NLP.vocab, words=tokens, spaces=spaces)
    visible = [i for i, token in enumerate(tokens) if token == token.strip()]
    some = st.sampled_from(visible) if visible else st.nothing()
    found = draw(st.sets(st.tuples(some, some, LABELS))) if visible else set()
    spans = sorted((min(a, b), max(a, b) + 1, label) for a, b, label in found)
    doc.spans["sc"] = [Span(doc, *span) for span in dict.fromkeys(spans)]
    doc.user_data["id"] = draw(WORD)
    return doc


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("roundtrip")


def spans_of(doc):
    return [(s.start_char, s.end_char, s.label_) for s in doc.spans["sc"]]


@settings(deadline=None)
@given(docs=st.lists(documents(), min_size=1, max_size=3))
def test_round_trip(folder, docs):
    path, report = write(docs, folder, spans_key="sc")
    assert counts(report) == {}
    found, _ = read(path, options=ConvertOptions(spans_key="sc"))
    for doc, again in zip(docs, found, strict=True):
        assert [token.text_with_ws for token in again] == [t.text_with_ws for t in doc]
        assert again.has_unknown_spaces == doc.has_unknown_spaces
        assert sorted(spans_of(again)) == sorted(spans_of(doc))
        assert again.user_data == doc.user_data


@st.composite
def rows(draw):
    # Python 3.10 cannot write a null character to a table.
    letters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
    text = draw(st.text(letters, min_size=1))
    visible = [i for i, character in enumerate(text) if character.strip()]
    at = draw(st.sampled_from(visible)) if visible else 0
    return {"text": text, "spans": [[at, at + 1, "A"]] if visible else []}


@settings(deadline=None)
@given(written=st.lists(rows(), min_size=1, max_size=3))
def test_csv_of_any_text(folder, written):
    docs, _ = read(delimited(folder / "a.csv", written))
    for doc, row in zip(docs, written, strict=True):
        assert doc.text == row["text"]
        bounds = [(ent.start_char, ent.end_char) for ent in doc.ents]
        assert len(bounds) == len(row["spans"])
        for (first, stop), (start, end, _) in zip(bounds, row["spans"]):
            assert first <= start < end <= stop
