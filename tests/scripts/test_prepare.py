"""Convert the corpora of a project."""

import json

import pytest
import srsly
from spacy.tokens import DocBin

from scripts.prepare import prepare_corpus
from spacy_ner_ext.data.lang import blank_vocab
from spacy_ner_ext.util.errors import UserError

TEXTS = [f"Anna saw Oslo {i} times" for i in range(20)]


@pytest.fixture
def project(tmp_path):
    """A project with a corpus of each kind of recipe."""
    corpora = {
        "brat": {"train": "train", "dev": "devel", "labels": ["LOC"]},
        "mine": {"train": "all.jsonl", "split": [0.8, 0.1, 0.1], "stratify": True},
        "issues": {
            "format": "textcat",
            "train": "a.csv",
            "split": [0.5, 0.5],
            "test": "b.csv",
        },
        "rows": {"format": "datasets", "train": "train.jsonl", "dev": "dev.jsonl"},
    }
    srsly.write_yaml(tmp_path / "project.yml", {"vars": {"corpora": corpora}})
    assets = tmp_path / "assets"
    for name in ("brat/train", "brat/devel", "mine", "issues", "rows", "plain"):
        (assets / name).mkdir(parents=True)
    for part in ("train", "devel"):
        (assets / "brat" / part / "1.txt").write_text(TEXTS[0], encoding="utf8")
        marks = "T1\tPER 0 4\tAnna\nT2\tLOC 9 13\tOslo\n"
        (assets / "brat" / part / "1.ann").write_text(marks, encoding="utf8")
    spans = [
        {"start": 0, "end": 4, "label": "PER"},
        {"start": 9, "end": 13, "label": "LOC"},
    ]
    lines = [json.dumps({"text": text, "spans": spans}) for text in TEXTS]
    (assets / "mine" / "all.jsonl").write_text("\n".join(lines), encoding="utf8")
    rows = [f"{text},{'AB'[i % 2]}" for i, text in enumerate(TEXTS)]
    for name in ("a.csv", "b.csv"):
        table = "\n".join(["text,label", *rows])
        (assets / "issues" / name).write_text(table, encoding="utf8")
    row = {"tokens": ["Anna", "ging"], "ner_tags": [1, 0]}
    for name in ("train.jsonl", "dev.jsonl"):
        both = [{**row, "lang": "en"}, {**row, "lang": "de"}, {**row, "lang": "de"}]
        srsly.write_jsonl(assets / "rows" / name, both)
    srsly.write_json(assets / "rows" / "labels.json", ["O", "B-PER", "I-PER"])
    for name in ("train", "dev", "test"):
        (assets / "plain" / f"{name}.conll").write_text("Anna\tB-PER\n")
    return tmp_path


def prepared(project, corpus, **settings):
    target = project / "corpus"
    prepare_corpus(project, corpus, target, **settings)
    vocab = blank_vocab("en")
    return {
        path.stem: list(DocBin().from_disk(path).get_docs(vocab))
        for path in sorted(target.iterdir())
    }


def labels(docs):
    return [ent.label_ for doc in docs for ent in doc.ents]


def test_folders_of_parts(project):
    parts = prepared(project, "brat")
    assert {name: labels(docs) for name, docs in parts.items()} == {
        "train": ["LOC"],
        "dev": ["LOC"],
    }
    assert set(labels(prepared(project, "brat", labels=("PER",))["train"])) == {"PER"}


def test_one_file_is_divided(project):
    parts = prepared(project, "mine")
    sizes = {name: len(docs) for name, docs in parts.items()}
    assert sizes == {"train": 16, "dev": 2, "test": 2}
    found = sorted(doc.text for docs in parts.values() for doc in docs)
    assert found == sorted(TEXTS)
    other = prepared(project, "mine", seed=1)
    assert [doc.text for doc in other["dev"]] != [doc.text for doc in parts["dev"]]


def test_a_training_file_is_divided_and_a_test_file_is_not(project):
    parts = prepared(project, "issues")
    sizes = {name: len(docs) for name, docs in parts.items()}
    assert sizes == {"train": 10, "dev": 10, "test": 20}
    assert parts["test"][1].cats == {"A": 0.0, "B": 1.0}


@pytest.mark.parametrize(("lang", "n"), [("en", 1), ("de", 2), ("xx", 3), ("de,en", 3)])
def test_texts_of_other_languages_are_left_out(project, lang, n):
    assert len(prepared(project, "rows", lang=lang)["train"]) == n


def test_a_corpus_without_a_recipe_has_files_in_columns(project):
    parts = prepared(project, "plain")
    assert sorted(parts) == ["dev", "test", "train"]
    assert all(labels(docs) == ["PER"] for docs in parts.values())


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"fragments": "merge"}, "does not take --fragments"),
        ({"limit": "ten"}, "limit = 'ten' is not a whole number"),
        ({"labels": "PER"}, "labels = 'PER' is not a list"),
        ({"map": ["PER"]}, "map = ['PER'] is not a mapping from old to new labels"),
        ({"lang": "de"}, "vars.corpora.mine.lang is not a setting of a corpus"),
        ({"seed": 3}, "vars.corpora.mine.seed is not a setting of a corpus"),
        ({"report_path": "c"}, "report_path is not a setting of a corpus"),
    ],
)
def test_invalid_settings(project, settings, what):
    entry = {"train": "all.jsonl", "split": [0.8, 0.1, 0.1], **settings}
    data = {"vars": {"corpora": {"mine": entry}}}
    srsly.write_yaml(project / "project.yml", data)
    with pytest.raises(UserError) as error:
        prepare_corpus(project, "mine", project / "corpus")
    assert what in str(error.value)
    assert not (project / "corpus").exists()


def test_all_parts_are_written_or_none(project):
    (project / "corpus").mkdir()
    (project / "corpus" / "train.spacy").write_bytes(b"old")
    (project / "assets" / "plain" / "test.conll").write_text("no tag here\n")
    with pytest.raises(UserError, match=r"test\.conll"):
        prepare_corpus(project, "plain", project / "corpus")
    assert [path.name for path in (project / "corpus").iterdir()] == ["train.spacy"]
    assert (project / "corpus" / "train.spacy").read_bytes() == b"old"


@pytest.mark.parametrize("corpus", ["..", "", "a/b", "/etc"])
def test_a_corpus_is_a_folder_of_assets(project, corpus):
    with pytest.raises(UserError, match="is not the name of a corpus"):
        prepare_corpus(project, corpus, project / "corpus")
