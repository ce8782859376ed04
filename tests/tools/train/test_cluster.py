"""`train --workers`: training on Ray, also when workers, or the command itself, die.

A start of Ray and its workers takes about half a minute on two idle cores.
"""

import fcntl
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import numpy
import pytest
import spacy
import srsly
from ray.exceptions import ActorDiedError
from ray.train.v2._internal.exceptions import WorkerHealthCheckFailedError
from thinc.api import Config

from spacy_ner_ext.tools.train.channel import Channel, Steps, show, why_failed
from spacy_ner_ext.tools.train.worker import LOCK, locked
from spacy_ner_ext.util.errors import LostProcess, UserError
from tests.helpers.training_runs import make_config, write_corpus
from tests.helpers.weights import values_of

NODE_IP = ("--ray-node-ip", "127.0.0.1")
STEPS = 24
EVERY = 4
# Kills a rank at a step, as a file with both numbers asks.
CODE = """
import os, signal
from pathlib import Path
from spacy import registry

@registry.callbacks("kill.v1")
def make_kill():
    def kill(nlp, where):
        rank = os.environ.get("RANK", "0")
        for path in Path("kills").glob(f"{rank}-{where['step']}"):
            path.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
    return kill
"""


@pytest.fixture(scope="module")
def environment():
    # Not pytest's: the paths of sockets are limited to 107 characters.
    with TemporaryDirectory(prefix="ray_", ignore_cleanup_errors=True) as folder:
        yield {**os.environ, "RAY_TMPDIR": folder, "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture
def folder(tmp_path, corpus):
    """A folder with train.cfg, which names the corpus by a path that counts from it,
    code.py, and kills."""
    (tmp_path / "corpus").symlink_to(corpus)
    config = make_config(
        "crf_ner",
        Path("corpus"),
        max_steps=STEPS,
        before_update={"@callbacks": "kill.v1"},
    )
    Config(config).to_disk(tmp_path / "train.cfg")
    (tmp_path / "code.py").write_text(CODE)
    (tmp_path / "kills").mkdir()
    return tmp_path


def command(*options, workers="2", by="ray"):
    start = [sys.executable, "-m"]
    if by == "torchrun":
        start += ["torch.distributed.run", "--nproc-per-node", workers, "-m"]
    start += ["spacy_ner_ext", "train", "train.cfg", "--code", "code.py"]
    if by == "ray":
        start += ["--workers", workers, *NODE_IP]
    return [*start, "--output", "run", "--checkpoint-every", str(EVERY), *options]


def run(folder, environment, *options, **settings):
    return subprocess.run(
        command(*options, **settings),
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment,
        timeout=500,
    )


def start(folder, environment, *options, **settings):
    """Start a command in a group of processes of its own, as a shell does."""
    return subprocess.Popen(
        command(*options, **settings),
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=hear_interrupts,
    )


def hear_interrupts():
    signal.signal(signal.SIGINT, signal.default_int_handler)


def wait_until(condition, process):
    while not condition():
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)


def processes(environment):
    """The ids of the processes of the command and of its Ray."""
    mark = f"RAY_TMPDIR={environment['RAY_TMPDIR']}".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (path / "environ").read_bytes():
                found.append(int(path.name))
        except OSError:
            pass
    return found


def trains(pid):
    """Whether a process is a worker."""
    try:
        return b"RayTrainWorker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def weights(folder):
    path = folder / "run/model-last"
    return {p.relative_to(path): p.read_bytes() for p in path.rglob("model")}


def check_close(found, expected):
    """Weights equal others to 1e-5 of the largest one of their array."""
    found, expected = (values_of(spacy.load(path)) for path in (found, expected))
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        error = numpy.abs(found[name] - array).max()
        assert error <= 1e-5 * numpy.abs(array).max(), name


def logged_steps(folder):
    return [line["step"] for line in srsly.read_jsonl(folder / "run/log.jsonl")]


