import zlib

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Corpus

from spacy_ner_ext.data.formats.docbin import read_docbin
from spacy_ner_ext.data.lang import BlankPipeline
from spacy_ner_ext.data.options import ConvertOptions
from spacy_ner_ext.data.report import ConversionReport
from spacy_ner_ext.util.errors import UserError
from tests.helpers.corpora import write_docs

NLP = BlankPipeline("en")


def make(text="Ann saw Oslo", **user_data):
    doc = NLP.make_doc(text)
    doc.user_data.update(user_data)
    return doc


def read(path, **options):
    report = ConversionReport(source=str(path))
    return list(read_docbin(path, NLP, report=report, **options)), report


def texts(docs):
    return [doc.text for doc in docs]


def counts(report):
    return {kind: notes.count for kind, notes in report.notes.items() if notes.count}


def test_everything_of_a_document_stays(tmp_path):
    doc = Doc(
        NLP.vocab,
        words=["Ann", "saw", "Oslo"],
        spaces=[True, False, False],
        tags=["NNP", "VBD", "NNP"],
        lemmas=["Ann", "see", "Oslo"],
        heads=[1, 1, 1],
        deps=["nsubj", "ROOT", "dobj"],
        ents=["B-PER", "O", "B-LOC"],
    )
    doc.cats = {"news": 1.0}
    doc.spans["sc"] = [Span(doc, 0, 3, "CLAUSE"), Span(doc, 0, 1, "PER")]
    doc.user_data.update(id="a/b", meta={"source": "x"})
    write_docs([doc], tmp_path / "a.spacy")
    (found,), report = read(tmp_path / "a.spacy")
    assert found.to_json() == doc.to_json()
    assert found.user_data["meta"] == {"source": "x"}
    assert [s.label_ for s in found.spans["sc"]] == ["CLAUSE", "PER"]
    assert counts(report) == {}


def test_tokens_without_annotation_stay_without(tmp_path):
    doc = make()
    doc.set_ents([Span(doc, 0, 1, "PER")], missing=[doc[1:2]], default="outside")
    write_docs([doc, make()], tmp_path / "a.spacy")
    docs, _ = read(tmp_path / "a.spacy")
    assert [token.ent_iob_ for token in docs[0]] == ["B", "", "O"]
    assert not docs[1].has_annotation("ENT_IOB")


def test_file_of_spacy_without_user_data(tmp_path):
    DocBin(docs=[make("Hi"), make("Ho", id="1")]).to_disk(tmp_path / "a.spacy")
    docs, _ = read(tmp_path / "a.spacy")
    assert texts(docs) == ["Hi", "Ho"]
    assert [doc.user_data for doc in docs] == [{}, {}]


def test_folder_is_read_in_the_order_of_spacy(tmp_path):
    names = ["b.spacy", "a/10.spacy", "a/9.spacy", "a.spacy", ".hidden/x.spacy", "x"]
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        write_docs([make(f"{name} 1"), make(f"{name} 2")], path)
    docs, _ = read(tmp_path)
    corpus = [eg.reference for eg in Corpus(tmp_path)(spacy.blank("en"))]
    assert texts(docs) == texts(corpus)
    assert len(docs) == 8


def test_other_languages_are_left_out(tmp_path):
    docs = [make("a", lang="en"), make("b", lang="de"), make("c")]
    write_docs(docs, tmp_path / "a.spacy")
    found, report = read(
        tmp_path / "a.spacy",
        options=ConvertOptions(lang="en,nl"),
    )
    assert texts(found) == ["a", "c"]
    ((place, what),) = report.notes["other_language"].examples
    assert (str(place), what) == (f"{tmp_path / 'a.spacy'}, document 2", "language de")
    assert texts(read(tmp_path / "a.spacy")[0]) == ["a", "b", "c"]


def test_documents_without_a_token_are_left_out(tmp_path):
    write_docs([make("a"), make("")], tmp_path / "a.spacy")
    docs, report = read(tmp_path / "a.spacy")
    assert texts(docs) == ["a"]
    assert str(report.notes["empty"].examples[0][0]).endswith("a.spacy, document 2")


def test_span_group_of_the_entities_where_there_is_none(tmp_path):
    docs = [make(), make()]
    for doc in docs:
        doc.ents = [Span(doc, 0, 1, "PER")]
    docs[1].spans["sc"] = [Span(docs[1], 0, 3, "CLAUSE")]
    write_docs(docs, tmp_path / "a.spacy")
    found, _ = read(tmp_path / "a.spacy", options=ConvertOptions(spans_key="sc"))
    assert [[s.label_ for s in doc.spans["sc"]] for doc in found] == [
        ["PER"],
        ["CLAUSE"],
    ]
    assert "sc" not in read(tmp_path / "a.spacy")[0][0].spans


BROKEN = {
    "text": b"Ann B-PER\n",
    "nothing": b"",
    "compressed text": zlib.compress(b"Ann"),
    "compressed list": zlib.compress(b"\x90"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_damaged_file(tmp_path, case):
    write_docs([make()], tmp_path / "a.spacy")
    (tmp_path / "b.spacy").write_bytes(BROKEN[case])
    with pytest.raises(UserError) as caught:
        read(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / 'b.spacy'}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_cut_file(tmp_path, share):
    path = tmp_path / "a.spacy"
    write_docs([make(f"number {i}") for i in range(50)], path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(UserError, match=r"a\.spacy: .* is damaged"):
        read(path)


def test_missing_file_and_folder_without_files(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        read(tmp_path / "no.spacy")
    with pytest.raises(UserError, match=r"no file in this folder ends in \.spacy"):
        read(tmp_path)


WORDS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("roundtrip") / "a.spacy"


@settings(deadline=None)
@given(corpus=st.lists(WORDS.filter(bool), min_size=1, max_size=3))
def test_round_trip(path, corpus):
    docs = [Doc(NLP.vocab, words=words, user_data={"id": words[0]}) for words in corpus]
    write_docs(docs, path)
    found, _ = read(path)
    assert [[token.text for token in doc] for doc in found] == corpus
    assert [doc.user_data["id"] for doc in found] == [words[0] for words in corpus]


def test_labels_of_documents_are_renamed_and_chosen(tmp_path):
    doc = Doc(NLP.vocab, words=list("abcd"))
    spans = [Span(doc, 0, 1, "GPE", kb_id="Q1"), Span(doc, 1, 2, "FAC")]
    doc.set_ents(spans, missing=[doc[2:3]])
    doc.spans["sc"] = [Span(doc, 0, 3, "FAC"), Span(doc, 0, 1, "GPE")]
    DocBin(docs=[doc]).to_disk(tmp_path / "a.spacy")
    chosen = ConvertOptions(map={"GPE": "LOC"}, labels=("LOC", "ORG"))
    (found,), report = read(tmp_path / "a.spacy", options=chosen)
    assert [(e.text, e.label_, e.kb_id_) for e in found.ents] == [("a", "LOC", "Q1")]
    assert [span.label_ for span in found.spans["sc"]] == ["LOC"]
    assert [token.ent_iob_ for token in found] == ["B", "O", "", "O"]
    assert report.notes["deselected"].count == 2
    (warning,) = report.more_warnings
    assert warning.endswith("a.spacy: no entity has the label ORG")
