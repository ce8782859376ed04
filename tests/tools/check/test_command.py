import subprocess
import sys

import pytest
import srsly
from spacy.tokens import Doc, Span

from spacy_ner_ext.data.lang import blank_vocab
from tests.helpers.corpora import write_docs
from tests.helpers.encoders import encoder_folder

VOCAB = blank_vocab("en")


@pytest.fixture
def write(tmp_path):
    def write_split(name, *docs, spaces=None):
        made = []
        for words, spans in docs:
            doc = Doc(VOCAB, words=words, spaces=spaces and [True] * len(words))
            doc.set_ents([Span(doc, *span) for span in spans])
            made.append(doc)
        write_docs(made, tmp_path / f"{name}.spacy")

    return write_split


def test_clean_splits(run, write, tmp_path):
    write("train", (["Ann", "Ray"], [(0, 2, "PER")]), (["Hm"], []))
    write("dev", (["Bob"], [(0, 1, "PER")]))
    done = run(
        *("check", "train.spacy", "dev.spacy", "--rare", "0"),
        *("--output", "out/c.json"),
    )
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.split() for line in done.stdout.splitlines()]
    for row in (
        ["train", "dev"],
        ["documents", "2", "1"],
        ["without", "entities", "1", "0"],
        ["PER", "1", "1"],
        ["of", "length", "1", "0", "1"],
        ["of", "length", "2", "1", "0"],
        ["misaligned", "gold", "tokens", "gold", "tokens"],
    ):
        assert row in rows
    assert "errors: 0, warnings: 0" in done.stdout
    report = srsly.read_json(tmp_path / "out" / "c.json")
    assert [split["name"] for split in report["splits"]] == ["train", "dev"]


def test_errors_exit_1_and_are_explained(run, write):
    write("train", (["Ann", " "], [(0, 2, "PER")]))
    write("dev", (["Bob"], [(0, 1, "PER")]))
    done = run("check", "train.spacy", "dev.spacy")
    assert (done.returncode, done.stderr) == (1, "")
    assert "entities in train that start or end in a white-space" in done.stdout
    assert "document 1: PER" in done.stdout
    assert "errors: 1, warnings: 0" in done.stdout


def test_warnings_exit_0(call, write):
    write("train", (["Ann"], [(0, 1, "PER")]), (["Rome"], [(0, 1, "LOC")]))
    write("dev", (["Ann"], [(0, 1, "PER")]))
    write("test", (["x"], []), spaces=True)
    code, out, err = call("check", "train.spacy", "dev.spacy", "test.spacy")
    assert (code, err) == (0, "")
    assert "labels in train that are not in dev: LOC" in out
    assert "also in train, with the same entities: 1" in " ".join(out.split())
    assert "test has no entities" in out
    assert "errors: 0, warnings: 3" in out


@pytest.mark.parametrize(
    ("dev", "what"),
    [
        ("no.spacy", "no.spacy: "),
        ("bad.spacy", "bad.spacy: is not a .spacy file or is damaged"),
        ("empty", "empty: no file in this folder ends in .spacy"),
    ],
)
def test_unreadable_file(call, write, tmp_path, dev, what):
    write("train", (["Ann"], [(0, 1, "PER")]))
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.spacy").write_bytes(b"Ann\tB-PER\n")
    code, out, err = call("check", "train.spacy", dev, "--output", "c.json")
    assert (code, out) == (1, "")
    assert err.startswith(f"Error: {what}")
    assert err.count("\n") == 1
    assert not (tmp_path / "c.json").exists()


def write_config(tmp_path, longest):
    (tmp_path / "c.cfg").write_text(
        '[nlp]\nlang = "en"\n\n[components]\n\n[components.sm]\n'
        'factory = "span_marker_ner"\n\n[components.sm.model]\n'
        f'name = "{encoder_folder().as_posix()}"\nentity_max_length = {longest}\n'
    )


def test_all_that_can_be_checked(call, write, tmp_path):
    write("train", (["Ann", "Ray"], [(0, 2, "PER")]), (["Rome"], [(0, 1, "LOC")]))
    write("dev", (["Ann", "Ray", "is", "Rome"], [(0, 2, "ORG")]))
    (tmp_path / "shards").mkdir()
    (tmp_path / "train.spacy").rename(tmp_path / "shards" / "0.spacy")
    write_config(tmp_path, 1)
    code, out, err = call(
        *("check", "shards", "dev.spacy", "--config", "c.cfg"),
        *("--output", "c.json"),
    )
    assert (code, err) == (0, "")
    rows = [line.split() for line in out.splitlines()]
    assert ["PER", "(rare)", "1", "0"] in rows
    assert ["all", "1", "100.0", "%", "0.0", "%", "1", "100.0", "%", "0.0", "%"] in rows
    assert ["longer", "than", "256,", "model_max_length", "of", "sm"] in rows
    text = " ".join(out.split())
    assert "labels with fewer than 50 entities in train: LOC (1), PER (1)" in text
    assert "entities in train longer than 1 word," in text
    assert "0.spacy, document 1: PER 'Ann Ray'" in text
    assert "'Rome' is LOC 1 time (train) and not an entity 1 time (dev)" in text
    assert "notes: 2" in text
    data = srsly.read_json(tmp_path / "c.json")
    assert data["conflicts"]["count"] == 2
    assert data["seen"][0]["labels"]["ORG"]["form"] == 1
    assert data["limits"]["spans"][0]["sizes"] == [1]
    assert data["pieces"]["splits"].keys() == {"train", "dev"}


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (("--output", "c.txt"), "c.txt: the name of the output must end in .json"),
        (("--config", "no.cfg"), "no.cfg: "),
        (("--config", "bad.cfg"), "bad.cfg: is not a config of spaCy"),
        (("--tokenizer", "bad"), "the tokenizer 'bad' cannot be loaded"),
        (("--tokenizer", "./none"), "the tokenizer './none' cannot be loaded"),
    ],
)
def test_options_are_checked_first(call, tmp_path, options, what):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad.cfg").write_text("x\n")
    code, out, err = call("check", "no.spacy", "dev.spacy", *options)
    assert (code, out) == (1, "")
    assert err.startswith(f"Error: {what}")
    assert err.count("\n") == 1


def test_help(call):
    code, out, _ = call("check", "--help")
    assert code == 0
    assert "python -m spacy_ner_ext check corpus/train.spacy corpus/dev.spacy" in out
    assert all(
        name in out
        for name in (
            "TEST.spacy",
            "--lang",
            "--output",
            "--config",
            "--tokenizer",
            "--rare",
        )
    )
    code, out, _ = call("--help")
    assert code == 0
    assert all(name in out for name in ("convert", "check"))


def test_any_script_on_any_stdout(write, tmp_path):
    write("train", (["東京"], [(0, 1, "地名")]))
    write("dev", (["大阪"], [(0, 1, "地名")]))
    command = [sys.executable, "-m", "spacy_ner_ext", "check"]
    done = subprocess.run(
        [*command, "train.spacy", "dev.spacy"],
        capture_output=True,
        cwd=tmp_path,
        env={"PYTHONIOENCODING": "ascii", "PATH": ""},
    )
    assert done.returncode == 0
    assert b"\\u5730\\u540d" in done.stdout


def test_imports_stay_light():
    code = (
        "import sys, spacy_ner_ext; assert 'spacy' not in sys.modules;"
        "import spacy_ner_ext.tools.app;"
        "print({'transformers', 'datasets'} & {*sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"
