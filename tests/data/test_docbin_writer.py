"""Files that are written document by document, against spaCy's DocBin."""

import zlib

import pytest
import srsly
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Corpus

from spacy_ner_ext.data import docbin
from spacy_ner_ext.data.docbin import ATTRS, DocBinWriter
from spacy_ner_ext.data.errors import DataError
from spacy_ner_ext.data.lang import BlankPipeline, blank_vocab
from spacy_ner_ext.data.output import check_target, write_parts
from spacy_ner_ext.data.write import write_docs

NLP = BlankPipeline("en")


def make_docs(n):
    for i in range(n):
        doc = NLP.make_doc(f"Anna lives in Oslo, at number {i}.")
        doc.set_ents([Span(doc, 3, 4, label="LOC")])
        doc.spans["sc"] = [Span(doc, 0, 1, label="PER", kb_id=f"Q{i}")]
        doc.cats = {"A": float(i % 2)}
        if i % 3:
            doc.user_data["id"] = f"d/{i}"
        yield doc


@pytest.mark.parametrize("n", [0, 1, 15, 16, 1203])
def test_the_content_is_that_of_a_docbin(tmp_path, n):
    write_docs(make_docs(n), tmp_path / "a.spacy")
    docs = list(make_docs(n))
    expected = DocBin(ATTRS, store_user_data=True, docs=docs)
    for i, doc in enumerate(docs):
        if not doc.user_data:
            expected.user_data[i] = None
    content = zlib.decompress((tmp_path / "a.spacy").read_bytes())
    assert srsly.msgpack_loads(content) == srsly.msgpack_loads(
        zlib.decompress(expected.to_bytes())
    )
    read = list(DocBin().from_disk(tmp_path / "a.spacy").get_docs(blank_vocab("en")))
    assert [doc.text for doc in read] == [doc.text for doc in docs]
    assert [doc.user_data.get("id") for doc in read] == [
        doc.user_data.get("id") for doc in docs
    ]


def test_the_same_documents_give_the_same_bytes(tmp_path):
    for name in ("a.spacy", "b.spacy"):
        write_docs(make_docs(700), tmp_path / name)
    assert (tmp_path / "a.spacy").read_bytes() == (tmp_path / "b.spacy").read_bytes()


def test_tags_and_parses_are_kept_where_there_are_any(tmp_path):
    words, tags = ["a", "b", "c"], ["X", "Y", "Z"]
    parsed = Doc(NLP.vocab, words=words, tags=tags, heads=[1, 1, 1], deps=["d"] * 3)
    write_docs([parsed], tmp_path / "a.spacy")
    (read,) = DocBin().from_disk(tmp_path / "a.spacy").get_docs(blank_vocab("en"))
    assert [token.tag_ for token in read] == tags
    assert [token.head.i for token in read] == [1, 1, 1]
    starts = Doc(NLP.vocab, words=words, sent_starts=[True, False, True])
    write_docs([starts], tmp_path / "b.spacy")
    (read,) = DocBin().from_disk(tmp_path / "b.spacy").get_docs(blank_vocab("en"))
    assert [token.is_sent_start for token in read] == [True, False, True]


def test_annotation_may_come_late(tmp_path, monkeypatch):
    monkeypatch.setattr(docbin, "CHUNK", 2)
    docs = [Doc(NLP.vocab, words=["a", "b"]) for _ in range(5)]
    tagged = Doc(NLP.vocab, words=["a"], tags=["X"])
    parsed = Doc(NLP.vocab, words=["a", "b"], heads=[1, 1], deps=["y", "ROOT"])
    docs[0].set_ents([Span(docs[0], 0, 1, "PER")])
    docs += [tagged, docs[0], parsed]
    write_docs(docs, tmp_path / "a.spacy")
    found = list(DocBin().from_disk(tmp_path / "a.spacy").get_docs(blank_vocab("en")))
    expected = DocBin(docs=docs).to_bytes()
    theirs = list(DocBin().from_bytes(expected).get_docs(blank_vocab("en")))
    assert [doc.to_json() for doc in found] == [doc.to_json() for doc in theirs]
    assert [path.name for path in tmp_path.iterdir()] == ["a.spacy"]


def test_too_much_for_one_file_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(docbin, "MAX_BYTES", 100)
    with pytest.raises(
        DataError, match=r"a\.spacy: 40 documents are too many .* --shard-size"
    ):
        write_docs(make_docs(40), tmp_path / "a.spacy")
    assert list(tmp_path.iterdir()) == []


def test_shards_are_one_corpus(tmp_path):
    pairs = (("", doc) for doc in make_docs(25))
    write_parts(pairs, tmp_path / "shards", shard_size=10)
    names = sorted(path.name for path in (tmp_path / "shards").iterdir())
    assert names == ["00000.spacy", "00001.spacy", "00002.spacy"]
    read = Corpus(tmp_path / "shards")(NLP)
    assert [eg.reference.text for eg in read] == [doc.text for doc in make_docs(25)]
    write_parts((("", doc) for doc in make_docs(5)), tmp_path / "shards", (), 10)
    assert [path.name for path in (tmp_path / "shards").iterdir()] == ["00000.spacy"]


def test_parts_are_written_all_or_none(tmp_path):
    def failing():
        yield "train", next(make_docs(1))
        yield "dev", next(make_docs(1))
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_parts(failing(), tmp_path / "new" / "corpus", ("train", "dev"))
    assert list(tmp_path.iterdir()) == []
    docs = zip(("dev", "train"), make_docs(2))
    write_parts(docs, tmp_path / "corpus", ("train", "dev"))
    assert sorted(path.name for path in (tmp_path / "corpus").iterdir()) == [
        "dev.spacy",
        "train.spacy",
    ]


@pytest.mark.parametrize(
    ("name", "parts", "size", "what"),
    [
        ("a.spacy", (), 10, "--shard-size writes a folder"),
        ("a.spacy", ("train", "dev"), 0, "--split writes a folder"),
        ("a.spacy", (), -1, "must be 1 or more, not -1"),
        ("file", (), 10, "is a file, and a folder shall be written"),
        ("other", (), 10, "holds notes.txt"),
        ("parts", (), 10, "holds train.spacy"),
        ("in", (), 10, "is input and output"),
    ],
)
def test_outputs_that_cannot_be(tmp_path, name, parts, size, what):
    (tmp_path / "file").touch()
    for folder in ("in", "other"):
        (tmp_path / folder).mkdir()
    (tmp_path / "other" / "notes.txt").touch()
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "train.spacy").touch()
    with pytest.raises(DataError, match=what):
        check_target(tmp_path / name, tmp_path / "in", parts, size)


def test_a_closed_writer_leaves_no_temporary_file(tmp_path):
    with DocBinWriter(tmp_path / "a.spacy") as writer:
        for doc in make_docs(3):
            writer.add(doc)
    assert writer.n_docs == 3
    assert [path.name for path in tmp_path.iterdir()] == ["a.spacy"]
