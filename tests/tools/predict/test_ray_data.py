"""The engine `ray`: the rows of the local engine, whatever is killed."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.dataset
import pytest

from tests.helpers.pipelines import TEXTS, fitted

pytest.importorskip("ray")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
LIMIT = 300
SLOW = """
import os, time
from spacy.language import Language

@Language.component("slow")
def slow(doc):
    time.sleep(0.002)
    if "STOP" in doc.text:
        os._exit(9)
    return doc
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ray") / "model"
    fitted("flat_biluo").to_disk(folder)
    return folder


@pytest.fixture(scope="module")
def slow(model):
    """The options for a pipeline with a slow component, which ends its process at a
    text."""
    code = model.with_name("slow.py")
    code.write_text(SLOW)
    folder = model.with_name("slow")
    fitted("flat_biluo").to_disk(folder)
    config = (folder / "config.cfg").read_text()
    config = config.replace('pipeline = ["crf_ner"]', 'pipeline = ["slow","crf_ner"]')
    config += '\n[components.slow]\nfactory = "slow"\n'
    (folder / "config.cfg").write_text(config)
    return [str(folder), "--code", str(code)]


def write(path, n, *more):
    lines = [{"text": f"{TEXTS[i % 5]} {i}", "n": i} for i in range(n)]
    lines += [{"text": text, "n": -1} for text in more]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))


def start(folder, *args, workers=2):
    """Start the command on Ray, in a folder."""
    options = ["--engine", "ray", "--workers", workers, "--ray-node-ip", "127.0.0.1"]
    command = [sys.executable, "-m", "spacy_ner_ext", "predict", *args, *options]
    return subprocess.Popen(
        [str(part) for part in command],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "RAY_TMPDIR": "/tmp/ray_predict"},
    )


def finish(process):
    try:
        _, err = process.communicate(timeout=LIMIT)
    finally:
        process.kill()
    # Ray writes about itself.
    lines = [line for line in err.splitlines() if not line.startswith("[")]
    return process.returncode, "\n".join(lines)


def read(folder):
    rows = pyarrow.dataset.dataset(folder).to_table().to_pylist()
    return sorted(rows, key=lambda row: row["id"])


def descendants(pid):
    """The processes below one, with their command lines."""
    found = {}
    for file in Path("/proc").glob(f"{pid}/task/*/children"):
        try:
            children = file.read_text().split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        for child in children:
            try:
                line = Path(f"/proc/{child}/cmdline").read_bytes().decode()
            except (FileNotFoundError, ProcessLookupError):
                continue
            found |= {int(child): line, **descendants(child)}
    return found


def actors(pid):
    return [p for p, line in descendants(pid).items() if "MapBatches(Annot" in line]


def wait_for_actor(process):
    while not (found := actors(process.pid)):
        assert process.poll() is None
        time.sleep(0.1)
    return found


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def test_files_are_read_and_written_without_spacy():
    code = "import sys, spacy_ner_ext.tools.predict.ray_files as m;"
    code += "print({'torch', 'spacy', 'thinc'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout == "set()\n", run.stderr


def test_the_rows_of_the_local_engine(call, model, tmp_path):
    (tmp_path / "in").mkdir()
    write(tmp_path / "in/a.jsonl", 1200, "a" * 200)
    write(tmp_path / "in/b.jsonl", 30)
    with (tmp_path / "in/b.jsonl").open("a") as file:
        file.write("no json\n")
    options = ("--columns", "n", "--max-length", 100)
    assert call("predict", model, "in", "local", *options)[0] == 1
    code, err = finish(start(tmp_path, model, "in", "ray", *options))
    assert "1 longer than --max-length" in err and "1 lines not predicted" in err
    assert "Wrote ray (" in err and "in 1232 texts" in err
    assert code == 1
    assert read(tmp_path / "ray") == read(tmp_path / "local")
    # The local engine continues what Ray began.
    write(tmp_path / "in/c.jsonl", 9)
    code, _, err = call("predict", model, "in", "ray", *options)
    assert code == 0 and "earlier rows are kept" in err and "in 9 texts" in err
    assert len({row["id"] for row in read(tmp_path / "ray")}) == 1241


def n_committed(folder):
    """Files of committed chunks, without those that are pending."""
    found = folder.glob("_checkpoint/*.parquet")
    return sum(not path.name.endswith(".pending.parquet") for path in found)


@pytest.mark.slow
def test_killed_actors_and_drivers_lose_and_repeat_nothing(call, slow, tmp_path):
    write(tmp_path / "in.jsonl", 20_000)
    generator = random.Random(0)
    for _ in range(2):
        process = start(tmp_path, *slow, "in.jsonl", "ray", "--columns", "n")
        committed = n_committed(tmp_path / "ray")
        for _ in range(2):
            wait_for_actor(process)
            time.sleep(generator.uniform(0, 5))
            # Ray may have replaced those that were there before.
            while not kill(generator.choice(wait_for_actor(process))):
                pass
        while n_committed(tmp_path / "ray") <= committed:
            assert process.poll() is None
            time.sleep(0.1)
        below = descendants(process.pid)
        kill(process.pid)
        finish(process)
        for pid, line in below.items():
            # Ray's own helpers outlive it for a while.
            if line.startswith("ray::"):
                kill(pid)
    code, err = finish(start(tmp_path, *slow, "in.jsonl", "ray", "--columns", "n"))
    assert code == 0, err
    assert "earlier rows are kept" in err
    assert call("predict", *slow, "in.jsonl", "local", "--columns", "n")[0] == 0
    rows = read(tmp_path / "ray")
    assert len({row["id"] for row in rows}) == len(rows) == 20_000
    assert rows == read(tmp_path / "local")


@pytest.mark.slow
def test_a_text_that_ends_every_worker_ends_the_run(slow, tmp_path):
    write(tmp_path / "in.jsonl", 10, "STOP")
    code, err = finish(start(tmp_path, *slow, "in.jsonl", "out", workers=1))
    assert code == 1
    assert err.startswith("Error: a worker ended again and again"), err
    assert err.count("\n") == 0


@pytest.mark.slow
def test_a_pipeline_that_does_not_load_is_named(model, tmp_path):
    write(tmp_path / "in.jsonl", 10)
    fitted("flat_biluo").to_disk(tmp_path / "model")
    (tmp_path / "model/crf_ner/model").write_bytes(b"no weights")
    code, err = finish(start(tmp_path, "model", "in.jsonl", "out", workers=1))
    assert code == 1
    assert err.startswith(f"Error: {tmp_path}/model is not a pipeline"), err
    assert err.count("\n") == 0
