"""Sweeps over a function that stands for the training."""

import json
import math
from pathlib import Path

import pytest
from thinc.api import Config

from spacy_ner_ext.errors import UserError
from spacy_ner_ext.training.sweep.plan import Plan, begin, check_settings
from spacy_ner_ext.training.sweep.report import rank, table, write_results
from spacy_ner_ext.training.sweep.space import read_grid, read_space
from spacy_ner_ext.training.sweep.sweep import sweep
from spacy_ner_ext.training.sweep.trials import Record, Trial

CONFIG = Path(__file__).parents[3] / "configs" / "crf_cpu.cfg"
TEXT = CONFIG.read_text(encoding="utf8")
DROPOUT, RATE = "training.dropout", "training.optimizer.learn_rate"
SPACE = read_space([f"{RATE}=1e-5..1e-1:log", f"{DROPOUT}=0.0..0.5", "nlp.x=[3],[4]"])


class Training:
    """A training whose score is known; it is stopped after some trials."""

    def __init__(self, trials=math.inf):
        self.left = trials
        self.ran = []

    def __call__(self, number, settings, seed, overrides):
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        self.ran.append((number, overrides))
        if settings.get(DROPOUT) == 0.9:
            return Trial(number, settings, seed, "failed", error="too much")
        score = 1 - settings.get(DROPOUT, 0) - abs(math.log10(settings.get(RATE, 0.1)))
        score += 0.01 * (seed or 0)
        return Trial(number, settings, seed, "finished", score, 10, 1.0, {"s": score})


def nothing(*_):
    """No report."""


def run(plan, folder, training=None, resume=False):
    begin(plan, folder, resume=resume)
    return sweep(plan, folder, training or Training(), nothing)


def grid(*pairs, **settings):
    return Plan(config=TEXT, grid=read_grid(pairs), **settings)


# --- Order and repetition ----------------------------------------------------


def test_every_combination_runs_with_every_seed(tmp_path):
    training = Training()
    plan = grid(f"{DROPOUT}=0.1,0.2", seeds=[1, 2], overrides={"training.patience": 3})
    run(plan, tmp_path / "sweep", training)
    assert plan.n_trials == 4
    assert [number for number, _ in training.ran] == [1, 2, 3, 4]
    assert training.ran[1][1] == {
        "training.patience": 3,
        DROPOUT: 0.1,
        "system.seed": 2,
        "training.seed": 2,
    }


def test_settings_are_ranked_by_their_mean_and_failures_are_last(tmp_path):
    plan = grid(f"{DROPOUT}=0.9,0.2,0.1", seeds=[1, 3])
    ranked = rank(run(plan, tmp_path / "sweep"))
    assert [each.settings[DROPOUT] for each in ranked] == [0.1, 0.2, 0.9]
    assert ranked[0].score == pytest.approx(-0.08) and ranked[0].best.seed == 3
    assert ranked[2].score is None and ranked[2].best is None
    header, rows = table(plan, ranked)
    assert header == ["score", "spread", DROPOUT, "step", "seconds", "trials"]
    assert rows[0] == ["-0.0800", "0.0141", "0.1", "10", "2", "5, 6"]
    assert rows[2] == ["-", "-", "0.9", "-", "0", "1, 2"]


def test_the_best_config_has_the_best_settings_and_seed(tmp_path):
    plan = grid(f"{DROPOUT}=0.2,0.1", seeds=[1, 3], overrides={"training.patience": 7})
    write_results(plan, rank(run(plan, tmp_path)), tmp_path)
    text = (tmp_path / "best.cfg").read_text()
    for line in ("dropout = 0.1", "patience = 7", "path = ${paths.train}"):
        assert line in text.splitlines()
    assert text.count("seed = 3") == 2
    lines = (tmp_path / "sweep.tsv").read_text().splitlines()
    assert [line.split("\t")[2] for line in lines] == [DROPOUT, "0.1", "0.2"]


def test_the_best_config_has_settings_of_the_run(tmp_path):
    """Whose section a config may lack."""
    config = Config().from_str(TEXT, interpolate=False)
    config.pop("spacy_ner_ext", None)
    text = config.to_str(interpolate=False)
    plan = Plan(config=text, grid=read_grid(["spacy_ner_ext.sub_batch=4 docs"]))
    write_results(plan, rank(run(plan, tmp_path)), tmp_path)
    assert 'sub_batch = "4 docs"' in (tmp_path / "best.cfg").read_text()


# --- Drawing -----------------------------------------------------------------


def test_drawn_settings_are_in_their_ranges_and_get_better(tmp_path):
    plan = Plan(config=TEXT, space=SPACE, trials=40)
    trials = run(plan, tmp_path / "sweep")
    for trial in trials:
        assert 1e-5 <= trial.settings[RATE] <= 1e-1
        assert 0 <= trial.settings[DROPOUT] <= 0.5
        assert trial.settings["nlp.x"] in ([3], [4])
    scores = [trial.score for trial in trials]
    assert sum(scores[30:]) / 10 > sum(scores[:10]) / 10


