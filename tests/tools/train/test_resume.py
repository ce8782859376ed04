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

from spacy_ner_ext import train
from tests.helpers.same_run import check_same_run
from tests.helpers.training_runs import TRAINED, grouped, make_config, write_corpus

KILLS = 20
STEPS = 40
PLACES = ("step", "step", "checkpoint", "saving")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"))


def config_of(name, corpus, **training):
    own = grouped() if name in ("crf_ner over a transformer", "span_marker_ner") else {}
    return make_config(name, corpus, **{"max_steps": STEPS, **own, **training})


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
