"""The command `card`, and the card in the wheel of `spacy package`."""

import os
import subprocess
import sys
import zipfile

import pytest
from huggingface_hub import ModelCard
from spacy.tokens import DocBin

from tests.helpers.pipelines import fitted


@pytest.fixture
def model(tmp_path):
    fitted("flat_biluo").to_disk(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def corpus(tmp_path):
    nlp = fitted("flat_biluo")
    docs = [nlp("Anna Berg lives in New York .")]
    DocBin(docs=docs).to_disk(tmp_path / "train.spacy")
    return tmp_path / "train.spacy"


def check_error(result, *parts):
    code, out, err = result
    assert (code, out) == (1, "")
    assert err.startswith("Error: ") and err.count("\n") == 1
    for part in parts:
        assert part in err


@pytest.mark.slow
def test_the_card_is_in_the_wheel(run, model, corpus, tmp_path):
    """Needs a package index with setuptools. `spacy huggingface-hub push` reads the
    same: five parts in the name of the wheel, meta.json and README.md."""
    named = ("--name", "tiny", "--license", "mit")
    done = run("card", "model", "--train", "train.spacy", "--test", corpus, *named)
    assert done.returncode == 0, done.stderr
    card = (model / "README.md").read_text()
    command = [sys.executable, "-m", "spacy", "package", model, tmp_path]
    packed = subprocess.run([*command, *named[:2], "--build", "wheel"])
    assert packed.returncode == 0
    (wheel,) = tmp_path.rglob("*.whl")
    assert len(wheel.stem.split("-")) == 5
    inside = "xx_tiny/xx_tiny-0.0.0"
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read(f"{inside}/README.md").decode() == card
        assert f"{inside}/meta.json" in archive.namelist()
        assert "xx_tiny/meta.json" in archive.namelist()
        metadata = archive.read("xx_tiny-0.0.0.dist-info/METADATA").decode()
    assert "# xx_tiny" in metadata
    assert ModelCard(card).data.model_name == "xx_tiny"


def test_another_file(call, model, tmp_path):
    code, out, _ = call("card", "model", "--output", "cards/a.md")
    assert code == 0 and "Wrote cards/a.md" in out
    assert os.listdir(tmp_path / "cards") == ["a.md"]
    assert not (model / "README.md").exists()


def test_a_readme_of_someone_else_needs_overwrite(call, model):
    (model / "README.md").write_text("Mine.")
    check_error(call("card", "model"), "model/README.md exists", "--overwrite")
    assert (model / "README.md").read_text() == "Mine."
    assert call("card", "model", "--overwrite")[0] == 0
    assert call("card", "model")[0] == 0


def test_a_missing_or_damaged_input_is_an_error(call, model):
    check_error(call("card", "none"), "none is not a pipeline", "meta.json")
    check_error(call("card", "model", "--dev", "none.spacy"), "--dev none.spacy")
    (model.parent / "bad.spacy").write_text("text")
    check_error(call("card", "model", "--train", "bad.spacy"), "bad.spacy")
    assert not (model / "README.md").exists()


def test_help_shows_an_example(call):
    code, out, _ = call("card", "--help")
    assert code == 0 and "python -m spacy_ner_ext card training/model-best" in out
