"""Train with one setting after another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import mean

from ...errors import UserError
from .plan import Plan
from .space import Settings
from .trials import Record, Trial

# Number, settings, seed, and all that differs from the config.
RunTrial = Callable[[int, Settings, int | None, Settings], Trial]
# The number of a trial, its settings, its seed, and the trial when it has ended.
Report = Callable[[int, Settings, int | None, Trial | None], None]


def sweep(plan: Plan, folder: Path, run_trial: RunTrial, report: Report) -> list[Trial]:
    """Run all trials that have not ended.

    plan (Plan): What is tried.
    folder (Path): The folder of the sweep.
    run_trial (Callable): Runs a trial.
    report (Callable): Is told of each trial that begins and that ends.
    RETURNS (List[Trial]): All trials, in their order.
    RAISES (UserError): If those that have ended are not those that are proposed.
    """
    record = Record(folder)
    seeds: list[int | None] = [*plan.seeds] or [None]
    proposals = plan.propose()
    settings = next(proposals, None)
    first = 1
    while settings is not None:
        trials = []
        for number, seed in enumerate(seeds, start=first):
            if number not in record.trials:
                report(number, settings, seed, None)
                overrides = {**plan.overrides, **settings, **plan.seed_settings(seed)}
                trial = run_trial(number, settings, seed, overrides)
                record.add(trial)
                report(number, settings, seed, trial)
            trials.append(_recorded(record, number, settings))
        first += len(seeds)
        scores = [trial.score for trial in trials if trial.score is not None]
        try:
            settings = proposals.send(mean(scores) if scores else None)
        except StopIteration:
            settings = None
    return [record.trials[number] for number in sorted(record.trials)]


def _recorded(record: Record, number: int, settings: Settings) -> Trial:
    trial = record.trials[number]
    if trial.settings != settings:
        raise UserError(
            f"{record.path}: trial {number} is of {trial.settings}, but {settings} is "
            "proposed; go on with the version of Optuna that the sweep began with"
        )
    return trial
