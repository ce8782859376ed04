import os
import zlib

import pytest
import spacy
import srsly
from spacy.tokens import Doc, DocBin
from spacy.training import Corpus

from spacy_ner_ext.data import output
from spacy_ner_ext.data.formats.registry import READERS, get_reader
from spacy_ner_ext.data.lang import BlankPipeline, blank_vocab
from spacy_ner_ext.data.read import read_docs
from spacy_ner_ext.tools.convert.convert import convert
from spacy_ner_ext.util.errors import UserError
from spacy_ner_ext.util.files import replacing
from tests.helpers.corpora import write_docs

TEXT = "# x y z\nNew\tB-LOC\nYork\tI-LOC\n\nHi\tI-PER\n"

NLP = BlankPipeline("en")


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "in" / "a.conll"
    path.parent.mkdir()
    path.write_text(TEXT, encoding="utf-8")
    return path


def test_written_file_holds_the_documents(source, tmp_path):
    target = tmp_path / "new" / "folder" / "a.spacy"
    report = convert(source, target, docs_of=0)
    (doc,) = read_docs(target, blank_vocab("en"))
    assert [token.text for token in doc] == ["New", "York", "Hi"]
    assert [(e.text, e.label_) for e in doc.ents] == [
        ("New York", "LOC"),
        ("Hi", "PER"),
    ]
    assert [len(sent) for sent in doc.sents] == [2, 1]
    assert doc.has_unknown_spaces
    assert os.listdir(target.parent) == ["a.spacy"]
    assert report.documents == 1


def test_report_as_json(source, tmp_path):
    target, path = tmp_path / "a.spacy", tmp_path / "out" / "r.json"
    convert(source, target, report_path=path)
    report = srsly.read_json(path)
    assert report["source"] == str(source)
    assert report["target"] == str(target)
    assert (report["format"], report["scheme"]) == ("conll", "iob2")
    assert report["entities"] == {"LOC": 1, "PER": 1}
    assert [report[name] for name in ("documents", "sentences", "tokens")] == [2, 2, 3]
    assert report["repaired"] == {
        "count": 1,
        "examples": [
            {"path": str(source), "line": 5, "what": "I-PER starts an entity"}
        ],
    }
    assert report["dropped"] == {"count": 0, "examples": []}
    assert report["warnings"] == []


def test_failure_leaves_the_old_file(source, tmp_path):
    target = tmp_path / "a.spacy"
    convert(source, target)
    before = target.read_bytes()
    source.write_text(TEXT + "bad\tline\n", encoding="utf-8")
    with pytest.raises(UserError, match="line 6"):
        convert(source, target, report_path=tmp_path / "r.json")
    assert target.read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["a.spacy", "in"]


def test_nothing_is_left_of_a_failed_write(tmp_path):
    target = tmp_path / "x.json"
    target.write_text("old", encoding="utf-8")
    with pytest.raises(RuntimeError), replacing(target) as temporary:
        temporary.write_text("half", encoding="utf-8")
        raise RuntimeError
    assert target.read_text(encoding="utf-8") == "old"
    assert os.listdir(tmp_path) == ["x.json"]


def test_disk_errors_become_data_errors(tmp_path):
    target = tmp_path / "x.json"
    what = r"x\.json: cannot be written \(No space left on device\)"
    with pytest.raises(UserError, match=what), replacing(target):
        raise OSError(28, "No space left on device")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("a.json", "must end in .spacy"),
        ("a", "must end in .spacy"),
        ("in", "is a folder"),
        ("in/a.conll/b.spacy", "is a file, not a folder"),
    ],
)
def test_unusable_output(source, tmp_path, name, what):
    with pytest.raises(UserError, match=what):
        convert(source, tmp_path / name)
    assert os.listdir(tmp_path) == ["in"]


def test_unusable_options(source, tmp_path):
    target = tmp_path / "a.spacy"
    for options, what in [
        ({"format": "conllx"}, "unknown format 'conllx'; choose one of conll"),
        ({"text_column": "a"}, "format 'conll' does not take --text-column"),
        ({"lang": "klingon"}, "no language 'klingon'"),
        ({"report_path": tmp_path / "r.txt"}, "must end in .json"),
    ]:
        with pytest.raises(UserError, match=what):
            convert(source, target, **options)
    assert os.listdir(tmp_path) == ["in"]


def test_another_format_is_one_entry(source, tmp_path, monkeypatch):
    def read_lines(path, nlp, *, report, options, upper=False):
        for line in path.read_text(encoding="utf-8").split():
            yield Doc(nlp.vocab, words=[line.upper() if upper else line])

    monkeypatch.setitem(READERS, "lines", read_lines)
    assert get_reader("lines", ["upper"]) is read_lines
    convert(source, tmp_path / "a.spacy", format="lines", upper=True)
    docs = list(read_docs(tmp_path / "a.spacy", blank_vocab("en")))
    assert docs[-1][0].text == "I-PER"