def test_trains_on_workers_as_in_one_process(folder, environment):
    """The paths count from the folder of the command; its output comes once."""
    options = ("--training.max_steps", "6", "--training.dropout", "0.0")
    done = run(folder, environment, *options, by="itself")
    assert done.returncode == 0, done.stderr
    (folder / "run").rename(folder / "alone")
    done = run(folder, environment, *options)
    assert done.returncode == 0, done.stderr
    check_close(folder / "run/model-last", folder / "alone/model-last")
    assert "Processes: 2" in done.stdout
    assert done.stdout.count("ENTS_F") == 1
    assert "step 6 was reached" in done.stdout
    assert done.stderr.count("Initialized pipeline components") == 1
    assert logged_steps(folder) == [0, 6]
    files = {path.name for path in (folder / "run").iterdir()}
    assert files == {path.name for path in (folder / "alone").iterdir()}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_killed_runs_end_with_the_weights_of_one_that_was_not(
    seed, folder, environment
):
    """Workers at any step, then the command, and at last all that it started."""
    done = run(folder, environment, by="torchrun")
    assert done.returncode == 0, done.stderr
    expected = weights(folder)
    drawn = random.Random(seed)
    # After the first checkpoint.
    steps = sorted(drawn.sample(range(EVERY + 1, STEPS), 4))
    kills = [folder / "kills" / f"{drawn.randrange(2)}-{step}" for step in steps]
    for path in kills:
        path.touch()
    process = start(folder, environment, "--overwrite", "--max-failures", "4")
    wait_until(lambda: not kills[1].exists(), process)
    process.kill()
    _, stderr = process.communicate()
    said = [line for line in stderr.splitlines() if "restarts" in line]
    assert len(said) <= 2
    # The workers of the first may still live.
    process = start(folder, environment, "--resume", "--max-failures", "4")
    wait_until(lambda: not kills[2].exists(), process)
    for pid in processes(environment):
        os.kill(pid, signal.SIGKILL)
    process.communicate()
    done = run(folder, environment, "--resume", "--max-failures", "4")
    assert done.returncode == 0, done.stderr
    assert not list((folder / "kills").iterdir())
    assert weights(folder) == expected
    assert logged_steps(folder) == [0, 6, 12, 18, 24]
    assert not list((folder / "run").glob(".*"))


@pytest.mark.slow
def test_workers_end_with_the_command(folder, environment):
    options = ("--training.max_steps", "100000", "--checkpoint-every", "5")
    process = start(folder, environment, *options)
    wait_until(lambda: (folder / "run/checkpoints/step-00000010").exists(), process)
    assert any(map(trains, processes(environment)))
    process.kill()
    process.communicate()
    end = time.monotonic() + 60
    while any(map(trains, processes(environment))):
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.mark.slow
def test_a_worker_that_dies_is_started_again(folder, environment):
    """The number of workers is as large as there is room."""
    (folder / "kills/1-9").touch()
    done = run(folder, environment, workers="1:2")
    assert done.returncode == 0, done.stderr
    assert "Processes: 2" in done.stdout
    assert done.stdout.count("ENTS_F") == 2
    assert "Resuming after step 8" in done.stdout
    assert f"step {STEPS} was reached" in done.stdout
    (line,) = [text for text in done.stderr.splitlines() if "restarts" in text]
    assert line.startswith("After step 8, worker 1 died (process ")
    assert line.endswith("restarts from the last checkpoint, 1 of at most 3 times")
    assert logged_steps(folder) == [0, 6, 12, 18, 24]