def test_the_same_seed_draws_the_same(tmp_path):
    plans = [
        Plan(config=TEXT, space=SPACE, trials=4, sampler_seed=s) for s in (0, 0, 1)
    ]
    first, same, other = (
        [t.settings for t in run(plan, tmp_path / str(i))]
        for i, plan in enumerate(plans)
    )
    assert first == same != other


# --- Going on ----------------------------------------------------------------

PLANS = {
    "grid": grid(f"{DROPOUT}=0.1,0.9,0.3", f"{RATE}=0.1,0.01,0.001,0.0001"),
    "drawn": Plan(config=TEXT, space=SPACE, trials=14, seeds=[1, 2]),
}


@pytest.mark.parametrize("name", PLANS)
@pytest.mark.parametrize("stop", [0, 3, 11])
def test_a_sweep_that_was_stopped_goes_on_as_if_it_had_not(tmp_path, name, stop):
    plan = PLANS[name]
    whole = run(plan, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(plan, tmp_path / "parts", Training(stop))
    rest = Training()
    assert run(plan, tmp_path / "parts", rest, resume=True) == whole
    assert [number for number, _ in rest.ran] == [
        *range(stop + 1, plan.n_trials + 1),
    ]
    again = Training()
    assert run(plan, tmp_path / "parts", again, resume=True) == whole
    assert not again.ran


@pytest.mark.parametrize(
    "change,part",
    [
        ({"grid": {DROPOUT: [0.1]}}, "another grid of"),
        ({"config": TEXT + "\n"}, "another config:"),
        ({"seeds": [1]}, r"another seeds of \[\], not \[1\]"),
        ({"overrides": {"training.patience": 3}}, "another overrides"),
        ({"metric": "ents_p"}, "another metric of None, not ents_p"),
    ],
)
def test_another_sweep_is_not_resumed(tmp_path, change, part):
    settings = {"config": TEXT, "grid": {DROPOUT: [0.1, 0.2]}}
    run(Plan(**settings), tmp_path)
    with pytest.raises(UserError, match=part):
        run(Plan(**{**settings, **change}), tmp_path, resume=True)


def test_a_sweep_is_not_begun_twice_nor_resumed_from_nothing(tmp_path):
    plan = grid(f"{DROPOUT}=0.1,0.2")
    with pytest.raises(UserError, match="has no sweep to resume"):
        begin(plan, tmp_path, resume=True)
    begin(plan, tmp_path, resume=False)
    with pytest.raises(UserError, match="has a sweep; go on with --resume"):
        begin(plan, tmp_path, resume=False)
    with pytest.raises(UserError, match="is a file"):
        begin(plan, tmp_path / "sweep.json", resume=False)


def test_trials_that_the_sampler_would_not_propose(tmp_path):
    plan = Plan(config=TEXT, space=SPACE, trials=2)
    run(plan, tmp_path)
    file = tmp_path / "trials.jsonl"
    first, second = map(json.loads, file.read_text().splitlines())
    first["settings"][DROPOUT] += 0.1
    file.write_text(f"{json.dumps(first)}\n{json.dumps(second)}\n")
    with pytest.raises(UserError, match="the version of Optuna"):
        run(plan, tmp_path, resume=True)


@pytest.mark.parametrize("line", ["{", '{"number": 1}', "[]"])
def test_a_file_of_trials_that_is_damaged(tmp_path, line):
    (tmp_path / "trials.jsonl").write_text(line)
    with pytest.raises(UserError, match=r"trials\.jsonl cannot be read"):
        Record(tmp_path)


# --- Settings of the config --------------------------------------------------


def test_settings_that_the_config_has_or_its_functions():
    values = [
        *("training.dropout", "components.crf_ner.objective", "nlp.batch_size"),
        # Not written in this config.
        *("training.optimizer.beta1", "components.text_cnn.model.dropout"),
        "spacy_ner_ext.sub_batch",
    ]
    check_settings(grid(*(f"{name}=1,2" for name in values)))


@pytest.mark.parametrize(
    "name,part",
    [
        (
            "training.dropuot",
            r"no setting training\.dropuot; near it: training\.dropout",
        ),
        ("components.ner.objective", r"no setting components\.ner\.objective"),
        ("training.optimizer", r"no setting training\.optimizer;"),
    ],
)
def test_settings_that_the_config_does_not_have(name, part):
    with pytest.raises(UserError, match=part):
        check_settings(grid(f"{name}=1,2"))


def test_a_setting_is_not_both_tried_and_set():
    with pytest.raises(UserError, match=r"training\.dropout is both tried and set"):
        check_settings(grid(f"{DROPOUT}=1,2", overrides={DROPOUT: 0.3}))
