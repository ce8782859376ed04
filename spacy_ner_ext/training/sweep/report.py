"""The trials of a sweep in the order of their scores."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

from ..watch.files import replacing
from .plan import Plan
from .space import Settings, write_value
from .trials import FINISHED, Trial, describe

TABLE = "sweep.tsv"
BEST = "best.cfg"


@dataclass(frozen=True)
class Ranked:
    """Settings with their trials, one a seed.

    settings (Dict[str, Any]): The settings.
    trials (List[Trial]): The trials, in the order in which they ran.
    """

    settings: Settings
    trials: list[Trial]

    @property
    def scores(self) -> list[float]:
        """RETURNS (List[float]): The scores of the trials that did not fail."""
        return [trial.score for trial in self.trials if trial.score is not None]

    @property
    def score(self) -> float | None:
        """RETURNS (Optional[float]): Their mean; None if there are none."""
        return mean(self.scores) if self.scores else None

    @property
    def spread(self) -> float | None:
        """RETURNS (Optional[float]): Their standard deviation; None for one alone."""
        return stdev(self.scores) if len(self.scores) > 1 else None

    @property
    def best(self) -> Trial | None:
        """RETURNS (Optional[Trial]): The trial with the best score, the first of
        these; None if all failed."""
        ended = [trial for trial in self.trials if trial.status == FINISHED]
        return max(ended, key=lambda trial: trial.score or 0.0, default=None)


def rank(trials: Sequence[Trial]) -> list[Ranked]:
    """Put settings in the order of their mean scores.

    trials (Sequence[Trial]): The trials.
    RETURNS (List[Ranked]): The settings, the best first, those that failed last.
    """
    groups: dict[str, Ranked] = {}
    for trial in trials:
        key = describe(trial.settings, None)
        groups.setdefault(key, Ranked(trial.settings, [])).trials.append(trial)
    return sorted(groups.values(), key=_order)


def _order(ranked: Ranked) -> tuple[bool, float]:
    return ranked.score is None, -(ranked.score or 0.0)


def table(plan: Plan, ranked: Sequence[Ranked]) -> tuple[list[str], list[list[str]]]:
    """Lay out trials.

    plan (Plan): The sweep.
    ranked (Sequence[Ranked]): The settings with their trials.
    RETURNS (Tuple[List[str], List[List[str]]]): The header, and a row for each
        setting.
    """
    spread = ["spread"] if plan.seeds else []
    header = ["score", *spread, *plan.names, "step", "seconds", "trials"]
    rows = []
    for each in ranked:
        row = [_number(each.score), *([_number(each.spread)] if spread else [])]
        row += [write_value(each.settings[name]) for name in plan.names]
        row.append("-" if each.best is None else str(each.best.step))
        row.append(f"{sum(trial.seconds for trial in each.trials):.0f}")
        rows.append([*row, ", ".join(str(trial.number) for trial in each.trials)])
    return header, rows


def _number(score: float | None) -> str:
    return "-" if score is None else f"{score:.4f}"


def write_results(plan: Plan, ranked: Sequence[Ranked], folder: Path) -> None:
    """Write the table, and the config with the best settings.

    plan (Plan): The sweep.
    ranked (Sequence[Ranked]): The settings with their trials.
    folder (Path): The folder of the sweep.
    """
    header, rows = table(plan, ranked)
    text = io.StringIO()
    csv.writer(text, delimiter="\t", lineterminator="\n").writerows([header, *rows])
    with replacing(folder / TABLE) as stream:
        stream.write(text.getvalue().encode())
    if ranked and ranked[0].best is not None:
        seed = plan.seed_settings(ranked[0].best.seed)
        config = plan.make_config({**ranked[0].settings, **seed})
        with replacing(folder / BEST) as stream:
            stream.write(config.to_bytes(interpolate=False))
