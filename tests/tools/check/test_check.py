import pytest
import spacy
import srsly
from spacy.tokens import Doc, Span
from spacy.training import Corpus

from spacy_ner_ext.data.lang import blank_vocab
from spacy_ner_ext.tools.check.check import check_files
from spacy_ner_ext.util.errors import UserError
from tests.helpers.corpora import write_docs

VOCAB = blank_vocab("en")
GOOD = ("I am Ann", [(2, 3, "PER")])


def make_doc(text, spans=(), spaces=None, sent_starts=None):
    words = text.split(" ") if isinstance(text, str) else text
    doc = Doc(VOCAB, words=words, spaces=spaces, sent_starts=sent_starts)
    if spans is not None:
        doc.set_ents([Span(doc, *span) for span in spans])
    return doc


@pytest.fixture
def check(tmp_path):
    def check_docs(rare=0, **splits):
        paths = {}
        for name, docs in splits.items():
            paths[name] = tmp_path / f"{name}.spacy"
            docs = [doc if isinstance(doc, Doc) else make_doc(*doc) for doc in docs]
            write_docs(docs, paths[name])
        return check_files(paths, rare=rare)

    return check_docs


def found(report, severity):
    return [(finding.split, finding.what) for finding in report.of(severity)]


def test_counts(check):
    docs = [
        ("Ann met Bob Ray", [(0, 1, "PER"), (2, 4, "PER")], None, [1, -1, -1, -1]),
        ("No one . At all", [], None, [1, -1, -1, 1, -1]),
        ("Rome", [(0, 1, "LOC")]),
    ]
    report = check(train=docs, dev=[("Ann in Rome", [(0, 1, "PER"), (2, 3, "LOC")])])
    train, dev = report.splits
    assert report.findings == []
    assert (train.docs, train.sentences, train.tokens) == (3, 4, 10)
    assert (train.docs_without_entities, train.docs_unannotated) == (1, 0)
    assert train.labels == {"PER": 2, "LOC": 1}
    assert train.lengths == {1: 2, 2: 1}
    assert (train.entities, dev.entities) == (3, 2)
    assert train.docs_with_text == 0


@pytest.mark.parametrize(
    ("words", "span"),
    [
        (["I", " ", "Ann"], (1, 3)),
        (["Ann", "\u00a0", "I"], (0, 2)),
        (["I", "\n", "Ann"], (1, 2)),
    ],
)
def test_white_space_ends_are_errors(check, words, span):
    docs = [make_doc(words, [(*span, "PER")]), GOOD]
    report = check(train=docs, dev=[("Bob", [(0, 1, "PER")])])
    ((split, what),) = found(report, "error")
    assert split == "train"
    assert what.endswith("trims: 1")
    assert report.splits[0].white_space.examples[0].startswith("document 1: PER '")


def test_white_space_inside_an_entity_is_fine(check):
    docs = [make_doc(["Ann", " ", "Ray"], [(0, 3, "PER")])]
    assert check(train=docs, dev=[GOOD]).findings == []


def test_splits_without_tokens_or_entities(check):
    none = [("I am here", [])]
    assert found(check(train=none, dev=[GOOD]), "error") == [
        ("train", "train has no entities")
    ]
    assert found(check(train=[GOOD], dev=none), "error") == [
        ("dev", "dev has no entities")
    ]
    for empty in ([], [make_doc([])]):
        assert found(check(train=[GOOD], dev=empty), "error") == [
            ("dev", "dev is empty, it has no tokens")
        ]
    dev = [("Bob", [(0, 1, "PER")])]
    report = check(train=[GOOD], dev=dev, test=none)
    assert report.of("error") == []
    assert found(report, "warning") == [("test", "test has no entities")]


def test_labels_of_one_split_only(check):
    report = check(
        train=[("Ann in Rome", [(0, 1, "PER"), (2, 3, "LOC")])],
        dev=[GOOD],
        test=[("Bob at Acme", [(0, 1, "PER"), (2, 3, "ORG")])],
    )
    assert report.of("error") == []
    assert found(report, "warning") == [
        ("dev", "labels in train that are not in dev: LOC"),
        ("test", "labels in train that are not in test: LOC"),
        ("test", "labels in test that are not in train: ORG"),
    ]


