"""`python -m spacy_ner_ext predict`, as people run it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import spacy
from spacy.tokens import Doc, DocBin

from tests.helpers.pipelines import TEXTS, fitted
from tests.helpers.training_runs import TRAINED

# Far more than any of these needs: what still runs then hangs.
LIMIT = 240
SLOW = """
import os, time
from spacy.language import Language

@Language.component("slow")
def slow(doc):
    time.sleep(0.01)
    if "STOP" in doc.text:
        os._exit(9)
    if "FAIL" in doc.text:
        raise RuntimeError("this text is too much")
    return doc
"""
MANY = [f"Anna Berg lives in New York {number} ." for number in range(300)]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A pipeline that finds people and places."""
    folder = tmp_path_factory.mktemp("predict") / "model"
    fitted("flat_biluo").to_disk(folder)
    return folder


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    """What makes the command slow: the options for a pipeline with such a component,
    which ends its process, or fails, at some texts."""
    folder = tmp_path_factory.mktemp("slow")
    code = folder / "slow.py"
    code.write_text(SLOW)
    nlp = fitted("flat_biluo")
    nlp.to_disk(folder / "model")
    config = (folder / "model/config.cfg").read_text()
    config = config.replace('pipeline = ["crf_ner"]', 'pipeline = ["slow","crf_ner"]')
    config += '\n[components.slow]\nfactory = "slow"\n'
    (folder / "model/config.cfg").write_text(config)
    return [str(folder / "model"), "--code", str(code), "--batch-size", "10"]


def start(*args, **settings):
    """Start the command; without OMP_NUM_THREADS, as it is on most machines."""
    env = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    # It hears Ctrl-C, even if what runs the tests was started not to, as by nohup.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return _popen(args, {"stderr": subprocess.PIPE, "env": env, **settings})
    finally:
        signal.signal(signal.SIGINT, before)


def _popen(args, settings):
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "spacy_ner_ext", "predict"]
        + [str(arg) for arg in args],
        **settings,
    )


def finish(process):
    """The exit code and what was written on stdout and stderr."""
    try:
        out, err = process.communicate(timeout=LIMIT)
    finally:
        process.kill()
    return process.returncode, out, err.decode()


def write_lines(path, lines):
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf8")
    return path


def read(path):
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def entities(result):
    return [(entity["label"], entity["text"]) for entity in result["entities"]]


def wait_for(condition):
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def children_of(pid):
    """The processes that a process has started (Linux; elsewhere none is seen)."""
    return [
        int(child)
        for file in Path("/proc").glob(f"{pid}/task/*/children")
        for child in file.read_text().split()
    ]


