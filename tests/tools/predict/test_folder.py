"""Rows in a folder, on this machine: what is in them, and runs that resume."""

import json

import fsspec
import pyarrow as pa
import pyarrow.dataset
import pytest
from pyarrow import parquet

from spacy_ner_ext.tools.predict import annotation, chunks
from spacy_ner_ext.tools.predict.annotation import make_annotation
from spacy_ner_ext.tools.predict.folder import OutputFolder
from spacy_ner_ext.tools.predict.inputs import open_source
from spacy_ner_ext.tools.predict.worker import PipelineSource
from spacy_ner_ext.util.errors import UserError
from tests.helpers.pipelines import TEXTS, fitted

LINES = [{"text": f"{TEXTS[i % 5]} {i}", "n": i, "url": f"u{i}"} for i in range(40)]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("folder") / "model"
    fitted("flat_biluo").to_disk(folder)
    return folder


@pytest.fixture
def small(monkeypatch):
    """Chunks of few texts, two of which are a file."""
    monkeypatch.setattr(chunks, "TEXTS", 3)
    monkeypatch.setattr(annotation, "CHUNKS", 2)


@pytest.fixture
def texts(tmp_path):
    write(tmp_path / "in.jsonl", LINES)
    return tmp_path / "in.jsonl"


def write(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))


def read(folder):
    """The rows of a folder in the order of their ids."""
    rows = pa.dataset.dataset(folder).to_table().to_pylist()
    return sorted(rows, key=lambda row: int(row["id"].rpartition(":")[2]))


def entities(row):
    return [(entity["label"], entity["text"]) for entity in row["entities"]]


def run(model, given, folder, overwrite=False, stop_after=None, **settings):
    """A run in this process; returns how many texts it predicted."""
    source = open_source([str(given)])
    pipeline, output = PipelineSource(str(model)), OutputFolder(str(folder))
    started = make_annotation(source, pipeline, output, **settings)
    n_texts = 0
    results = started.run(started.start(started.settings(), overwrite=overwrite), 1)
    for number, counts in enumerate(results, start=1):
        n_texts += counts.texts
        if number == stop_after:
            results.close()
            return n_texts
    output.finish()
    return n_texts


# --- Rows -------------------------------------------------------------------------


def test_rows_of_json_lines(call, model, texts, tmp_path):
    code, out, err = call("predict", model, texts, "out", "--columns", "n,url")
    assert (code, out) == (0, "")
    assert "Wrote out (" in err and "entities in 40 texts)" in err
    rows = read(tmp_path / "out")
    assert list(rows[0]) == ["id", "n", "url", "entities", "spans", "cats", "error"]
    assert [row["id"] for row in rows] == [f"in.jsonl:{i + 1}" for i in range(40)]
    assert [(row["n"], row["url"]) for row in rows[:2]] == [("0", "u0"), ("1", "u1")]
    assert entities(rows[0]) == [("PER", "Anna Berg"), ("LOC", "New York")]
    assert (rows[0]["spans"], rows[0]["cats"], rows[0]["error"]) == (None, None, None)


def test_rows_as_json_lines_have_the_values_of_the_input(call, model, texts, tmp_path):
    args = (texts, "out", "--columns", "n,url", "--output-format", "jsonl")
    assert call("predict", model, *args)[0] == 0
    call("predict", model, texts, "table", "--columns", "n,url")
    [file] = (tmp_path / "out").glob("*.jsonl")
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert [row["n"] for row in rows] == list(range(40))
    table = [{**row, "n": int(row["n"])} for row in read(tmp_path / "table")]
    assert rows == table


def test_columns_of_a_table_keep_their_types(call, model, tmp_path):
    table = pa.table({"body": TEXTS, "when": pa.array(range(5), pa.timestamp("ms"))})
    parquet.write_table(table, tmp_path / "in.parquet")
    options = ("--text-field", "body", "--columns", "when", "--id-column", "body")
    assert call("predict", model, "in.parquet", "out", *options)[0] == 0
    found = pa.dataset.dataset(tmp_path / "out").to_table()
    assert found["id"].to_pylist() == TEXTS
    assert found["when"].equals(table["when"])


