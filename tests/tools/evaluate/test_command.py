"""The command `evaluate` and its errors."""

import json

import pytest
import srsly
from spacy.tokens import Doc, DocBin

from tests.helpers.pipelines import CORPUS, annotate, fitted, words_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with pipelines and corpora."""
    folder = tmp_path_factory.mktemp("evaluate")
    for name in ("flat_biluo", "flat_iob2", "tagger"):
        fitted(name).to_disk(folder / name)
    vocab = fitted("flat_biluo").vocab
    docs = [annotate(Doc(vocab, words=words_of(text)), spans) for text, spans in CORPUS]
    DocBin(docs=docs).to_disk(folder / "test.spacy")
    plain = [Doc(vocab, words=words_of(text)) for text, _ in CORPUS]
    DocBin(docs=plain).to_disk(folder / "plain.spacy")
    DocBin().to_disk(folder / "empty.spacy")
    (folder / "damaged.spacy").write_bytes(b"no corpus")
    (folder / "file").write_text("a file")
    return folder


def test_numbers_and_page_are_written(run, folder, tmp_path):
    done = run(
        *("evaluate", folder / "flat_biluo", folder / "test.spacy"),
        *("--output", "found/here", "--train", folder / "test.spacy"),
        *("--baseline", folder / "flat_iob2", "--resamples", 30, "--seed", 4),
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "exact, micro" in done.stdout and "F of the baseline" in done.stdout
    assert "metrics.json" in done.stdout and "report.html" in done.stdout
    found = srsly.read_json(tmp_path / "found" / "here" / "metrics.json")
    assert found["format"] == 1
    assert found["model"]["path"] == str(folder / "flat_biluo")
    assert found["comparison"]["model"]["path"] == str(folder / "flat_iob2")
    expected = {"resamples": 30, "seed": 4, "train": str(folder / "test.spacy")}
    assert expected.items() <= found["settings"].items()
    assert found["entities"]["groups"]["seen"]
    page = (tmp_path / "found" / "here" / "report.html").read_text(encoding="utf-8")
    assert "</html>" in page
    assert sorted(p.name for p in (tmp_path / "found" / "here").iterdir()) == [
        *("metrics.json", "report.html")
    ]


def test_the_numbers_are_json(call, folder, tmp_path):
    """They have no NaN, which is not JSON."""
    code, _, _ = call(
        *("evaluate", folder / "flat_biluo", folder / "test.spacy"),
        *("--output", "found", "--resamples", 0),
    )
    assert code == 0

    def refuse(name):
        raise AssertionError(name)

    text = (tmp_path / "found" / "metrics.json").read_text(encoding="utf-8")
    json.loads(text, parse_constant=refuse)


WRONG = [
    (("file", "test.spacy"), "is not a pipeline that can be loaded"),
    (("nowhere", "test.spacy"), "is not a pipeline that can be loaded"),
    (("tagger", "test.spacy"), "no component that finds entities"),
    (("flat_biluo", "missing.spacy"), "missing.spacy does not exist"),
    (("flat_biluo", "empty.spacy"), "no document with a token"),
    (("flat_biluo", "plain.spacy"), "has no annotation in ents"),
    (("flat_biluo", "damaged.spacy"), "is not a .spacy file or is damaged"),
    (("flat_biluo", "test.spacy", "--train", "missing.spacy"), "--train"),
    (("flat_biluo", "test.spacy", "--train", "plain.spacy"), "has no entities in ents"),
    (("flat_biluo", "test.spacy", "--target", "sc"), "has no annotation in sc"),
    (("flat_biluo", "test.spacy", "--component", "ner"), "no component 'ner'"),
    (("flat_biluo", "test.spacy", "--confidence", "2"), "between 0 and 1"),
    (("flat_biluo", "test.spacy", "--baseline", "tagger"), "the baseline has no"),
    (("flat_biluo", "test.spacy", "--baseline", "nowhere"), "is not a pipeline"),
    (("flat_biluo", "test.spacy", "--gpu-id", "99"), "--gpu-id 99 cannot be used"),
    (("flat_biluo", "test.spacy", "--output", "file"), "is a file, not a folder"),
]


@pytest.mark.parametrize("arguments,message", WRONG)
def test_wrong_input_is_one_line(call, folder, tmp_path, arguments, message):
    names = {path.name for path in folder.iterdir()} | {"missing.spacy", "nowhere"}
    paths = [folder / each if each in names else each for each in arguments]
    if "--output" not in arguments:
        paths += ["--output", "found"]
    code, out, err = call("evaluate", *paths)
    assert (code, out) == (1, "")
    assert err.startswith("Error: ") and err.count("\n") == 1
    assert message in err
    assert not list(tmp_path.iterdir())


def test_a_report_that_cannot_be_written_is_an_error(call, folder, tmp_path):
    (tmp_path / "found" / "report.html").mkdir(parents=True)
    arguments = (folder / "flat_biluo", folder / "test.spacy", "--output", "found")
    code, _, err = call("evaluate", *arguments)
    assert code == 1 and "is a folder" in err
