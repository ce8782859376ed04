import subprocess
import sys

import pytest
import srsly
from spacy.tokens import Doc, Span

from spacy_ner_ext.data.lang import blank_vocab
from spacy_ner_ext.data.write import write_docs

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
    done = run("check", "train.spacy", "dev.spacy", "--output", "out/c.json")
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
    assert "test has no entity at all" in out
    assert "errors: 0, warnings: 3" in out


@pytest.mark.parametrize(
    ("dev", "what"),
    [
        ("no.spacy", "no.spacy: there is no such file"),
        ("bad.spacy", "bad.spacy: is not a .spacy file or is damaged"),
        (".", ".: is a folder"),
    ],
)
def test_unreadable_file(call, write, tmp_path, dev, what):
    write("train", (["Ann"], [(0, 1, "PER")]))
    (tmp_path / "bad.spacy").write_bytes(b"Ann\tB-PER\n")
    code, out, err = call("check", "train.spacy", dev, "--output", "c.json")
    assert (code, out) == (1, "")
    assert err.startswith(f"Error: {what}")
    assert err.count("\n") == 1
    assert not (tmp_path / "c.json").exists()


def test_help(call):
    code, out, _ = call("check", "--help")
    assert code == 0
    assert "python -m spacy_ner_ext check corpus/train.spacy corpus/dev.spacy" in out
    assert all(name in out for name in ("TEST.spacy", "--lang", "--output"))
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
        "import spacy_ner_ext.cli; print({'transformers', 'datasets'} & {*sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"