def test_a_table_into_a_file(call, model, tmp_path):
    table = pa.table({"text": ["New York", None], "n": [1, 2]})
    parquet.write_table(table, tmp_path / "in.parquet")
    assert call("predict", model, "in.parquet", "out.jsonl")[0] == 1
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    first, second = map(json.loads, lines)
    assert list(first) == ["text", "n", "entities"]
    assert second["error"].startswith("in.parquet, row 2: has null in text")


def test_groups_and_categories(call, tmp_path):
    fitted("per_label").to_disk(tmp_path / "model")
    write(tmp_path / "in.jsonl", [{"text": TEXTS[0]}])
    for form in ("parquet", "jsonl"):
        call("predict", "model", "in.jsonl", form, "--output-format", form)
    [row] = pa.dataset.dataset(tmp_path / "parquet").to_table().to_pylist()
    [file] = (tmp_path / "jsonl").glob("*.jsonl")
    line = json.loads(file.read_text())
    assert dict(row["spans"]) == line["spans"]
    assert {span["text"] for span in line["spans"]["sc"]} == {"Anna Berg", "New York"}


def test_a_line_that_cannot_be_used_is_a_row(call, model, tmp_path):
    lines = [{"text": TEXTS[0], "key": 7}, {"text": TEXTS[1]}, {"body": ""}]
    write(tmp_path / "in.jsonl", [*lines, {"text": "a" * 99, "key": "x"}])
    options = ("--id-column", "key", "--max-length", 50)
    code, _, err = call("predict", model, "in.jsonl", "out", *options)
    assert code == 1
    assert "1 longer than --max-length" in err and "2 lines not predicted" in err
    rows = pa.dataset.dataset(tmp_path / "out").to_table().to_pylist()
    assert [row["id"] for row in rows] == ["7", "in.jsonl:2", "in.jsonl:3", "x"]
    assert [row["entities"] is None for row in rows] == [False, True, True, True]
    assert "in.jsonl, line 2: has no key" in rows[1]["error"]
    assert "not a JSON object with a text" in rows[2]["error"]
    assert rows[3]["error"].startswith("the text has 99 characters")


# --- Files ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (["a"], {"x.jsonl", "b/y.jsonl"}),
        (["a/*.jsonl"], {"x.jsonl"}),
        (["a/**/*.jsonl"], {"x.jsonl", "b/y.jsonl"}),
        (["a/x.jsonl", "a/b/y.jsonl"], {"x.jsonl", "y.jsonl"}),
        (["{here}/a/?.jsonl"], {"x.jsonl"}),
        (["file://{here}/a/b"], {"y.jsonl"}),
        (["file://{here}/a/*/y*"], {"b/y.jsonl"}),
        (["memory://m/*.jsonl"], {"z.jsonl"}),
    ],
)
def test_files_folders_and_globs(tmp_path, monkeypatch, given, names):
    monkeypatch.chdir(tmp_path)
    for name in ("x.jsonl", "b/y.jsonl", "_SUCCESS", ".hidden.jsonl", "b/other.md"):
        write(tmp_path / "a" / name, [{"text": name}])
    fsspec.filesystem("memory").pipe("/m/z.jsonl", b'{"text": "z.jsonl"}')
    source = open_source([path.format(here=tmp_path) for path in given])
    assert {file.name for file in source.files} == names
    contents = {item.content for item in source.items()}
    assert {content.rpartition("/")[2] for content in contents} == {
        name.rpartition("/")[2] for name in names
    }


def test_a_compressed_file(tmp_path):
    with fsspec.open(f"{tmp_path}/a.jsonl.gz", "wb", compression="gzip") as file:
        file.write(b'{"text": "Oslo"}\n' * 3)
    source = open_source([str(tmp_path)])
    assert source.format == "jsonl"
    assert [item.content for item in source.items()] == ["Oslo"] * 3


def test_two_files_of_one_name_are_refused(tmp_path):
    for name in ("a/x.txt", "b/x.txt"):
        write(tmp_path / name, [""])
    with pytest.raises(UserError, match="has the same name as"):
        open_source([str(tmp_path / "a"), str(tmp_path / "b/x.txt")])


def test_a_folder_on_another_file_system(model, texts, small):
    run(model, texts, "memory://out/rows", stop_after=4)
    run(model, texts, "memory://out/rows")
    system = fsspec.filesystem("memory")
    tables = [
        parquet.read_table(path, filesystem=system)
        for path in system.glob("/out/rows/*.parquet")
    ]
    ids = pa.concat_tables(tables)["id"].to_pylist()
    assert sorted(ids) == sorted(f"in.jsonl:{i + 1}" for i in range(40))