def is_running(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


# --- Inputs and outputs -----------------------------------------------------------


def test_a_text_a_line(call, model, tmp_path):
    write_lines(tmp_path / "in.txt", [*TEXTS, "", "  "])
    code, out, err = call("predict", model, "in.txt", "--output", "new/out.jsonl")
    assert (code, out) == (0, "")
    assert f"Wrote {Path('new/out.jsonl')}: 7 lines (6 entities in 7 texts)" in err
    results = read(tmp_path / "new/out.jsonl")
    assert [result["text"] for result in results] == [*TEXTS, "", "  "]
    assert entities(results[0]) == [("PER", "Anna Berg"), ("LOC", "New York")]
    assert list(results[0]["entities"][0]) == ["start", "end", "label", "text", "score"]
    assert results[5] == {"text": "", "entities": []}


def test_objects_with_other_fields(call, model, tmp_path):
    line = {"id": "ä1", "body": "New York", "entities": ["gold"]}
    write_lines(tmp_path / "in.jsonl", [json.dumps(line)])
    options = ("--text-field", "body", "--output", "out.jsonl")
    code, _, err = call("predict", model, "in.jsonl", *options)
    assert code == 0
    assert "1 input fields replaced by predictions" in err
    [result] = read(tmp_path / "out.jsonl")
    assert list(result) == ["id", "text", "entities"]
    assert result["id"] == "ä1"
    assert entities(result) == [("LOC", "New York")]


def test_documents(call, model, tmp_path):
    doc = Doc(spacy.blank("xx").vocab, words=["Oslo", "Oslo"], spaces=[False, False])
    DocBin(docs=[doc]).to_disk(tmp_path / "in.spacy")
    call("predict", model, "in.spacy", "--output", "out.jsonl")
    [result] = read(tmp_path / "out.jsonl")
    assert result["text"] == "OsloOslo"
    assert entities(result)[0][1] == "Oslo"


def test_settings_of_the_pipeline_are_overridden(call, model, tmp_path):
    write_lines(tmp_path / "in.txt", TEXTS)
    args = ("predict", model, "in.txt", "--output", "out.jsonl")
    code, *_ = call(*args, "--components.crf_ner.threshold", "1.0")
    assert code == 0
    assert not any(map(entities, read(tmp_path / "out.jsonl")))


def test_results_come_through_a_pipe_batch_by_batch(model):
    process = start(
        *(model, "-", "--batch-size", 2),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    process.stdin.write("New York\nÖslo\nlast".encode())
    process.stdin.flush()
    # The third line is not even complete.
    first, second = process.stdout.readline(), process.stdout.readline()
    assert entities(json.loads(first)) == [("LOC", "New York")]
    assert json.loads(second)["text"] == "Öslo"
    code, out, err = finish(process)
    assert (code, json.loads(out)["text"]) == (0, "last")
    assert "Wrote stdout" in err


def test_exits_quietly_when_the_reader_closes_stdout(model, tmp_path):
    many = write_lines(tmp_path / "in.txt", MANY * 20)
    process = start(model, many, "--batch-size", 50, stdout=subprocess.PIPE)
    process.stdout.readline()
    process.stdout.close()
    process.stdout = None
    code, _, err = finish(process)
    assert (code, err) == (141, "")


def test_a_closed_stdout_is_an_error(model, tmp_path):
    texts = write_lines(tmp_path / "in.txt", TEXTS)
    process = start(model, texts, preexec_fn=lambda: os.close(1))
    code, _, err = finish(process)
    assert code == 1 and err.startswith("Error: stdout is closed: ")


# --- Interruptions ------------------------------------------------------------------


def test_resumes_after_kills_without_a_lost_or_repeated_line(call, slow, tmp_path):
    texts, out = write_lines(tmp_path / "in.txt", MANY), tmp_path / "out.jsonl"
    assert call("predict", *slow, texts, "--output", "whole.jsonl")[0] == 0
    part = tmp_path / "out.jsonl.part"
    args = (*slow, texts, "--n-process", 2, "--output", out)
    for n_bytes, number in ((2_000, signal.SIGKILL), (20_000, signal.SIGINT)):
        process = start(*args)
        wait_for(lambda: part.exists() and part.stat().st_size > n_bytes)  # noqa: B023
        children = children_of(process.pid)
        process.send_signal(number)
        code, _, err = finish(process)
        # No process outlives the command.
        wait_for(lambda: not any(map(is_running, children)))  # noqa: B023
    assert code == 130
    assert "the same command" in err
    code, _, err = call("predict", *slow, texts, "--output", out)
    assert code == 0
    assert "300 lines" in err
    assert "by earlier runs" in err
    assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert [result["text"] for result in read(out)] == MANY


def write_docs(path, *texts):
    nlp = spacy.blank("xx")
    DocBin(docs=[nlp.make_doc(text) for text in texts]).to_disk(path)


def test_a_run_resumes_after_an_input_was_fixed(call, slow, tmp_path):
    (tmp_path / "in").mkdir()
    write_docs(tmp_path / "in/a.spacy", *MANY[:24], "FAIL")
    (tmp_path / "in/b.spacy").write_bytes(b"no documents")
    code, _, err = call("predict", *slow, "in", "--output", "out.jsonl")
    assert code == 1
    assert "20 lines are in out.jsonl.part" in err
    assert "b.spacy: is not a .spacy file" in err
    write_docs(tmp_path / "in/b.spacy", *MANY[25:35])
    code, _, err = call("predict", *slow, "in", "--output", "out.jsonl")
    assert code == 1
    assert "35 lines, 20 of them by earlier runs" in err
    assert "1 lines not predicted" in err


# --- Processes ----------------------------------------------------------------------


def test_processes_do_not_hang_with_threads_of_torch(call, tmp_path):
    pipes = TRAINED["crf_ner over a transformer"]
    nlp = spacy.blank("xx")
    nlp.add_pipe("crf_ner", config={**pipes["crf_ner"]}).add_label("LOC")
    nlp.initialize()
    nlp.to_disk(tmp_path / "model")
    texts = write_lines(tmp_path / "in.txt", MANY)
    args = (tmp_path / "model", texts, "--batch-size", 16, "--output")
    assert call("predict", *args, tmp_path / "1.jsonl")[0] == 0
    code, _, err = finish(start(*args, tmp_path / "2.jsonl", "--n-process", 2))
    assert code == 0, err
    one, two = read(tmp_path / "1.jsonl"), read(tmp_path / "2.jsonl")
    assert [result["text"] for result in two] == MANY
    assert list(map(entities, one)) == list(map(entities, two))


def test_a_process_that_is_ended_ends_the_command(call, slow, tmp_path):
    lines = [*MANY[:105], "STOP", *MANY[105:]]
    texts = write_lines(tmp_path / "in.txt", lines)
    options = ("--n-process", 2, "--output", "out.jsonl")
    code, _, err = call("predict", *slow, texts, *options)
    assert code == 1
    assert "a process was ended from outside" in err
    assert "Traceback" not in err
    done = read(tmp_path / "out.jsonl.part")
    assert [result["text"] for result in done] == lines[: len(done)]


@pytest.mark.parametrize("n_process", [1, 2])
def test_a_text_at_which_the_pipeline_fails_gets_an_error(
    call, slow, tmp_path, n_process
):
    lines = [*MANY[:15], "FAIL", *MANY[15:35]]
    texts = write_lines(tmp_path / "in.txt", lines)
    options = ("--n-process", n_process, "--output", "out.jsonl")
    code, _, err = call("predict", *slow, texts, *options)
    assert code == 1
    assert "36 lines (" in err
    assert '; 1 lines not predicted, see their "error")' in err
    results = read(tmp_path / "out.jsonl")
    assert [result["text"] for result in results] == lines
    error = results.pop(15)["error"]
    assert error.startswith(f"{texts}, line 16: the pipeline fails (RuntimeError: this")
    assert all(map(entities, results))


# --- Errors ------------------------------------------------------------


def test_a_text_over_the_limit_of_spacy(call, model, tmp_path):
    long = "It rains . " * 100_000 + "Anna Berg lives in New York ."
    write_lines(tmp_path / "in.txt", [TEXTS[0], long, TEXTS[1]])
    code, _, err = call("predict", model, "in.txt", "--output", "out.jsonl")
    assert (code, "in 3 texts)" in err) == (0, True)
    results = read(tmp_path / "out.jsonl")
    assert [result["text"] for result in results] == [TEXTS[0], long, TEXTS[1]]
    for found in results[1]["entities"]:
        assert long[found["start"] : found["end"]] == found["text"]
    assert ("LOC", "New York") in entities(results[1])


@pytest.mark.parametrize("n_process", [1, 2])
def test_texts_over_a_maximum_get_an_error(call, model, tmp_path, n_process):
    lines = [
        {"text": text, "error": "mine"} for text in (TEXTS[0], "a" * 101, TEXTS[1])
    ]
    write_lines(tmp_path / "in.jsonl", map(json.dumps, lines))
    options = ("--max-length", 100, "--batch-size", 2, "--n-process", n_process)
    code, _, err = call("predict", model, "in.jsonl", "-o", "out.jsonl", *options)
    assert code == 0
    assert "4 entities in 3 texts" in err
    assert "3 input fields replaced by predictions; 1 longer than --max-length" in err
    results = read(tmp_path / "out.jsonl")
    assert [len(result["entities"] or ()) for result in results] == [2, 0, 2]
    assert results[1] == {
        "text": "a" * 101,
        "entities": None,
        "error": "the text has 101 characters, more than --max-length 100",
    }
    assert "error" not in results[0]


def test_a_line_with_an_error_is_kept_by_a_run_that_resumes(call, model, tmp_path):
    (tmp_path / "in").mkdir()
    write_docs(tmp_path / "in/a.spacy", "a" * 20, "b")
    (tmp_path / "in/b.spacy").write_bytes(b"no documents")
    options = ("in", "-o", "out.jsonl", "--batch-size", "1")
    assert call("predict", model, *options, "--max-length", "10")[0] == 1
    part = (tmp_path / "out.jsonl.part").read_bytes()
    write_docs(tmp_path / "in/b.spacy", "c")
    code, _, err = call("predict", model, *options, "--max-length", "30")
    assert code == 1 and "was started with max_length 10, not 30" in err
    code, _, err = call("predict", model, *options, "--max-length", "10")
    assert code == 0 and "2 of them by earlier runs" in err
    assert (tmp_path / "out.jsonl").read_bytes().startswith(part)


BAD = [
    b'{"text": "Anna Berg lives in New York .", "id": 1}',
    b"no json",
    b'{"text": 3}',
    b'{"text": "\xe9"}',
    b'{"text": "New York"}',
]


@pytest.mark.parametrize("size", [1, 64])
def test_a_bad_line_gets_an_error(call, model, tmp_path, size):
    (tmp_path / "in.jsonl").write_bytes(b"\n".join(BAD))
    args = ("in.jsonl", "-o", "out.jsonl", "--batch-size", size)
    code, _, err = call("predict", model, *args)
    assert code == 1
    assert '5 lines (3 entities in 5 texts; 3 lines not predicted, see their "' in err
    first, *errors, last = read(tmp_path / "out.jsonl")
    assert entities(first) == [("PER", "Anna Berg"), ("LOC", "New York")]
    assert entities(last) == [("LOC", "New York")]
    for error, line, what in zip(
        errors, (2, 3, 4), ("is not JSON", "is not a JSON object", "is not UTF-8")
    ):
        assert list(error) == ["text", "entities", "error"]
        assert (error["text"], error["entities"]) == (None, None)
        assert error["error"].startswith(f"in.jsonl, line {line}: ")
        assert what in error["error"]


@pytest.mark.parametrize(
    ("args", "what"),
    [
        (["in.csv"], "give --format text, jsonl, parquet or spacy"),
        (["none.txt"], "none.txt: there is no such file"),
        (["empty.txt"], "empty.txt: the file is empty"),
        (["in.txt", "--output", "out.txt"], "must end in .jsonl"),
        (["in.jsonl", "--output", "in.jsonl"], "is input and output"),
        (["-", "--format", "spacy"], "spacy is not read from stdin"),
        (["in.txt", "--gpu-id", "0", "--n-process", "2"], "exclude each other"),
        (["in.txt", "--treshold", "1"], "no such option --treshold"),
    ],
)
def test_errors_are_one_sentence(call, model, tmp_path, args, what):
    write_lines(tmp_path / "in.txt", TEXTS)
    write_lines(tmp_path / "in.jsonl", ['{"text": "a"}'])
    write_lines(tmp_path / "in.csv", TEXTS)
    (tmp_path / "empty.txt").touch()
    code, out, err = call("predict", model, *args)
    assert (code, out) == (1, "")
    assert what in err
    assert err.startswith("Error: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("damage", ["absent", "empty", "weights"])
def test_a_model_that_does_not_load_is_named(call, model, tmp_path, damage):
    write_lines(tmp_path / "in.txt", TEXTS)
    folder = tmp_path / "model"
    if damage != "absent":
        folder.mkdir()
    if damage == "weights":
        spacy.load(model).to_disk(folder)
        (folder / "crf_ner/model").write_bytes(b"no weights")
    code, out, err = call("predict", folder, "in.txt", "--output", "out.jsonl")
    assert (code, out) == (1, "")
    assert f"Error: {folder} is not a pipeline" in err
    assert err.count("\n") == 1
    assert not list(tmp_path.glob("out*"))


def test_another_model_does_not_resume(call, model, tmp_path):
    (tmp_path / "in").mkdir()
    write_docs(tmp_path / "in/a.spacy", "a", "b")
    (tmp_path / "in/b.spacy").write_bytes(b"no documents")
    args = ("in", "--output", "out.jsonl", "--batch-size", 2)
    call("predict", model, *args)
    code, _, err = call("predict", model, *args, "--components.crf_ner.threshold", 0.5)
    assert code == 1
    assert "it was started with overrides" in err
    assert "--overwrite" in err
    fitted("flat_iob2").to_disk(tmp_path / "other")
    code, _, err = call("predict", tmp_path / "other", *args)
    assert code == 1
    assert "it was started with pipeline" in err
