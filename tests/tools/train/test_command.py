"""`python -m spacy_ner_ext train`, as people run it."""

import signal
import subprocess
import sys
import time

import pytest
import spacy
import srsly
from spacy.util import logger
from thinc.api import Config

from tests.helpers.training_runs import make_config, write_corpus

STEPS = 400


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """A config whose corpora are given as its paths."""
    folder = tmp_path_factory.mktemp("train")
    corpus = write_corpus(folder / "corpus")
    config = make_config("crf_ner", corpus, max_steps=6, eval_frequency=3)
    for name in ("train", "dev"):
        config["paths"][name] = str(corpus / f"{name}.spacy")
        config["corpora"][name]["path"] = f"${{paths.{name}}}"
    Config(config).to_disk(folder / "train.cfg")
    return folder / "train.cfg"


@pytest.fixture(autouse=True)
def same_log_level():
    before = logger.level
    yield
    logger.setLevel(before)


def test_trains_as_spacy_does_and_says_where(config, call, tmp_path):
    output = tmp_path / "run"
    code, stdout, stderr = call(
        "train", config, "--output", output, "--checkpoint-every", 3
    )
    assert code == 0, stderr
    assert "ENTS_F" in stdout
    assert "step 6 was reached" in stdout
    assert "model-best" in stdout.replace("\n", "")
    assert spacy.load(output / "model-best").pipe_names[-1] == "crf_ner"
    steps = [line["step"] for line in srsly.read_jsonl(output / "log.jsonl")]
    assert steps == [0, 3, 6]


def test_a_run_is_resumed_to_a_later_end(config, call, tmp_path):
    call("train", config, "--output", tmp_path, "--checkpoint-every", 3)
    options = ("--resume-to", "9 steps", "--training.eval_frequency", 3)
    code, stdout, stderr = call("train", config, "--output", tmp_path, *options)
    assert code == 0, stderr
    assert "step 9 was reached" in stdout
    steps = [line["step"] for line in srsly.read_jsonl(tmp_path / "log.jsonl")]
    assert steps == [0, 3, 6, 9]


def test_a_run_that_has_ended_says_how_to_extend_it(config, call, tmp_path):
    call("train", config, "--output", tmp_path, "--checkpoint-every", 3)
    code, stdout, stderr = call("train", config, "--output", tmp_path, "--resume")
    assert code == 0, stderr
    lines = [line for line in stdout.splitlines() if "extend" in line]
    assert lines == [
        "The run had ended already: step 6 was reached; extend it by "
        '--resume-to "12 steps"'
    ]


def hear_interrupts():
    # Shells let what runs in the background ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_ctrl_c_saves_and_says_how_to_resume(config, call, tmp_path):
    output = tmp_path / "run"
    command = [sys.executable, "-m", "spacy_ner_ext", "train", str(config)]
    options = ["--output", str(output), "--training.max_steps", str(STEPS)]
    process = subprocess.Popen(
        [*command, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_interrupts,
    )
    while process.poll() is None and not (output / "model-last").exists():
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate()
    assert process.returncode == 130, stderr
    assert "Training was stopped" in stdout
    (line,) = [line for line in stdout.splitlines() if line.startswith("Resume with")]
    assert line == f"Resume with: python -m spacy_ner_ext train {config} " + (
        " ".join([*options, "--resume"])
    )
    facts = srsly.read_json(output / "run.json")
    assert facts["status"] == "stopped"
    assert facts["step"] < STEPS
    # Patience ends it soon.
    code, stdout, stderr = call(
        "train", config, *options, "--resume", "--training.patience", 3
    )
    assert code == 0, stderr
    assert f"Resuming after step {facts['step']}" in stdout


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--resume"], ["has no checkpoint", "--checkpoint-every"]),
        (["--resume-to", "9 lives"], ["has no checkpoint"]),
        (["--training.max_stepz", "3"], ["max_stepz"]),
        (["--max-steps", "3"], ["no such option --max-steps", "--paths.train"]),
        (["--spacy_ner_ext.patience", "long"], ["patience = 'long'", "5 evaluations"]),
        (["--spacy_ner_ext.sub_batch", "9 pieces"], ["sub_batch counts pieces"]),
        (["--paths.train", "nowhere.spacy"], ["nowhere.spacy"]),
    ],
)
def test_an_error_is_one_line(options, parts, config, call, tmp_path):
    code, _, stderr = call("train", config, "--output", tmp_path / "run", *options)
    assert code == 1
    line = stderr.strip().splitlines()[-1]
    assert line.startswith("Error: ")
    for part in parts:
        assert part in line
    assert not (tmp_path / "run/model-last").exists()


def test_help_has_an_example(call):
    code, stdout, _ = call("train", "--help")
    assert code == 0
    assert "--resume-to" in stdout
    assert "Examples:" in stdout
