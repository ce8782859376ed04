"""Inputs of all formats that cannot be used: one clear line, exit code 1, no file."""

import json

import pytest
from spacy.tokens import DocBin

from spacy_ner_ext.data.lang import BlankPipeline
from spacy_ner_ext.data.text import MAX_LINE

NLP = BlankPipeline("en")
TEXT = "Anna saw Oslo"


def line(**values):
    return json.dumps(values).encode() + b"\n"


def spans(*found):
    marks = [{"start": s, "end": e, "label": label} for s, e, label in found]
    return line(text=TEXT, spans=marks)


ROW = b'{"tokens": ["Anna", "saw"], "ner_tags": %s}\n'
NAMES = {"labels.json": b'["O", "B-PER"]'}
# The files, the source and the options, and a part of the error.
INPUTS = {
    "no such file": ({}, ["a.conll"], "a.conll: there is no such file"),
    "no such dataset": ({}, ["own/data"], "--format datasets"),
    "empty": ({"a.jsonl": b""}, ["a.jsonl"], "a.jsonl: the file is empty"),
    "blank lines": (
        {"a.jsonl": b"\n\n"},
        ["a.jsonl", "--format", "jsonl"],
        "a.jsonl: ",
    ),
    "unknown ending": ({"a.dat": b"a\n"}, ["a.dat"], "name the format with --"),
    "unknown format": (
        {"a.conll": b"a O\n"},
        ["a.conll", "--format", "x"],
        "format 'x'",
    ),
    "foreign option": (
        {"a.conll": b"a O\n"},
        ["a.conll", "--text-column", "x"],
        "'conll' does not take --text-column",
    ),
    "column count": (
        {"a.conll": b"a\tO\nb\tc\tO\n"},
        ["a.conll"],
        "a.conll, line 2: has 3 columns, line 1 has 2",
    ),
    "no tag": ({"a.conll": b"a\tB-X\nb\tX\n"}, ["a.conll"], "line 2: tag 'X' is not"),
    "bad UTF-8": ({"a.conll": b"a\tO\n\xff\tO\n"}, ["a.conll"], "line 2: byte 0xff"),
    "UTF-16": (
        {"a.conll": "a\tO\n".encode("utf-16")},
        ["a.conll"],
        "line 1: byte 0xff",
    ),
    "carriage returns": (
        {"a.conll": b"a\tO\rb\tO\r"},
        ["a.conll"],
        "line 1: a carriage",
    ),
    "endless line": (
        {"a.conll": b"a" * (MAX_LINE + 1)},
        ["a.conll"],
        "a.conll, line 1: is longer than 32 MiB",
    ),
    "endless JSON": (
        {"a.jsonl": b'{"text": "' + b"a" * (3 * MAX_LINE)},
        ["a.jsonl", "--format", "jsonl"],
        "a.jsonl, line 1",
    ),
    "truncated JSON": (
        {"a.jsonl": spans((0, 4, "PER")) + b'{"text": "Anna", "spa'},
        ["a.jsonl"],
        "a.jsonl, line 2",
    ),
    "not a record": ({"a.jsonl": line(name="Anna")}, ["a.jsonl"], "a.jsonl"),
    "past the end": (
        {"a.jsonl": spans((0, 4, "PER")) + spans((9, 14, "LOC"))},
        ["a.jsonl"],
        "a.jsonl, line 2: LOC from 9 to 14 is not in the text of 13 characters",
    ),
    "negative": ({"a.jsonl": spans((-3, 4, "PER"))}, ["a.jsonl"], "line 1"),
    "start after end": (
        {"a.jsonl": spans((4, 0, "PER"))},
        ["a.jsonl"],
        "is empty",
    ),
    "no label": ({"a.jsonl": spans((0, 4, ""))}, ["a.jsonl"], "line 1"),
    "true for 1": ({"a.jsonl": spans((0, True, "PER"))}, ["a.jsonl"], "line 1"),
    "fraction": ({"a.jsonl": spans((0, 3.5, "PER"))}, ["a.jsonl"], "line 1"),
    "text is a number": (
        {"a.jsonl": line(text=3, spans=[])},
        ["a.jsonl"],
        "a.jsonl, line 1",
    ),
    "lone surrogate": (
        {"a.jsonl": b'{"text": "\\ud800", "spans": []}\n'},
        ["a.jsonl"],
        "a.jsonl, line 1",
    ),
    "NaN": (
        {"a.jsonl": b'{"text": "Anna", "cats": {"A": NaN}, "spans": []}\n'},
        ["a.jsonl"],
        "a.jsonl, line 1",
    ),
    "deep nesting": (
        {"a.jsonl": b"[" * 100_000 + b"]" * 100_000},
        ["a.jsonl"],
        "a.jsonl",
    ),
    "open array": (
        {"a.json": b'[\n{"text": "a", "spans": []},\n'},
        ["a.json"],
        "a.json",
    ),
    "tag out of range": (
        {"a.jsonl": ROW % b"[0, 7]", **NAMES},
        ["a.jsonl"],
        "a.jsonl, line 1",
    ),
    "tags without names": ({"a.jsonl": ROW % b"[0, 1]"}, ["a.jsonl"], "--tag-names"),
    "fewer tags": ({"a.jsonl": ROW % b"[0]", **NAMES}, ["a.jsonl"], "line 1"),
    "no such column": (
        {"a.csv": b"text,label\na,b\n"},
        ["a.csv", "--text-column", "body"],
        "column body is missing; columns are: text, label",
    ),
    "fields": ({"a.csv": b"text,label\na,b,c\n"}, ["a.csv"], "line 2: has 3 fields"),
    "quotes": ({"a.csv": b'text,label\n"a,b\n'}, ["a.csv"], "a.csv, line 2"),
    "no category": (
        {"a.csv": b"text,label\na,\nb,B\n"},
        ["a.csv", "--format", "textcat"],
        "a.csv, line 2",
    ),
    "not Parquet": ({"a.parquet": b"PAR1 no"}, ["a.parquet"], "a.parquet: "),
    "no .ann": (
        {"b/1.txt": b"Anna", "b/1.ann": b"", "b/2.txt": b"Oslo"},
        ["b"],
        "2.ann: is missing",
    ),
    "no .txt": ({"b/1.ann": b"T1\tPER 0 4\tAnna\n"}, ["b"], "1.txt: is missing"),
    "no document": ({"b/c/d": b""}, ["b", "--format", "standoff"], "b: "),
    "other surface": (
        {"b/1.txt": b"Anna saw Oslo", "b/1.ann": b"T1\tPER 0 4\tOslo\n"},
        ["b"],
        "1.ann, line 1",
    ),
    "standoff past the end": (
        {"b/1.txt": b"Anna", "b/1.ann": b"\nT1\tPER 0 9\tAnna Berg\n"},
        ["b"],
        "1.ann, line 2",
    ),
    "standoff line": (
        {"b/1.txt": b"Anna", "b/1.ann": b"T1 PER 0 4 Anna\n"},
        ["b"],
        "1.ann, line 1",
    ),
    "unbalanced mark": (
        {"a.md": b"see [Anna](PER)\nsee [Oslo\n"},
        ["a.md", "--format", "inline"],
        "a.md, line 2",
    ),
    "no DocBin": (
        {"a.spacy": b"PK\x03\x04"},
        ["a.spacy"],
        "a.spacy: is not a .spacy file",
    ),
    "labels": ({"a.conll": b"a O\n"}, ["a.conll", "--labels", "A,,B"], "empty name"),
    "map": ({"a.conll": b"a O\n"}, ["a.conll", "--map", "GPE"], "GPE is not a pair"),
    "split": (
        {"a.conll": b"a O\n"},
        ["a.conll", "--split", "0.8,x"],
        "'x', which is not a number",
    ),
    "share": (
        {"a.conll": b"a O\n"},
        ["a.conll", "--downsample", "2"],
        "is not a share",
    ),
    "regex": (
        {"a.conll": b"a O\n"},
        ["a.conll", "--split-regex", "("],
        "not a regular",
    ),
    "oversample": ({"a.conll": b"a O\n"}, ["a.conll", "--oversample", "A"], "no share"),
    "align": ({"a.conll": b"a O\n"}, ["a.conll", "--align", "loose"], "'loose'"),
}