def test_repeated_texts_inside_a_split(check):
    docs = [GOOD, GOOD, ("I am Ann", []), ("He", []), ("He", []), ("I am Ann!", [])]
    report = check(train=docs, dev=[("Bob", [(0, 1, "PER")])])
    train = report.splits[0]
    assert train.repeated.examples == ["document 2: 'I am Ann '", "document 5: 'He '"]
    assert train.conflicting.examples == ["document 3: 'I am Ann '"]
    assert found(report, "warning") == [
        ("train", "documents in train that repeat an earlier one: 2"),
        (
            "train",
            "documents in train with the text of an earlier one and other entities: 1",
        ),
    ]


def test_repeated_texts_across_splits(check):
    dev = [GOOD, ("He", [(0, 1, "PER")]), ("Bob", [(0, 1, "PER")])]
    report = check(train=[GOOD, ("He", [])], dev=dev, test=[("Bob", [(0, 1, "PER")])])
    assert [(f.split, f.what, f.examples) for f in report.of("warning")] == [
        (
            "dev",
            "texts in dev that are also in train, with the same entities: 1",
            ["'I am Ann '"],
        ),
        (
            "dev",
            "texts in dev that are also in train, with other entities: 1",
            ["'He '"],
        ),
        (
            "test",
            "texts in test that are also in dev, with the same entities: 1",
            ["'Bob '"],
        ),
    ]


def test_misaligned_only_where_the_text_is_known(check):
    words, spans = ["Ann-Bo", "l", "ives", "."], [(0, 1, "PER"), (2, 3, "X")]
    known = make_doc(words, spans, spaces=[False, True, False, False])
    dev = [make_doc("Bob lives .", [(0, 1, "PER"), (1, 2, "X")])]
    report = check(train=[known], dev=dev)
    train = report.splits[0]
    assert train.docs_with_text == 1
    assert train.misaligned.examples == ["document 1: PER 'Ann-Bo'"]
    assert report.of("error") == []
    assert [what[-3:] for _, what in found(report, "warning")] == [": 1"]
    unknown = make_doc(words, spans)
    assert check(train=[unknown], dev=dev).findings == []


def test_documents_without_annotation(check):
    report = check(train=[GOOD, ("No idea", None)], dev=[("Bob", [(0, 1, "PER")])])
    train = report.splits[0]
    assert (train.docs_unannotated, train.docs_without_entities) == (1, 0)
    ((_, what),) = found(report, "warning")
    assert what.startswith("documents in train without annotation")


def test_errors_come_first_and_json_is_plain(check, tmp_path):
    report = check(train=[GOOD, GOOD], dev=[("He", [])])
    assert [finding.severity for finding in report.findings] == ["error", "warning"]
    srsly.write_json(tmp_path / "c.json", report.to_dict())
    data = srsly.read_json(tmp_path / "c.json")
    train, dev = data["splits"]
    assert train["labels"] == {"PER": 2}
    assert train["lengths"] == {"1": 2}
    assert train["repeated"] == {"count": 1, "examples": ["document 2: 'I am Ann '"]}
    assert (train["entities"], dev["entities"]) == (2, 0)
    assert data["findings"][0]["what"] == "dev has no entities"


def test_unknown_language(check, tmp_path):
    with pytest.raises(UserError, match="no language 'klingon'"):
        check_files({"train": tmp_path / "a.spacy"}, lang="klingon")


def test_rare_labels_are_noted(check):
    docs = [("Ann met Bob in Rome", [(0, 1, "PER"), (2, 3, "PER"), (4, 5, "LOC")])]
    dev = [("Eve in Oslo", [(0, 1, "PER"), (2, 3, "LOC")])]
    report = check(train=docs, dev=dev, rare=2)
    assert report.rare_labels == {"LOC": 1}
    assert report.of("error") == report.of("warning") == []
    assert found(report, "note") == [
        ("train", "labels with fewer than 2 entities in train: LOC (1)")
    ]
    assert report.to_dict()["rare"] == {"fewer_than": 2, "labels": {"LOC": 1}}
    report = check(train=docs, dev=dev, rare=3)
    assert list(report.rare_labels) == ["LOC", "PER"]


