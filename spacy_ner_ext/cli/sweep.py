"""Train with many settings and compare their scores."""

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from ..errors import UserError
from ..training.sweep.plan import Plan, begin, check_settings, read_plan_config
from ..training.sweep.process import LOG, TrainCommand
from ..training.sweep.report import BEST, TABLE, Ranked, rank, table, write_results
from ..training.sweep.sampler import check_optuna
from ..training.sweep.space import Settings, read_grid, read_space
from ..training.sweep.sweep import sweep as run_sweep
from ..training.sweep.trials import FAILED, Trial, describe
from .options import names
from .output import printer
from .pipeline import Code, GpuId
from .train import read_overrides

# Settings are the columns of the table, and paths should not be cut.
WIDTH = 200


class Keep(str, Enum):
    """Which pipelines of the trials stay."""

    best = "best"
    all = "all"
    none = "none"


def sweep(
    context: typer.Context,
    config: Annotated[
        Path,
        typer.Argument(
            metavar="CONFIG", help="The training config.", exists=True, dir_okay=False
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The folder of the sweep.")
    ],
    grid: Annotated[
        list[str],
        typer.Option(metavar="SETTING=A,B", help="Values; all combinations are tried."),
    ] = [],  # noqa: B006 - typer reads it
    space: Annotated[
        list[str],
        typer.Option(
            metavar="SETTING=A..B", help="A range, with :log or not, or values: A,B."
        ),
    ] = [],  # noqa: B006 - typer reads it
    trials: Annotated[
        int, typer.Option(min=0, help="How often values are drawn from --space.")
    ] = 0,
    sampler_seed: Annotated[int, typer.Option(help="The seed of the drawing.")] = 0,
    seeds: Annotated[
        str | None,
        typer.Option(metavar="1,2", help="Seeds that each trial is repeated with."),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            help="The score to compare, such as ents_f, if not that of [training]."
        ),
    ] = None,
    keep: Annotated[
        Keep, typer.Option(help="model-best of each trial, all it wrote, or nothing.")
    ] = Keep.best,
    checkpoint_every: Annotated[
        int, typer.Option(min=0, metavar="N", help="Steps between checkpoints.")
    ] = 200,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a sweep that was stopped.")
    ] = False,
    gpu_id: GpuId = -1,
    code: Code = None,
) -> None:
    """Train with many settings, each in a process of its own, and compare their scores.

    Settings have their full names in the config, and values are written as in the
    overrides of 'spacy train', which all trials may have too. Either all combinations
    of --grid are tried, or Optuna draws --trials values from --space, each with what
    is known of those before. Trials that fail are noted and the sweep goes on. If it is
    stopped, --resume with the same arguments goes on, also inside of a trial.

    \b
    Examples:
      python -m spacy_ner_ext sweep configs/crf_cpu.cfg --output sweeps/dropout \\
        --grid training.dropout=0.1,0.3 --seeds 1,2 --paths.train train.spacy
      python -m spacy_ner_ext sweep configs/crf_cpu.cfg --output sweeps/rate \\
        --trials 20 --space training.optimizer.learn_rate=1e-4..1e-2:log
    """
    overrides = read_overrides(context.args)
    plan = Plan(
        config=read_plan_config(config, overrides),
        overrides=overrides,
        grid=read_grid(grid),
        space=read_space(space),
        trials=trials,
        sampler_seed=sampler_seed,
        seeds=_read_seeds(seeds),
        metric=metric,
    )
    _check(plan)
    check_settings(plan)
    begin(plan, output, resume=resume)
    options = ["--checkpoint-every", str(checkpoint_every), "--gpu-id", str(gpu_id)]
    options += [] if code is None else ["--code", str(code)]
    train = TrainCommand(config, output, options, metric, keep.value)
    ranked = rank(run_sweep(plan, output, train, _Report(plan, output)))
    write_results(plan, ranked, output)
    _print_results(plan, ranked, output)


def _read_seeds(seeds: str | None) -> list[int]:
    found = names("--seeds", seeds)
    if not all(each.isdecimal() for each in found) or len(set(found)) < len(found):
        raise UserError(f"--seeds {seeds}: write different whole numbers, such as 1,2")
    return [int(each) for each in found]


def _check(plan: Plan) -> None:
    if bool(plan.grid) == bool(plan.space):
        raise UserError("give either --grid or, with --trials, --space")
    if bool(plan.space) != bool(plan.trials):
        raise UserError("--space and --trials go together; give both, or neither")
    if plan.space:
        check_optuna()


class _Report:
    """Prints trials as they begin and end.

    plan (Plan): The sweep.
    folder (Path): Its folder.
    """

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan, self.folder = plan, folder

    def __call__(
        self, number: int, settings: Settings, seed: int | None, trial: Trial | None
    ) -> None:
        message = printer()
        if trial is None:
            what = f"Trial {number} of {self.plan.n_trials}"
            message.info(f"{what}: {describe(settings, seed)}")
        elif trial.status == FAILED:
            log = self.folder / trial.folder / LOG
            message.warn(f"Trial {number} failed: {trial.error} ({log})")
        else:
            message.text(f"score {trial.score:.4f}, of step {trial.step}")


def _print_results(plan: Plan, ranked: list[Ranked], folder: Path) -> None:
    header, rows = table(plan, ranked)
    message = printer()
    message.table(rows, header=header, divider=True, max_col=WIDTH)
    best = ranked[0].best
    if best is None:
        raise UserError(f"all trials failed; {folder / best_log(ranked)} says why")
    model = folder / best.folder / "model-best"
    where = f", pipeline: {model}" if model.is_dir() else ""
    message.good(
        f"Best: {describe(ranked[0].settings, None)}, score {ranked[0].score:.4f}; "
        f"config: {folder / BEST}{where}, table: {folder / TABLE}"
    )


def best_log(ranked: list[Ranked]) -> Path:
    """RETURNS (Path): The log of the first trial, in the folder of the sweep."""
    return Path(ranked[0].trials[0].folder) / LOG
