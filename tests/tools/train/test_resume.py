"""A run that is killed and resumed ends with the same files as one that is not."""

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import srsly
from safetensors.numpy import load_file

from spacy_ner_ext import train
from spacy_ner_ext.tools.train.checkpoint import find_checkpoints
from tests.helpers.training_runs import TRAINED, grouped, make_config, write_corpus

KILLS = 20
STEPS = 40
PLACES = ("step", "step", "checkpoint", "saving")
# Time is not what it would have been.
OF_TIME = {"seconds", "words_per_second", "remaining_seconds", "speed", "timestamp"}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"))


def config_of(name, corpus, **training):
    own = grouped() if name in ("crf_ner over a transformer", "span_marker_ner") else {}
    return make_config(name, corpus, **{"max_steps": STEPS, **own, **training})


def files_of(folder):
    return {
        path.relative_to(folder): path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def without_time(value):
    if isinstance(value, dict):
        kept = {k: v for k, v in value.items() if k not in OF_TIME}
        return {k: without_time(v) for k, v in kept.items()}
    return [without_time(v) for v in value] if isinstance(value, list) else value


def check_same_pipeline(first, second):
    one, other = files_of(first), files_of(second)
    assert one.keys() == other.keys()
    for name, path in one.items():
        if name.name == "meta.json":
            metas = [without_time(srsly.read_json(p)) for p in (path, other[name])]
            assert metas[0] == metas[1]
        else:
            assert path.read_bytes() == other[name].read_bytes(), name


def read_log(folder):
    return [without_time(line) for line in srsly.read_jsonl(folder / "log.jsonl")]


def check_same_run(first, second):
    check_same_pipeline(first / "model-best", second / "model-best")
    check_same_pipeline(first / "model-last", second / "model-last")
    assert read_log(first) == read_log(second)
    states = []
    for folder in (first, second):
        last = find_checkpoints(folder)[-1]
        arrays = load_file(last / "state.safetensors")
        state = without_time(srsly.read_json(last / "state.json"))
        states.append((last.name, {k: a.tobytes() for k, a in arrays.items()}, state))
    assert states[0] == states[1]
    runs = [without_time(srsly.read_json(f / "run.json")) for f in (first, second)]
    assert runs[0] == runs[1]
    assert runs[0]["status"] == "finished"


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAINED)
def test_killed_at_twenty_steps(name, corpus, tmp_path):
    drawn = random.Random(name)
    steps = sorted(drawn.sample(range(1, STEPS - 5), KILLS))
    kills = [(step, drawn.choice(PLACES)) for step in steps]
    check_killed(config_of(name, corpus), kills, tmp_path)


def test_killed_while_saving_and_while_writing_a_checkpoint(corpus, tmp_path):
    """The second process has the checkpoint of step 4, and an old model-last."""
    config = config_of("crf_ner over a transformer", corpus, max_steps=10)
    check_killed(config, [(5, "saving"), (7, "checkpoint")], tmp_path)


def check_killed(config, kills, tmp_path):
    srsly.write_json(tmp_path / "config.json", config)
    srsly.write_json(tmp_path / "kills.json", kills)
    paths = [tmp_path / n for n in ("config.json", "killed", "kills.json")]
    environment = {**os.environ, "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.helpers.killed", *map(str, paths)],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    statuses = json.loads(done.stdout)
    assert statuses == [*[signal.SIGKILL] * len(kills), 0], done.stderr
    train(config, tmp_path / "whole", checkpoint_every=4, silent=True)
    check_same_run(tmp_path / "whole", tmp_path / "killed")
