import os
import signal
import subprocess
import sys
import time

import pytest
import srsly

from spacy_ner_ext.data.lang import blank_vocab
from spacy_ner_ext.data.read import read_docs

GOOD = "New\tB-LOC\nYork\tI-LOC\n\t\nHi\tI-PER\n"


def table_rows(text):
    rows = [line.split() for line in text.splitlines() if line.strip()]
    return {" ".join(row[:-1]): row[-1] for row in rows}


def test_converts_and_reports(run, tmp_path):
    (tmp_path / "a.conll").write_text(GOOD, encoding="utf-8")
    done = run(
        *("convert", "a.conll", "out/a.spacy", "--format", "conll"),
        *("--docs-of", "2", "--report", "out/r.json"),
    )
    assert (done.returncode, done.stderr.count("\n")) == (0, 1)
    assert done.stderr.startswith("Warning: a.conll: all 2 sentences became one")
    rows = table_rows(done.stdout)
    assert (rows["documents"], rows["sentences"], rows["tokens"]) == ("1", "2", "3")
    assert (rows["entities"], rows["LOC"], rows["PER"]) == ("2", "1", "1")
    assert (rows["tag scheme"], rows["tags repaired"]) == ("iob2", "1")
    assert "tags repaired: a.conll, line 4: I-PER starts an entity" in done.stdout
    assert "Wrote out/a.spacy" in done.stdout
    assert "Wrote out/r.json" in done.stdout
    assert "\x1b" not in done.stdout
    assert sorted(os.listdir(tmp_path / "out")) == ["a.spacy", "r.json"]
    assert srsly.read_json(tmp_path / "out" / "r.json")["entities"]["LOC"] == 1
    (doc,) = read_docs(tmp_path / "out" / "a.spacy", blank_vocab("en"))
    assert [ent.label_ for ent in doc.ents] == ["LOC", "PER"]


def test_malformed_input_in_a_process(run, tmp_path):
    (tmp_path / "a.conll").write_text("a\tO\nb\n", encoding="utf-8")
    done = run("convert", "a.conll", "out/a.spacy")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "Error: a.conll, line 2: has 1 column, line 1 has 2; "
        "correct it or check --delimiter\n"
    )
    assert os.listdir(tmp_path) == ["a.conll"]


def test_options_reach_the_reader(call, tmp_path):
    text = "B-X;1 a O\nI-X;2 b O\n".replace(";", " ")
    (tmp_path / "a.conll").write_text(text, encoding="utf-8")
    code, out, err = call(
        *("convert", "a.conll", "a.spacy", "--token-column", "2", "--tag-column", "0"),
        *("--delimiter", "space", "--scheme", "bioes", "--lang", "xx"),
    )
    assert (code, err) == (0, "")
    assert table_rows(out)["tag scheme"] == "bioes"
    (doc,) = read_docs(tmp_path / "a.spacy", blank_vocab("xx"))
    assert [(ent.text, ent.label_) for ent in doc.ents] == [("a b", "X")]


def test_no_entity_is_a_warning(call, tmp_path):
    (tmp_path / "a.conll").write_text("a\tO\n", encoding="utf-8")
    code, _, err = call("convert", "a.conll", "a.spacy")
    assert (code, err) == (0, "Warning: a.conll: no entity in the whole corpus\n")
    assert (tmp_path / "a.spacy").exists()


def test_long_lists_are_cut(call, tmp_path):
    (tmp_path / "a.conll").write_text("a\tI-X\nb\tB-Y\n\n" * 9, encoding="utf-8")
    _, out, _ = call("convert", "a.conll", "a.spacy")
    assert out.count("I-X starts an entity") == 5
    assert "tags repaired: 4 more, see --report" in out


MALFORMED = {
    "missing": (None, "a.spacy", (), "a.conll: there is no such file"),
    "empty": (b"", "a.spacy", (), "a.conll: the file is empty"),
    "no token": (b"\n\n", "a.spacy", (), "a.conll: the file holds no token"),
    "one column": (b"a\n", "a.spacy", (), "a.conll, line 1: has 1 column,"),
    "columns": (b"a O\nb x O\n", "a.spacy", (), "line 2: has 3 columns, line 1 has 2"),
    "encoding": (b"a O\n\xff O\n", "a.spacy", (), "line 2: byte 0xff"),
    "tag": (b"a\tX-PER\n", "a.spacy", (), "line 1: tag 'X-PER'"),
    "clash": (b"a\tU-X\nb\tS-X\n", "a.spacy", (), "line 2: a tag with S-, but U- on"),
    "column": (b"a O\n", "a.spacy", ("--tag-column", 7), "--tag-column 7 is out of"),
    "scheme": (b"a S-X\n", "a.spacy", ("--scheme", "iob2"), "line 1: a tag with S-"),
    "format": (b"a O\n", "a.spacy", ("--format", "x"), "unknown format 'x'"),
    "output": (b"a O\n", "a.bin", (), "a.bin: the name of the output must end"),
    "folder": (b"a O\n", ".", (), "is a folder; give the name of a file"),
}


@pytest.mark.parametrize("case", sorted(MALFORMED))
def test_malformed_input(call, tmp_path, case):
    content, target, options, what = MALFORMED[case]
    if content is not None:
        (tmp_path / "a.conll").write_bytes(content)
    code, out, err = call("convert", "a.conll", target, *options)
    assert (code, out) == (1, "")
    assert err.startswith("Error: ")
    assert what in err
    assert err.count("\n") == 1
    assert os.listdir(tmp_path) == ([] if content is None else ["a.conll"])


def test_folder_as_input(call, tmp_path):
    (tmp_path / "in").mkdir()
    code, _, err = call("convert", "in", "a.spacy", "--format", "conll")
    assert (code, err) == (1, "Error: in: is a folder; give one file\n")


def test_help_is_complete(call):
    code, out, _ = call("convert", "--help")
    assert code == 0
    assert "python -m spacy_ner_ext convert train.conll corpus/train.spacy" in out
    names = "format token-column tag-column delimiter scheme docs-of lang report"
    for name in names.split():
        assert f"--{name}" in out


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_of_a_command_that_is_stopped(tmp_path, number):
    lines = (f'{{"text": "Anna saw Oslo {i}"}}\n' for i in range(200_000))
    (tmp_path / "a.jsonl").write_text("".join(lines), encoding="utf-8")
    options = ("a.jsonl", "new/a.spacy", "--format", "jsonl")
    command = [sys.executable, "-m", "spacy_ner_ext", "convert", *options]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL)
    while not (tmp_path / "new").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(number)
    assert process.wait() != 0
    assert [path.name for path in tmp_path.iterdir()] == ["a.jsonl"]