@pytest.mark.parametrize("case", INPUTS)
def test_one_line_and_nothing_written(call, tmp_path, case):
    files, (source, *options), what = INPUTS[case]
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    before = sorted(tmp_path.rglob("*"))
    target = "new/corpus" if "--split" in options else "new/a.spacy"
    code, out, err = call("convert", source, target, *options)
    assert (code, out) == (1, "")
    assert err.startswith("Error: ") and err.count("\n") == 1, err
    assert what in err
    assert len(err) < 1000
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "name",
    ["../x", "/tmp/x", "a/../../x", "a\\..\\x", "C:x", "", "x\0", "a" * 300, "a//b"],
)
def test_a_name_of_a_document_never_leaves_the_output(call, tmp_path, name):
    docs = [NLP.make_doc(TEXT), NLP.make_doc(TEXT)]
    for doc in docs:
        doc.set_ents([])
    docs[1].user_data["id"] = name
    DocBin(docs=docs, store_user_data=True).to_disk(tmp_path / "a.spacy")
    code, out, err = call("export", "a.spacy", "out", "--format", "standoff")
    if name:
        assert (code, out) == (1, "")
        assert err.startswith("Error: ") and err.count("\n") == 1, err
        assert [path.name for path in tmp_path.iterdir()] == ["a.spacy"]
    else:
        assert (code, err) == (0, "Warning: a.spacy: no entity in the whole corpus\n")
        assert len(list((tmp_path / "out").iterdir())) == 4


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (["a.spacy", "out", "--format", "brat"], "unknown format 'brat'"),
        (["b.spacy", "out", "--format", "conll"], "b.spacy: there is no such file"),
        (["a.spacy", "full", "--format", "conll"], "full: already contains files"),
        (["a.spacy", "a.spacy", "--format", "conll"], "a.spacy: is a file"),
        (["a.spacy", "out", "--format", "conll", "--lang", "qq"], "no language 'qq'"),
        (["a.spacy", "o", "--format", "conll", "--report", "r.txt"], "end in .json"),
    ],
)
def test_an_export_that_cannot_be(call, tmp_path, options, what):
    DocBin(docs=[NLP.make_doc(TEXT)]).to_disk(tmp_path / "a.spacy")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").touch()
    before = sorted(tmp_path.rglob("*"))
    code, out, err = call("export", *options)
    assert (code, out) == (1, "")
    assert err.startswith("Error: ") and err.count("\n") == 1
    assert what in err
    assert sorted(tmp_path.rglob("*")) == before