# --- Resuming ---------------------------------------------------------------------


@pytest.mark.parametrize("stop_after", [1, 2, 5])
def test_a_run_resumes_with_the_same_rows(model, texts, tmp_path, small, stop_after):
    assert run(model, texts, tmp_path / "whole", columns=("n",)) == 40
    out = tmp_path / "out"
    run(model, texts, out, columns=("n",), stop_after=stop_after)
    # A killed process leaves rows that are pending, and rows without a record.
    done = next(out.glob("*.parquet"))
    name = done.stem
    for copy in ("0" * 32 + "_000000", "1" * 32 + "_000000"):
        (out / f"{copy}.parquet").write_bytes(done.read_bytes())
    committed = out / "_checkpoint" / f"{name}.parquet"
    pending = out / "_checkpoint" / ("0" * 32 + "_000000.pending.parquet")
    pending.write_bytes(committed.read_bytes())
    assert run(model, texts, out, columns=("n",)) == 40 - 3 * stop_after
    assert read(out) == read(tmp_path / "whole")
    assert not list(out.glob("_checkpoint/*.pending.parquet"))
    assert run(model, texts, out, columns=("n",)) == 0


def test_processes_write_the_same_rows(call, model, texts, tmp_path):
    for n in (1, 2):
        assert call("predict", model, texts, f"out{n}", "--workers", n)[0] == 0
    assert read(tmp_path / "out1") == read(tmp_path / "out2")


def test_new_files_are_added(model, tmp_path):
    given = tmp_path / "in"
    write(given / "m.jsonl", LINES[:20])
    assert run(model, given, tmp_path / "out") == 20
    write(given / "a.jsonl", LINES[20:])
    assert run(model, given, tmp_path / "out") == 20
    assert len({row["id"] for row in read(tmp_path / "out")}) == 40
    write(given / "m.jsonl", LINES)
    with pytest.raises(UserError, match=r"m\.jsonl: had .* bytes when .* was started"):
        run(model, given, tmp_path / "out")


def test_other_settings_do_not_resume(model, texts, tmp_path, small):
    run(model, texts, tmp_path / "out", stop_after=2)
    with pytest.raises(UserError, match="was started with max_length null, not 9"):
        run(model, texts, tmp_path / "out", max_length=9)
    assert run(model, texts, tmp_path / "out", max_length=9, overwrite=True) == 40
    assert all(row["error"] for row in read(tmp_path / "out") if "Anna" in str(row))


def test_chunks_that_two_runs_wrote_are_an_error(model, texts, tmp_path):
    run(model, texts, tmp_path / "out")
    for [file] in ((tmp_path / "out").glob(f"{f}*.parquet") for f in ("", "_*/")):
        file.with_stem(f"{'f' * 32}_000000").write_bytes(file.read_bytes())
    with pytest.raises(UserError, match="two runs wrote it at the same time"):
        run(model, texts, tmp_path / "out")


def test_a_run_that_committed_nothing_may_get_other_settings(model, tmp_path):
    write(tmp_path / "in/a.jsonl", [])
    run(model, tmp_path / "in", tmp_path / "out")
    write(tmp_path / "in.jsonl", LINES[:3])
    assert run(model, tmp_path / "in.jsonl", tmp_path / "out", max_length=9) == 3
    # Killed before its settings were written.
    (tmp_path / "new/_checkpoint").mkdir(parents=True)
    assert run(model, tmp_path / "in.jsonl", tmp_path / "new") == 3


@pytest.mark.parametrize(
    ("pattern", "what"),
    [
        ("*.parquet", "1 files of rows are missing, such as"),
        ("_checkpoint/*", "is not a complete checkpoint"),
        ("_annotation.json", "is not complete"),
    ],
)
def test_a_damaged_folder(model, texts, tmp_path, pattern, what):
    run(model, texts, tmp_path / "out")
    [file] = (tmp_path / "out").glob(pattern)
    file.unlink() if "missing" in what else file.write_bytes(b"")
    with pytest.raises(UserError, match=what):
        run(model, texts, tmp_path / "out")
    assert run(model, texts, tmp_path / "out", overwrite=True) == 40


