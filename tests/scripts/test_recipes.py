"""The corpora of a project: how they are read, and what comes from the hub."""

import json

import pytest
import srsly
from spacy.tokens import DocBin

from scripts.hub import download_split
from scripts.recipes import prepare_corpus, read_recipe
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
    ("entry", "what"),
    [
        ("all.jsonl", "vars.corpora.x must name"),
        ({"dev": "a"}, "must name the file or folder of 'train' in assets/x"),
        ({"train": "a"}, "needs 'dev', a file, or 'split'"),
        ({"train": "a", "dev": "b", "split": [0.5, 0.5]}, "needs 'dev', a file, or"),
        ({"train": "../a", "dev": "b"}, "train = '../a' is no name in assets/x"),
        ({"train": "a", "dev": "/b"}, "dev = '/b' is no name in assets/x"),
        ({"train": "a", "dev": 3}, "dev = 3 is no name in assets/x"),
        ({"train": "a", "split": [0.5, 0.5]}, "needs 'test', a file, or a third"),
        ({"train": "a", "split": [0.8, 0.1, 0.1], "test": "b"}, "needs 'test', a file"),
        ({"train": "a", "dev": "b", "lang": "de"}, "x.lang is no setting of a corpus"),
        ({"train": "a", "dev": "b", "seed": 3}, "x.seed is no setting of a corpus"),
        ({"train": "a", "dev": "b", "report_path": "c"}, "report_path is no setting"),
    ],
)
def test_recipes_that_cannot_be(tmp_path, entry, what):
    data = {"vars": {"corpora": {"x": entry}}}
    srsly.write_yaml(tmp_path / "project.yml", data)
    with pytest.raises(UserError) as error:
        read_recipe(tmp_path, "x")
    assert str(error.value).startswith(f"{tmp_path / 'project.yml'}: vars.corpora.x")
    assert what in str(error.value)


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"fragments": "merge"}, "does not take --fragments"),
        ({"limit": "ten"}, "limit = 'ten' is no whole number"),
        ({"labels": "PER"}, "labels = 'PER' is no list"),
        ({"map": ["PER"]}, "map = ['PER'] does not map names"),
    ],
)
def test_settings_that_cannot_be(project, settings, what):
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
    with pytest.raises(UserError, match="is no name of a corpus"):
        prepare_corpus(project, corpus, project / "corpus")


# --- The hub ----------------------------------------------------------------


@pytest.fixture
def saved(tmp_path):
    """A dataset with names of tags, as `save_to_disk` leaves it."""
    import datasets

    names = datasets.ClassLabel(names=["O", "B-PER", "I-PER"])
    features = datasets.Features(
        tokens=datasets.List(datasets.Value("string")),
        ner_tags=datasets.List(names),
    )
    rows = {"tokens": [["Anna", "ging"], ["ja"]], "ner_tags": [[1, 0], [0]]}
    dataset = datasets.Dataset.from_dict(rows, features=features)
    both = datasets.DatasetDict(train=dataset, validation=dataset)
    both.save_to_disk(tmp_path / "saved")
    return tmp_path / "saved"


def test_a_split_is_written_with_the_names_of_its_tags(saved, tmp_path):
    target = tmp_path / "assets" / "validation.jsonl"
    download_split(str(saved), target)
    assert list(srsly.read_jsonl(target)) == [
        {"tokens": ["Anna", "ging"], "ner_tags": [1, 0]},
        {"tokens": ["ja"], "ner_tags": [0]},
    ]
    names = srsly.read_json(target.parent / "labels.json")
    assert names == ["O", "B-PER", "I-PER"]


def test_a_dataset_that_is_out_of_reach_leaves_nothing(tmp_path):
    target = tmp_path / "new" / "train.jsonl"
    with pytest.raises(UserError) as error:
        download_split("nobody/nothing", target)
    assert str(error.value).startswith("nobody/nothing: ")
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []
