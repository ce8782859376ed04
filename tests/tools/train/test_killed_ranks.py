"""Ranks that are killed, stop, or fail: the others end with the step, and a resumed run
ends with the same files as one that never stopped."""

import os
import random
import re
import signal
import time

import pytest
from thinc.api import Config

from spacy_ner_ext.tools.train.checkpoint import find_checkpoints
from tests.helpers.pipelines import TOK2VEC, crf, listener, span_marker
from tests.helpers.ranks import arrays_of, check_close, ranks_of, torchrun
from tests.helpers.same_run import check_same_run
from tests.helpers.training_runs import TRANSFORMER, grouped, make_config

STEPS = 40
EVERY = 4
# A rank after the first writes no checkpoint.
PLACES = {0: ("step", "exchange", "checkpoint"), 1: ("step", "exchange")}
LISTENING = {"model": {"tok2vec": listener("tok2vec")}}
NER = {"model": {**LISTENING["model"], "state_type": "ner", "hidden_width": 8}}
ENCODER = {**TRANSFORMER, "transformer_config": {"hidden_dropout_prob": 0.1}}
PIPES = {
    "CNN": ("crf_ner", {}),
    "spaCy's": (
        {"tok2vec": {"model": TOK2VEC}, "tagger": LISTENING, "ner": NER},
        {"accumulate_gradient": 2},
    ),
    "transformer": ({"crf_ner": crf(ENCODER)}, grouped()),
    "filtered": ({"span_marker_ner": span_marker()}, grouped()),
}


def make(name, corpus, **training):
    pipes, own = PIPES[name]
    return make_config(pipes, corpus, **{"max_steps": STEPS, **own, **training})


def killed(rank, step, place):
    return rank, step, place, signal.SIGKILL


def check_killed(launch, config, kills, folder, n_ranks=2):
    """Kill ranks of several processes of a run, one after another: in each, the events
    of one element of `kills`."""
    for events in kills:
        has_checkpoint = bool(find_checkpoints(folder / "killed"))
        options = {"checkpoint_every": EVERY, "resume": has_checkpoint}
        codes, output = launch(n_ranks, config, folder / "killed", events, **options)
        dead = {rank for rank, *_ in events}
        expected = [-signal.SIGKILL if i in dead else 1 for i in range(n_ranks)]
        assert codes == expected, (events, output)
    options = {"checkpoint_every": EVERY}
    launch.train(n_ranks, config, folder / "killed", resume=True, **options)
    launch.train(n_ranks, config, folder / "whole", **options)
    check_same_run(folder / "whole", folder / "killed")


def test_killed_ranks_resume(launch, larger_corpus, tmp_path):
    config = make("CNN", larger_corpus, max_steps=14)
    kills = [
        [killed(1, 6, "exchange")],
        [killed(0, 8, "checkpoint")],
        [killed(0, 11, "step"), killed(1, 11, "step")],
    ]
    check_killed(launch, config, kills, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "n_ranks"), [*((p, 2) for p in PIPES), ("CNN", 3)])
def test_ranks_killed_at_random_steps_resume(
    name, n_ranks, launch, larger_corpus, tmp_path
):
    drawn = random.Random(f"{name} {n_ranks}")
    kills = []
    for step in sorted(drawn.sample(range(EVERY, STEPS - EVERY), 8)):
        # One of them, or all at once.
        rank = drawn.randrange(n_ranks)
        events = [killed(rank, step, drawn.choice(PLACES[min(rank, 1)]))]
        if drawn.random() < 0.3:
            events = [killed(each, step, "step") for each in range(n_ranks)]
        kills.append(events)
    check_killed(launch, make(name, larger_corpus), kills, tmp_path, n_ranks)


def wait_for(condition, process, seconds=300):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.02)
    return found