def test_values_that_utf8_cannot_have_are_errors_of_their_rows(call, model, tmp_path):
    lines = [{"text": TEXTS[0], "key": key} for key in ("a", "\ud800", "")]
    write(tmp_path / "in.jsonl", [*lines, {"text": None, "key": "no text"}])
    for option in ("--columns", "--id-column"):
        folder = option.strip("-")
        assert call("predict", model, "in.jsonl", folder, option, "key")[0] == 1
        rows = pa.dataset.dataset(tmp_path / folder).to_table().to_pylist()
        assert [bool(row["error"]) for row in rows] == [False, True, False, True]
        keys = [row["key" if option == "--columns" else "id"] for row in rows]
        assert (keys[0], *keys[2:]) == ("a", "", "no text")


def test_dates_of_a_table_are_written_as_text(call, model, tmp_path):
    when = pa.array([0], pa.timestamp("ms"))
    parquet.write_table(pa.table({"text": ["Oslo"], "t": when}), tmp_path / "a.parquet")
    assert call("predict", model, "a.parquet", "o.jsonl")[0] == 0
    assert json.loads((tmp_path / "o.jsonl").read_text())["t"] == "1970-01-01T00:00:00"


def test_files_of_another_format_are_counted(call, model, tmp_path):
    write(tmp_path / "in[1]/a.jsonl", LINES[:1])
    write(tmp_path / "in[1]/b.md", LINES[:1])
    code, _, err = call("predict", model, "in[1]", "out")
    assert code == 0
    assert "are not read: 1, such as in[1]/b.md" in err
    # A file that is named is read.
    args = ("in[1]/a.jsonl", "in[1]/b.md", "both", "--format", "jsonl")
    assert call("predict", model, *args)[0] == 0
    assert len(read(tmp_path / "both")) == 2


@pytest.mark.parametrize(
    ("args", "what"),
    [
        (["in/a.jsonl", "in/b.md", "out"], "the name does not show the format"),
        (["in.jsonl", "in.jsonl", "out"], "in.jsonl: is given twice"),
        (["in/**/*.parquet", "in/out"], "is inside the input"),
        (["in.jsonl", "memory://out"], "is lost when this process ends"),
        (["in.jsonl", "s3://b/out.jsonl"], "is written to local disks only"),
        (["in.jsonl", "foo://b/out"], "Protocol not known: foo"),
        (["in.jsonl", "in.jsonl/out"], "is inside the input"),
        (["bad.parquet", "out"], "is not a complete parquet file"),
        (["in.parquet", "out", "--columns", "n"], "has no column"),
        (["-", "out"], "stdin is not read into a folder"),
        (["in.jsonl", "in"], "has files of another program"),
        (["in", "in/out", "--format", "jsonl"], "is inside the input"),
        (["in.jsonl", "out", "--columns", "cats"], "a result has its own column cats"),
        (["in.jsonl", "out", "--columns", "id"], "--id-column keeps ids"),
        (["in.jsonl", "out", "--workers", "2:8"], "needs --engine ray"),
        (["in.jsonl", "out", "--gpus-per-worker", "1"], "need --engine ray"),
        (["in.jsonl", "out.jsonl", "--columns", "n"], "writes rows into a folder"),
        (["in.jsonl", "o.jsonl", "--engine", "ray"], "writes rows into a folder"),
        (["in.jsonl", "out", "--engine", "ray", "--gpu-id", "0"], "--gpus-per-worker"),
        (["in.parquet", "out"], "has no column text, but body"),
        (["in.parquet", "-o", "o.jsonl"], "has no column text, but body"),
        (
            ["bad.parquet", "-o", "o.jsonl"],
            "bad.parquet: is not a complete parquet file",
        ),
    ],
)
def test_errors_are_one_sentence(call, model, texts, tmp_path, args, what):
    write(tmp_path / "in/a.jsonl", LINES[:2])
    write(tmp_path / "in/b.md", LINES[:2])
    parquet.write_table(pa.table({"text": TEXTS}), tmp_path / "in/c.parquet")
    (tmp_path / "bad.parquet").write_bytes(b"no table")
    parquet.write_table(pa.table({"body": TEXTS}), tmp_path / "in.parquet")
    code, out, err = call("predict", model, *args)
    assert (code, out) == (1, "")
    assert what in err
    assert err.startswith("Error: ")
    assert err.count("\n") == 1