@pytest.mark.slow
def test_more_failures_than_allowed_are_one_sentence(folder, environment):
    for step in (5, 9):
        (folder / f"kills/0-{step}").touch()
    done = run(folder, environment, "--max-failures", "1")
    assert done.returncode == 1
    line = done.stderr.splitlines()[-1]
    assert line.startswith("Error: After step 8, worker 0 died")
    assert "--resume" in line
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "part"),
    [
        (("--corpora.train.path", "nowhere.spacy"), "nowhere.spacy: No such file"),
        (("--training.optimizer.L2", "x"), "train.cfg cannot be used for training"),
        (("--code", "nowhere.py"), "nowhere.py"),
    ],
)
def test_errors_that_would_come_again_are_not_retried(
    options, part, folder, environment
):
    done = run(folder, environment, *options)
    assert done.returncode == 1
    assert part in done.stderr.splitlines()[-1]
    assert "restarts" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_ctrl_c_stops_the_workers_with_a_checkpoint(folder, environment):
    """A terminal sends it to all processes of the command. The number of workers may
    change later."""
    options = ("--training.max_steps", "100000", "--checkpoint-every", "100000")
    process = start(folder, environment, *options)
    wait_until((folder / "run/model-best").exists, process)
    os.killpg(process.pid, signal.SIGINT)
    stdout, stderr = process.communicate(timeout=300)
    assert process.returncode == 130, stderr
    assert "Resume with: python -m spacy_ner_ext train" in stdout
    facts = json.loads((folder / "run/run.json").read_text())
    assert facts["status"] == "stopped"
    options = ("--training.max_steps", str(facts["step"] + 3), "--resume")
    done = run(folder, environment, *options, workers="1")
    assert done.returncode == 0, done.stderr
    assert "The checkpoint is of 2 process(es), now there are 1" in done.stdout


def test_a_run_has_one_writer(tmp_path):
    with (tmp_path / LOCK).open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        taken = pytest.raises(UserError, match="output of another command")
        with taken, locked(tmp_path, timeout=0.2):
            pytest.fail("two workers write")
    with locked(tmp_path, timeout=0):
        assert (tmp_path / LOCK).exists()
    assert not (tmp_path / LOCK).exists()


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["--workers", "two"], "--workers two: give their number"),
        (["--workers", "2"], "--workers needs --output"),
        (["--workers", "2", "--output", "s3://bucket/run"], "folder that all machines"),
        (["--ray-address", "auto"], "name their number, such as --workers 2"),
        (["--max-failures", "2"], "name their number, such as --workers 2"),
    ],
)
def test_an_error_is_one_line(options, part, folder, call):
    code, _, stderr = call("train", "train.cfg", *options)
    assert code == 1
    assert part in stderr.splitlines()[-1]


def test_ray_is_an_extra(folder, call, monkeypatch):
    for name in ("ray", "ray.train"):
        monkeypatch.setitem(sys.modules, name, None)
    code, _, stderr = call("train", "train.cfg", "--output", "run", "--workers", "2")
    assert code == 1
    assert 'install it with: pip install "spacy-ner-ext[ray]"' in stderr


def test_processes_are_not_started_twice(folder, call, monkeypatch):
    monkeypatch.setenv("RANK", "0")
    code, _, stderr = call("train", "train.cfg", "--output", "run", "--workers", "2")
    assert code == 1
    assert "leave torchrun out" in stderr


def test_messages_keep_their_order(capsys):
    channel = Channel()
    for text in ("one ", "two\n"):
        channel.send("stdout", text)
    channel.report_failure("worker 1 died", "it restarts")
    channel.made_step(3)
    channel.report_failure("worker 1 died", "it restarts")
    channel.send("user error", "no such file")
    *texts, error = channel.receive(None)
    for message in texts:
        show(message)
    assert capsys.readouterr() == (
        "one two\n",
        "Before the first step, worker 1 died; it restarts\n"
        "After step 3, worker 1 died; it restarts\n",
    )
    with pytest.raises(UserError, match="no such file"):
        show(error)
    assert channel.receive(None) == []


def test_a_signal_reaches_the_workers_after_a_step():
    channel = Channel()
    remote = SimpleNamespace(made_step=SimpleNamespace(remote=channel.made_step))
    steps = Steps(SimpleNamespace(get=lambda sent: sent), remote)
    assert steps({"step": 0}) is None
    channel.receive(signal.SIGTERM)
    assert steps({"step": 1}) is None
    assert steps({"step": 2}) is signal.SIGTERM
    assert channel.step() == 2


def test_the_reason_is_of_the_worker_that_died():
    died = WorkerHealthCheckFailedError("A worker failed.", ActorDiedError())
    lost = LostProcess("Step 3: rank 0 lost the other 1 rank(s)")
    assert "worker 1 died" in why_failed({0: lost, 1: died})
    assert why_failed({0: lost}).startswith("a worker was lost")
    assert why_failed({2: RuntimeError("out of disk")}) == (
        "worker 2 failed (out of disk)"
    )