def is_running(number):
    """Whether a process runs; one that was not waited for does not."""
    try:
        with open(f"/proc/{number}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def run_until(step, arguments, folder):
    """Start torchrun with two ranks, and wait until there is the checkpoint of a step,
    or of a later one. Returns it and its ranks."""
    process = torchrun(2, *arguments)

    def has_checkpoint():
        found = find_checkpoints(folder)
        return found and int(found[-1].name[5:]) >= step

    wait_for(has_checkpoint, process)
    return process, wait_for(lambda: ranks_of(process), process)


@pytest.mark.slow
def test_torchrun_resumes_whatever_is_killed(launch, larger_corpus, tmp_path):
    config = make("CNN", larger_corpus, max_steps=300, eval_frequency=100)
    path, folder = tmp_path / "config.cfg", tmp_path / "killed"
    Config(config).to_disk(path)
    arguments = ["train", path, "--output", folder, "--checkpoint-every", EVERY]

    process, ranks = run_until(40, arguments, folder)
    os.kill(ranks[1], signal.SIGKILL)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert re.search(r"Step \d+: rank 0 lost the other 1 rank\(s\)", errors), errors

    arguments.append("--resume")
    process, ranks = run_until(100, arguments, folder)
    process.kill()
    process.wait(timeout=30)
    end = time.monotonic() + 60
    while any(map(is_running, ranks)):
        assert time.monotonic() < end, "ranks outlive torchrun"
        time.sleep(0.02)
    process.stdout.close()
    process.stderr.close()

    process, ranks = run_until(160, arguments, folder)
    for number in (process.pid, *ranks):
        os.kill(number, signal.SIGKILL)
    process.communicate(timeout=30)

    process = torchrun(2, *arguments)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    launch.train(2, str(path), tmp_path / "whole", checkpoint_every=EVERY)
    check_same_run(tmp_path / "whole", folder)


def check_other_ranks(launch, before, after, corpus, folder, steps):
    """Resume in another number of processes a run whose first process is killed."""
    config = make("CNN", corpus, max_steps=steps, dropout=0.0)
    event = killed(0, steps // 2, "step")
    launch(before, config, folder / "run", [event], checkpoint_every=EVERY)
    options = {"resume": True, "silent": False}
    codes, (output, *others) = launch(after, config, folder / "run", **options)
    assert codes == [0] * after, (output, others)
    numbers = f"The checkpoint is of {before} process(es), now there are {after}"
    assert numbers in output
    assert not any(others)
    launch.train(1, config, folder / "one")
    for name in ("model-last", "model-best"):
        found, expected = (arrays_of(folder / run / name) for run in ("run", "one"))
        check_close(found, expected)


def test_resume_with_fewer_ranks(launch, larger_corpus, tmp_path):
    check_other_ranks(launch, 2, 1, larger_corpus, tmp_path, steps=14)


@pytest.mark.slow
@pytest.mark.parametrize(("before", "after"), [(2, 3), (2, 1), (1, 2)])
def test_resume_with_other_ranks(before, after, launch, larger_corpus, tmp_path):
    check_other_ranks(launch, before, after, larger_corpus, tmp_path, steps=50)


@pytest.mark.slow
def test_ranks_that_join_draw_other_dropout(launch, larger_corpus, tmp_path):
    config = make("transformer", larger_corpus, max_steps=12)
    runs = [tmp_path / name for name in ("first", "second")]
    for run in runs:
        event = killed(0, 6, "step")
        launch(1, config, run, [event], checkpoint_every=EVERY)
        launch.train(3, config, run, resume=True, checkpoint_every=EVERY)
    check_same_run(*runs)


def check_lost(launch, event, corpus, folder, n_ranks=2, **options):
    """Plan an event of a rank. The others report it in one line, with the step."""
    config = make("CNN", corpus, max_steps=14)
    start = time.monotonic()
    codes, output = launch(n_ranks, config, folder / "run", [event], **options)
    rank, step, *_ = event
    for i in set(range(n_ranks)) - {rank}:
        assert codes[i] == 1
        (line,) = output[i].splitlines()
        assert line.startswith(
            f"Error: Step {step}: rank {i} lost the other {n_ranks - 1} rank(s), of "
            "which one was ended or does not answer ("
        )
        assert line.endswith("continue from the last checkpoint with --resume.")
    assert codes[rank] == -signal.SIGKILL
    return time.monotonic() - start


@pytest.mark.parametrize("place", ["step", "exchange"])
def test_a_rank_that_dies_is_reported(place, launch, larger_corpus, tmp_path):
    check_lost(launch, killed(1, 5, place), larger_corpus, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 2])
@pytest.mark.parametrize("place", ["step", "gradients", "exchange"])
def test_two_ranks_report_the_third(rank, place, launch, larger_corpus, tmp_path):
    event = killed(rank, 5, place)
    check_lost(launch, event, larger_corpus, tmp_path, n_ranks=3)


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_a_rank_that_does_not_answer_is_given_up(rank, launch, larger_corpus, tmp_path):
    event = (rank, 5, "exchange", signal.SIGSTOP)
    seconds = check_lost(launch, event, larger_corpus, tmp_path, rank_timeout=10)
    assert seconds > 10


def test_an_error_of_a_rank_ends_the_others_silently(launch, larger_corpus, tmp_path):
    config = make("CNN", larger_corpus, max_steps=14)
    event = (1, 5, "gradients", "a document is too odd")
    codes, output = launch(2, config, tmp_path / "run", [event])
    assert codes == [1, 2]
    assert output[0] == ""
    assert output[1].splitlines()[-1] == "ValueError: a document is too odd"
