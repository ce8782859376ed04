"""`sweep` with real trainings of a tiny pipeline."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import spacy
from pipelines import CORPUS, TOK2VEC, annotate, words_of
from spacy import util
from spacy.tokens import Doc, DocBin

TRAIN = ("--paths.train", "train.spacy", "--paths.dev", "train.spacy")
QUICK = (*TRAIN, "--training.max_steps", "20", "--training.eval_frequency", "10")
OBJECTIVE = "components.crf_ner.objective"


@pytest.fixture(autouse=True)
def files(tmp_path):
    """A config of a tiny pipeline, and its corpus."""
    nlp = spacy.blank("xx")
    nlp.add_pipe("crf_ner", config={"model": {"tok2vec": TOK2VEC}})
    config = nlp.config.copy()
    config["training"]["optimizer"]["learn_rate"] = 0.02
    config.to_disk(tmp_path / "a.cfg")
    docs = [annotate(Doc(nlp.vocab, words_of(text)), spans) for text, spans in CORPUS]
    DocBin(docs=docs).to_disk(tmp_path / "train.spacy")


def read_trials(folder):
    text = (folder / "trials.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def one_line(text):
    return " ".join(text.split())


def check_error(result, *parts):
    code, _, err = result
    assert code == 1
    assert err.startswith("Error: ") and err.count("\n") == 1
    for part in parts:
        assert part in err


def test_trials_are_trained_and_compared(run, tmp_path):
    values = f"{OBJECTIVE}=joint,none"
    done = run("sweep", "a.cfg", "--output", "s", "--grid", values, *QUICK)
    assert (done.returncode, done.stderr) == (0, "")
    first, second = read_trials(tmp_path / "s")
    assert first["status"] == "finished" and first["score"] == first["scores"]["ents_f"]
    assert (
        second["status"] == "failed" and "Unknown objective 'none'" in second["error"]
    )
    shown = one_line(done.stdout)
    assert f"Trial 2 of 2: {OBJECTIVE}=none" in shown
    assert f"Trial 2 failed: {second['error']}" in shown
    assert re.search(rf"Best: {OBJECTIVE}=joint, score {first['score']:.4f}", shown)
    assert sorted(os.listdir(tmp_path / "s")) == [
        *("best.cfg", "sweep.json", "sweep.tsv", "trial-001", "trial-002"),
        "trials.jsonl",
    ]
    kept = set(os.listdir(tmp_path / "s" / "trial-001"))
    assert "model-best" in kept and not {"model-last", "checkpoints"} & kept
    nlp = spacy.load(tmp_path / "s" / "trial-001" / "model-best")
    assert nlp.pipe_names == ["crf_ner"]
    best = util.load_config(tmp_path / "s" / "best.cfg")
    assert best["training"]["max_steps"] == 20


def test_a_sweep_that_is_stopped_goes_on_inside_its_trial(run, call, tmp_path):
    args = ["sweep", "a.cfg", "--output", "s", "--grid", "training.dropout=0.1"]
    args += [*TRAIN, "--training.max_steps", "400", "--training.eval_frequency", "100"]
    args += ["--checkpoint-every", "20", "--keep", "none", "--metric", "ents_p"]
    command = [sys.executable, "-m", "spacy_ner_ext", *args]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL) as sweep:
        checkpoints = tmp_path / "s" / "trial-001" / "checkpoints"
        while not list(checkpoints.glob("step-*")):
            assert sweep.poll() is None
            time.sleep(0.05)
        sweep.send_signal(signal.SIGTERM)
    assert sweep.returncode == 128 + signal.SIGTERM
    assert not (tmp_path / "s" / "trials.jsonl").exists()
    check_error(call(*args), "s has a sweep", "--resume")
    done = run(*args, "--resume")
    assert (done.returncode, done.stderr) == (0, "")
    log = (tmp_path / "s" / "trial-001" / "output.log").read_text()
    assert "Going on after step" in log
    (trial,) = read_trials(tmp_path / "s")
    assert trial["status"] == "finished"
    assert trial["score"] == trial["scores"]["ents_p"]
    assert not list((tmp_path / "s").glob("trial-*/model-*"))


def test_if_all_trials_fail_so_does_the_sweep(call, tmp_path):
    result = call("sweep", "a.cfg", "-o", "s", "--grid", f"{OBJECTIVE}=none", *QUICK)
    check_error(result, "all trials failed", "s/trial-001/output.log")
    assert not (tmp_path / "s" / "best.cfg").exists()


@pytest.mark.parametrize(
    "args,parts",
    [
        (["--grid", "training.dropuot=1"], ["no setting training.dropuot"]),
        (["--grid", "dropout=1"], ["by its full name"]),
        ([], ["give either --grid or"]),
        (["--grid", "nlp.a=1", "--space", "nlp.b=1..2"], ["give either --grid or"]),
        (
            ["--space", "training.dropout=0.1..0.2"],
            ["--space and --trials go together"],
        ),
        (["--grid", "training.dropout=1", "--trials", "3"], ["go together"]),
        (["--grid", "training.dropout=1", "--seeds", "1,1"], ["--seeds 1,1"]),
        (["--grid", "training.dropout=1", "--nothing"], ["no such option --nothing"]),
        (["--grid", "training.dropout=1", "--a.b", "3"], ["a.cfg is no config"]),
        (["--grid", "training.dropout=1", "--resume"], ["has no sweep to resume"]),
    ],
)
def test_nothing_runs_if_an_argument_cannot_be_used(call, tmp_path, args, parts):
    check_error(call("sweep", "a.cfg", "--output", "s", *args), *parts)
    assert not (tmp_path / "s").exists()


def test_without_optuna_the_error_says_how_to_install_it(call, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    drawn = ("--space", "training.dropout=0.1..0.2", "--trials", 2)
    result = call("sweep", "a.cfg", "--output", "s", *drawn)
    check_error(result, 'pip install "spacy-ner-ext[sweep]"')


def test_help_shows_an_example(call):
    code, out, _ = call("sweep", "--help")
    assert code == 0 and "python -m spacy_ner_ext sweep configs/crf_cpu.cfg" in out


def test_the_config_has_to_be_there(call):
    code, _, err = call("sweep", "none.cfg", "--output", "s")
    assert code == 2 and "'none.cfg' does not exist" in err
    assert not Path("s").exists()
