"""`vars.corpora` of project.yml."""

import pytest
import srsly

from scripts.corpora import Recipe, read_recipe
from spacy_ner_ext.util.errors import UserError


def test_a_corpus_is_three_files_in_columns_by_default(tmp_path):
    (tmp_path / "project.yml").write_text("title: x\n")
    assert read_recipe(tmp_path, "x") == Recipe()
    assert Recipe().names() == {
        "train": "train.conll",
        "dev": "dev.conll",
        "test": "test.conll",
    }


@pytest.mark.parametrize(
    ("entry", "what"),
    [
        ("all.jsonl", "vars.corpora.x must name"),
        ({"dev": "a"}, "must name the file or folder of 'train' in assets/x"),
        ({"train": "a"}, "needs 'dev', a file, or 'split'"),
        ({"train": "a", "dev": "b", "split": [0.5, 0.5]}, "needs 'dev', a file, or"),
        ({"train": "../a", "dev": "b"}, "train = '../a' is not the name of a file"),
        ({"train": "a", "dev": "/b"}, "dev = '/b' is not the name of a file"),
        ({"train": "a", "dev": 3}, "dev = 3 is not the name of a file"),
        ({"train": "a", "split": [0.5, 0.5]}, "needs 'test', a file, or a third"),
        ({"train": "a", "split": [0.8, 0.1, 0.1], "test": "b"}, "needs 'test', a file"),
    ],
)
def test_invalid_recipes(tmp_path, entry, what):
    data = {"vars": {"corpora": {"x": entry}}}
    srsly.write_yaml(tmp_path / "project.yml", data)
    with pytest.raises(UserError) as error:
        read_recipe(tmp_path, "x")
    assert str(error.value).startswith(f"{tmp_path / 'project.yml'}: vars.corpora.x")
    assert what in str(error.value)
