import json

import pyarrow
import pytest
import spacy
from pyarrow.parquet import write_table
from spacy.training import Corpus

from spacy_ner_ext.data.formats.registry import get_reader
from spacy_ner_ext.data.formats.table import read_textcat
from spacy_ner_ext.data.lang import BlankPipeline
from spacy_ner_ext.data.options import ConvertOptions
from spacy_ner_ext.data.report import ConversionReport
from spacy_ner_ext.util.errors import UserError
from tests.helpers.corpora import write_docs


@pytest.fixture(scope="module")
def nlp():
    return BlankPipeline("en")


@pytest.fixture
def read(tmp_path, nlp):
    def read_file(content, name="in.csv", **options):
        path = tmp_path / name
        if not isinstance(content, str):
            content = "\n".join(map(json.dumps, content))
        path.write_text(content, "utf-8", newline="\n")
        report = ConversionReport(source=str(path))
        return list(read_textcat(path, nlp, report=report, **options)), report

    return read_file


def cats(docs):
    return [doc.cats for doc in docs]


def test_every_document_has_all_categories_of_the_file(read):
    docs, report = read('text,label\nGood.,pos\n"Bad,\nbad.",neg\nSo,so\n')
    assert [doc.text for doc in docs] == ["Good.", "Bad,\nbad.", "So"]
    assert cats(docs) == [
        {"neg": 0.0, "pos": 1.0, "so": 0.0},
        {"neg": 1.0, "pos": 0.0, "so": 0.0},
        {"neg": 0.0, "pos": 0.0, "so": 1.0},
    ]
    assert not any(doc.has_annotation("ENT_IOB") for doc in docs)
    assert not any(notes.count for notes in report.notes.values())


def test_the_column_may_be_called_labels(read):
    docs, _ = read(
        [{"text": "a", "labels": ["x", "y"]}, {"text": "b", "labels": "x"}], "a.jsonl"
    )
    assert cats(docs) == [{"x": 1.0, "y": 1.0}, {"x": 1.0, "y": 0.0}]


def test_a_number_for_each_category(read):
    with pytest.raises(UserError, match="0, 1, 0], a number for each category; write"):
        read([{"text": "a", "label": [0, 1, 0]}], "a.jsonl")


def test_columns_chosen(read):
    docs, _ = read(
        "a\tb\tlabel\nx\tY\tz\n", "in.tsv", text_column="a", label_column="b"
    )
    assert [(doc.text, doc.cats) for doc in docs] == [("x", {"Y": 1.0})]


LABELS = {
    "string": ("A", {"A"}),
    "number": (7, {"7"}),
    "several": (["A", 2], {"A", "2"}),
    "none": ([], set()),
    "object": ({"A": 1, "B": 0.0, "C": True, "D": None}, {"A", "C"}),
}


@pytest.mark.parametrize("case", LABELS)
def test_labels(read, case):
    label, expected = LABELS[case]
    rows = [{"text": "a", "label": label}, {"text": "b", "label": "Z"}]
    docs, _ = read(rows, "in.jsonl")
    assert {name for name, value in docs[0].cats.items() if value} == expected
    assert docs[0].cats.keys() == docs[1].cats.keys()


def test_column_cats_stands_for_a_missing_label(read):
    rows = [{"text": "a", "cats": {"A": 1.0, "B": 0.0}}]
    assert cats(read(rows, "in.json", exclusive=True)[0]) == [{"A": 1.0, "B": 0.0}]
    rows = [{"text": "a", "cats": {"A": 1.0}, "label": "C"}]
    assert cats(read(rows, "in.json")[0]) == [{"C": 1.0}]


def test_answers(read):
    rows = [
        {"text": "a", "label": "A", "answer": answer}
        for answer in ("reject", "ignore", "accept")
    ]
    rows[2]["text"] = "b"
    docs, report = read(rows, "in.jsonl")
    assert cats(docs) == [{"A": 0.0}, {"A": 1.0}]
    assert report.notes["rejected"].count == 1


def test_other_columns_do_not_count(read):
    docs, _ = read("text,label,start,end\na,A,2020-01-01,2021-01-01\n")
    assert cats(docs) == [{"A": 1.0}]


def test_parquet(tmp_path, nlp):
    rows = [
        {"text": "a", "cats": {"A": 1.0, "B": None}, "id": 3},
        {"text": "b", "cats": {"A": None, "B": 1.0}, "id": 4},
    ]
    write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    docs = list(read_textcat(tmp_path / "a.parquet", nlp))
    assert cats(docs) == [{"A": 1.0, "B": 0.0}, {"A": 0.0, "B": 1.0}]
    assert [doc.user_data["id"] for doc in docs] == ["3", "4"]


@pytest.mark.parametrize("name", ["in.csv", "in.jsonl"])
def test_given_categories(read, name):
    rows = [{"text": "a", "label": 1}, {"text": "b", "label": "pos"}]
    content = "text,label\na,1\nb,pos\n" if name == "in.csv" else rows
    docs, _ = read(content, name, categories=["neg", "pos", "so"])
    assert cats(docs) == [{"neg": 0.0, "pos": 1.0, "so": 0.0}] * 2


def test_languages_and_ids(read):
    text = "text,label,lang,id\na,X,en,1\nb,Y,de,2\nc,X,,3\n"
    docs, report = read(text, options=ConvertOptions(lang="en"))
    assert [doc.user_data["id"] for doc in docs] == ["1", "3"]
    assert cats(docs) == [{"X": 1.0, "Y": 0.0}] * 2
    assert report.notes["other_language"].count == 1


def test_empty_texts_are_noted(read):
    docs, report = read("text,label\n,X\nb,X\n")
    assert len(docs) == 1
    assert str(report.notes["empty"].examples[0][0]).endswith("in.csv, line 2")


def test_spacy_trains_on_the_documents(read, tmp_path):
    docs, _ = read("text,label\nGood,pos\nBad,neg\n", exclusive=True)
    write_docs(docs, tmp_path / "x.spacy")
    nlp = spacy.blank("en")
    nlp.add_pipe("textcat")
    examples = list(Corpus(tmp_path / "x.spacy")(nlp))
    nlp.initialize(lambda: examples)
    assert nlp.get_pipe("textcat").labels == ("neg", "pos")
    assert nlp.update(examples)["textcat"] > 0


ERRORS = {
    "no label column": (
        [{"text": "a", "x": 1}],
        {},
        1,
        "label is missing; columns are: text, x",
    ),
    "no text column": (
        [{"label": "a"}],
        {},
        1,
        "column text is missing; columns are: label",
    ),
    "text": ([{"text": 3, "label": "a"}], {}, 1, "'text' is 3, not a string"),
    "no text": ([{"text": None, "label": "a"}], {}, 1, "'text' is null, not a string"),
    "no label": (
        [{"text": "a", "label": None}],
        {},
        1,
        "'label' is empty; give",
    ),
    "empty label": ([{"text": "a", "label": " "}], {}, 1, "'label' is empty; give"),
    "empty name": ([{"text": "a", "label": {"": 1}}], {}, 1, "'label' is empty; give"),
    "bool": ([{"text": "a", "label": True}], {}, 1, "'label' is true, not a string"),
    "float": ([{"text": "a", "label": [1.0]}], {}, 1, "'label' is 1.0, not a string"),
    "share": ([{"text": "a", "cats": {"A": 0.7}}], {}, 1, "'A' is 0.7, neither 0 nor"),
    "truth": (
        [{"text": "a", "cats": {"A": "1"}}],
        {},
        1,
        "'A' is \"1\", neither",
    ),
    "no category": ([{"text": "a", "label": []}], {}, None, "no text has a category"),
    "two of one": (
        [{"text": "a", "label": "A"}, {"text": "b", "label": ["B", "C"]}],
        {"exclusive": True},
        2,
        "must have one category, but has B, C",
    ),
    "none of one": (
        [{"text": "a", "label": "A"}, {"text": "b", "label": {"A": 0}}],
        {"exclusive": True},
        2,
        "must have one category, but has none",
    ),
    "unknown": (
        [{"text": "a", "label": "C"}],
        {"categories": ["A", "B"]},
        1,
        "'label' is \"C\", not one of A, B",
    ),
    "index": (
        [{"text": "a", "label": 2}],
        {"categories": ["A", "B"]},
        1,
        "'label' is \"2\", not one of A, B",
    ),
    "tags": (
        [{"text": "Ida", "label": "B-PER"}, {"text": "ran", "label": "O"}],
        {},
        None,
        "'label' has tags such as B-PER, not categories; read it with --format conll",
    ),
    "same column": (
        [{"text": "a", "label": "A"}],
        {"label_column": "text"},
        None,
        "column 'text' is both text and label",
    ),
    "id": ([{"text": "a", "label": "A", "id": []}], {}, 1, "'id' is [], not a string"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_error_names_file_and_line(read, tmp_path, case):
    rows, options, line, what = ERRORS[case]
    with pytest.raises(UserError) as caught:
        read(rows, "in.jsonl", **options)
    message = str(caught.value)
    assert what in message
    assert "\n" not in message
    place = "" if line is None else f", line {line}"
    assert message.startswith(f"{tmp_path / 'in.jsonl'}{place}: ")


def test_nothing_is_yielded_from_a_file_with_errors(tmp_path, nlp):
    path = tmp_path / "in.csv"
    path.write_text("text,label\na,A\nb,\n")
    with pytest.raises(UserError, match="line 3: 'label' is empty"):
        next(read_textcat(path, nlp))


def test_registered():
    assert get_reader("textcat", ["exclusive", "categories"]) is read_textcat