def test_span_groups_and_ids_are_written(tmp_path):
    vocab = blank_vocab("xx")
    doc = Doc(vocab, words=["a", "b"])
    doc.set_ents([doc.char_span(0, 1, label="X", kb_id="Q1")])
    doc.spans["sc"] = [doc[0:2], doc[1:2]]
    write_docs([doc], tmp_path / "a.spacy")
    (read,) = read_docs(tmp_path / "a.spacy", blank_vocab("xx"))
    assert read.ents[0].kb_id_ == "Q1"
    assert len(read.spans["sc"]) == 2


@pytest.mark.parametrize("damage", ["text", "cut", "empty", "msgpack"])
def test_unreadable_spacy_file(tmp_path, damage):
    path = tmp_path / "a.spacy"
    vocab = blank_vocab("en")
    write_docs([Doc(vocab, words=["a"] * 50)], path)
    whole = path.read_bytes()
    path.write_bytes(
        {
            "text": b"not a DocBin",
            "cut": whole[: len(whole) // 2],
            "empty": b"",
            "msgpack": zlib.compress(srsly.msgpack_dumps({"a": 1})),
        }[damage]
    )
    what = "the file is empty" if damage == "empty" else "is not a .spacy file"
    with pytest.raises(UserError, match=what):
        list(read_docs(path, vocab))


def test_file_without_documents(tmp_path):
    path = tmp_path / "a.spacy"
    DocBin().to_disk(path)
    assert list(read_docs(path, blank_vocab("en"))) == []


def corpora(path):
    """The number of documents that spaCy's Corpus reads."""
    return len(list(Corpus(path)(spacy.blank("en"))))


def test_a_large_corpus_becomes_a_folder_with_the_name_of_the_file(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(output, "MAX_DOCS", 4)
    target = tmp_path / "a.spacy"
    source = tmp_path / "a.conll"
    for n_sentences, n_files in ((4, 0), (10, 3), (9, 3), (3, 0)):
        source.write_text("a\tB-X\n\n" * n_sentences, encoding="utf-8")
        report = convert(source, target)
        assert report.folders == ({str(target): n_files} if n_files else {})
        assert target.is_dir() == bool(n_files)
        assert corpora(target) == n_sentences == report.documents
        assert len(list(read_docs(target, blank_vocab("en")))) == n_sentences
        assert sorted(os.listdir(tmp_path)) == ["a.conll", "a.spacy"]


def test_parts_of_a_split_become_folders_too(tmp_path, monkeypatch):
    monkeypatch.setattr(output, "MAX_TOKENS", 10)
    source = tmp_path / "a.conll"
    source.write_text("a\tB-X\n\n" * 40, encoding="utf-8")
    report = convert(source, tmp_path / "out", split=(0.8, 0.2))
    assert report.folders == {str(tmp_path / "out" / "train.spacy"): 4}
    assert (tmp_path / "out" / "dev.spacy").is_file()
    assert corpora(tmp_path / "out" / "train.spacy") == 32


def test_a_folder_with_other_files_is_not_replaced(source, tmp_path):
    target = tmp_path / "a.spacy"
    target.mkdir()
    (target / "notes.txt").touch()
    with pytest.raises(UserError, match=r"contains notes\.txt"):
        convert(source, target)


def test_layers_of_some_documents_are_kept(tmp_path):
    docs = [
        Doc(NLP.vocab, words=["a", "b"], sent_starts=[True, True]),
        Doc(NLP.vocab, words=["a", "b"], heads=[1, 1], deps=["x", "ROOT"]),
        Doc(NLP.vocab, words=["a", "b"], tags=["T", "U"], ents=["B-X", "O"]),
    ]
    output.write_parts([("", doc) for doc in docs], tmp_path / "a.spacy")
    back = list(read_docs(tmp_path / "a.spacy", blank_vocab("en")))
    for doc, found in zip(docs, back, strict=True):
        for attr in ("SENT_START", "DEP", "TAG", "ENT_IOB"):
            assert found.has_annotation(attr) == doc.has_annotation(attr)
        assert [t.is_sent_start for t in found] == [t.is_sent_start for t in doc]
        assert [t.head.i for t in found] == [t.head.i for t in doc]
        assert [t.tag_ for t in found] == [t.tag_ for t in doc]
        assert [(e.text, e.label_) for e in found.ents] == [
            (e.text, e.label_) for e in doc.ents
        ]