def test_a_folder_of_shards_is_read_as_spacy_reads_it(tmp_path):
    folder = tmp_path / "train"
    shards = {
        "b.spacy": "Bob",
        "a/2.spacy": "Ann",
        ".hidden.spacy": "No",
        "x.txt": "No",
    }
    for name, word in shards.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.spacy"
        write_docs([make_doc(word, [(0, 1, "PER")])] * 2, path)
        path.rename(folder / name)
    dev = tmp_path / "dev.spacy"
    write_docs([make_doc("I", [(0, 1, "PER")])], dev)
    report = check_files({"train": folder, "dev": dev}, rare=0)
    train = report.splits[0]
    assert (train.path, train.docs, train.labels) == (str(folder), 4, {"PER": 4})
    assert train.repeated.examples == [
        "a/2.spacy, document 2: 'Ann '",
        "b.spacy, document 2: 'Bob '",
    ]
    corpus = Corpus(folder)
    assert sum(1 for _ in corpus(spacy.blank("en"))) == train.docs


def test_a_folder_without_spacy_files(tmp_path):
    with pytest.raises(UserError, match=r"train: no file .* ends in \.spacy"):
        (tmp_path / "train").mkdir()
        check_files({"train": tmp_path / "train"})


def test_a_damaged_shard_is_named(tmp_path):
    (tmp_path / "00.spacy").write_bytes(b"x")
    with pytest.raises(UserError, match=r"00\.spacy: is not a \.spacy file"):
        check_files({"train": tmp_path})


def seen(counts):
    return list(counts.values())


def test_seen_and_unseen_entities(check):
    train = [("Ann in Rome", [(0, 1, "PER"), (2, 3, "LOC")])]
    dev = [
        ("Ann , Ann and Bob", [(0, 1, "PER"), (2, 3, "PER"), (4, 5, "PER")]),
        ("Rome and Oslo", [(0, 1, "ORG"), (2, 3, "LOC")]),
    ]
    report = check(train=train, dev=dev, test=[("x", [])])
    of_dev, of_test = report.seen
    assert (of_dev.split, of_test.split) == ("dev", "test")
    assert seen(of_dev.all) == [5, 3, 2, 4, 2, 1]
    assert {label: seen(n) for label, n in of_dev.labels.items()} == {
        "PER": [3, 2, 2, 2, 1, 1],
        "LOC": [1, 0, 0, 1, 0, 0],
        "ORG": [1, 1, 0, 1, 1, 0],
    }
    assert seen(of_test.all) == [0] * 6
    assert report.to_dict()["seen"][0]["all"]["form_and_label"] == 2


def test_white_space_and_case_of_seen_entities(check):
    train = [make_doc(["New", " ", "York", "rome"], [(0, 3, "LOC"), (3, 4, "LOC")])]
    dev = [make_doc(["New York", "Rome"], [(0, 1, "LOC"), (1, 2, "LOC")])]
    (of_dev,) = check(train=train, dev=dev).seen
    assert seen(of_dev.labels["LOC"]) == [2, 1, 1, 2, 1, 1]


def with_cats(text, **cats):
    doc = make_doc(text, None)
    doc.cats = {name: float(value) for name, value in cats.items()}
    return doc


def test_categories_stand_for_entities(check):
    train = [with_cats("a b", A=1, B=0), with_cats("c d", A=0, B=1)]
    dev = [with_cats("e f", A=1, B=0), with_cats("a b", A=0, B=1)]
    report = check(train=train, dev=dev)
    assert [split.cats for split in report.splits] == [{"A": 1, "B": 1}] * 2
    assert [split.docs_with_cats for split in report.splits] == [2, 2]
    assert [split.docs_unannotated for split in report.splits] == [0, 0]
    assert found(report, "error") == []
    what = "texts in dev that are also in train, with other entities: 1"
    assert found(report, "warning") == [("dev", what)]
    report = check(train=train, dev=dev[:1])
    what = "categories in train that are not in dev: B"
    assert found(report, "warning") == [("dev", what)]
