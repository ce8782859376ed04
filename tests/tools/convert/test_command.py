import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import srsly
from spacy.tokens import DocBin

from spacy_ner_ext.data.lang import BlankPipeline, blank_vocab
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
    assert f"Wrote {Path('out/a.spacy')}" in done.stdout
    assert f"Wrote {Path('out/r.json')}" in done.stdout
    assert "\x1b" not in done.stdout
    assert sorted(os.listdir(tmp_path / "out")) == [
        "a.spacy",
        "r.json",
        "r.notes.jsonl",
    ]
    assert srsly.read_json(tmp_path / "out" / "r.json")["entities"]["LOC"] == 1
    (doc,) = read_docs(tmp_path / "out" / "a.spacy", blank_vocab("en"))
    assert [ent.label_ for ent in doc.ents] == ["LOC", "PER"]


def test_tokens_are_cut_on_request(run, tmp_path):
    spans = [{"start": 5, "end": 10, "label": "LOC"}]
    spans.append({"start": 11, "end": 15, "label": "LOC"})
    srsly.write_jsonl(
        tmp_path / "a.jsonl", [{"text": "from Paris_Lyon", "spans": spans}]
    )
    done = run("convert", "a.jsonl", "a.spacy")
    rows = table_rows(done.stdout)
    assert (done.returncode, rows["entities"]) == (0, "1")
    assert rows["entities that share a token with a different one"] == "1"
    assert "cut the token with --align split" in done.stdout
    done = run("convert", "a.jsonl", "a.spacy", "--align", "split")
    rows = table_rows(done.stdout)
    assert (done.returncode, rows["entities"], rows["tokens"]) == (0, "2", "4")
    assert rows["tokens cut where an entity begins or ends"] == "2"
    (doc,) = read_docs(tmp_path / "a.spacy", blank_vocab("en"))
    assert doc.text == "from Paris_Lyon"
    assert [ent.text for ent in doc.ents] == ["Paris", "Lyon"]


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
    "clash": (b"a\tU-X\nb\tS-X\n", "a.spacy", (), "line 2: a tag with S- does not"),
    "column list": (b"a O\n", "a.spacy", ("--tag-column", "x"), "x is not a list of"),
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
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        stderr=subprocess.DEVNULL,
        # A job in the background of a shell ignores Ctrl-C, and so would this one.
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
    )
    while not (tmp_path / "new").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(number)
    assert process.wait() != 0
    assert [path.name for path in tmp_path.iterdir()] == ["a.jsonl"]


def test_every_choice_reaches_the_documents(call, tmp_path):
    lines = [
        f"word{i}\tB-{'GPE' if i % 2 else 'PER'}\nx\tB-FAC\n.\tO\n\n" for i in range(40)
    ]
    (tmp_path / "a.conll").write_text("".join(lines), encoding="utf-8")
    code, _, err = call(
        *("convert", "a.conll", "out", "--docs-of", "2", "--map", "GPE=LOC"),
        *("--labels", "PER,LOC", "--max-length", "4", "--split", "0.5,0.5"),
        *("--stratify", "--downsample", "0.5", "--limit", "9", "--seed", "3"),
        *("--oversample", "LOC=0.6", "--shard-size", "4", "--spans-key", "sc"),
        *("--align", "strict", "--report", "r.json"),
    )
    assert (code, err) == (0, "")
    parts = {
        part: [
            doc
            for path in sorted((tmp_path / "out" / part).iterdir())
            for doc in read_docs(path, blank_vocab("en"))
        ]
        for part in ("train", "dev")
    }
    assert len(list((tmp_path / "out" / "train").iterdir())) >= 3
    assert len(parts["dev"]) == 9
    docs = [doc for found in parts.values() for doc in found]
    assert all(len(doc) <= 4 for doc in docs)
    assert {ent.label_ for doc in docs for ent in doc.ents} == {"PER", "LOC"}
    assert all(len(doc.spans["sc"]) == len(doc.ents) for doc in docs)
    with_place = [any(e.label_ == "LOC" for e in doc.ents) for doc in parts["train"]]
    assert sum(with_place) / len(with_place) >= 0.55
    report = srsly.read_json(tmp_path / "r.json")
    assert report["relabelled"]["count"] == 20
    assert report["deselected"]["count"] == 40
    notes = list(srsly.read_jsonl(tmp_path / "r.notes.jsonl"))
    kinds = [note["kind"] for note in notes]
    assert kinds.count("deselected") == 40 and kinds.count("cut") == 20
    assert notes[0]["path"] == "a.conll"


def test_a_report_never_replaces_what_is_read_or_written(call, tmp_path):
    content = '[{"text": "Anna", "spans": []}]'
    (tmp_path / "a.json").write_text(content, encoding="utf-8")
    for source, name in (("a.json", "a.json"), ("a.notes.jsonl", "a.json")):
        (tmp_path / source).write_text(content, encoding="utf-8")
        options = ("--format", "jsonl", "--report", name)
        code, _, err = call("convert", source, "a.spacy", *options)
        assert (code, err.count("\n")) == (1, 1)
        assert "which is read or written" in err
        assert (tmp_path / source).read_text(encoding="utf-8") == content
    assert not (tmp_path / "a.spacy").exists()


def test_an_output_inside_the_input_is_refused(call, tmp_path):
    (tmp_path / "in").mkdir()
    DocBin(docs=[BlankPipeline("en").make_doc("a b")]).to_disk(tmp_path / "in/a.spacy")
    before = (tmp_path / "in" / "a.spacy").read_bytes()
    for target, *options in (("in/a.spacy",), ("in", "--split", "0.5,0.5")):
        code, _, err = call("convert", "in", target, *options)
        assert code == 1 and "is input and output" in err
    assert (tmp_path / "in" / "a.spacy").read_bytes() == before


def test_parts_of_an_earlier_split_are_named(call, tmp_path):
    lines = [f"word{i}\tB-X\n\n" for i in range(20)]
    (tmp_path / "a.conll").write_text("".join(lines), encoding="utf-8")
    assert call("convert", "a.conll", "out", "--split", "0.6,0.2,0.2")[2] == ""
    code, _, err = call("convert", "a.conll", "out", "--split", "0.5,0.5")
    assert code == 0
    assert err == "Warning: out/test.spacy: is from an earlier conversion\n"


def test_nothing_left_to_write_is_an_error(call, tmp_path):
    row = '{"tokens": ["a"], "ner_tags": ["O"], "lang": "de"}\n'
    (tmp_path / "a.jsonl").write_text(row * 2, encoding="utf-8")
    code, _, err = call("convert", "a.jsonl", "a.spacy")
    assert code == 1
    assert "2 are in other languages (language de); choose with --lang" in err
    assert not (tmp_path / "a.spacy").exists()
