"""Train a pipeline, stop, and go on."""

import logging
import shlex
import sys
from pathlib import Path
from typing import Annotated, Optional

import typer
from spacy.cli._util import parse_config_overrides
from spacy.util import logger

from ...util.errors import UserError, one_line
from ..loading import import_functions
from ..output import printer
from ..pipeline import Code, GpuId, use_device


def train(
    context: typer.Context,
    config: Annotated[
        Path,
        typer.Argument(
            metavar="CONFIG", help="The training config.", exists=True, dir_okay=False
        ),
    ],
    output: Annotated[
        Optional[Path],
        typer.Option(
            "--output",
            "-o",
            help="Where pipelines, checkpoints and logs go; without, nothing is saved.",
        ),
    ] = None,
    checkpoint_every: Annotated[
        Optional[int],
        typer.Option(min=0, metavar="N", help="Steps between checkpoints; 0 for none."),
    ] = None,
    keep_checkpoints: Annotated[
        Optional[int],
        typer.Option(min=1, metavar="K", help="How many of the last ones stay."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint.")
    ] = False,
    resume_to: Annotated[
        Optional[str],
        typer.Option(
            metavar="END", help='Go on, also with a run that has ended: "25 epochs".'
        ),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Remove an older run that has checkpoints."),
    ] = False,
    gpu_id: GpuId = -1,
    code: Code = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-V", help="Log what is of use in debugging.")
    ] = False,
) -> None:
    """Train a pipeline as `spacy train` does, and be able to go on.

    Settings of the config are overridden as in `spacy train`. Those of its section
    [spacy_ner_ext] (checkpoint_every, keep_checkpoints, eval_frequency, patience,
    sub_batch, num_workers) are read by this command alone. Ctrl-C, or a signal that
    asks the process to end, saves a checkpoint behind the step that runs.

    \b
    Examples:
      python -m spacy_ner_ext train configs/crf_trf.cfg --output training/run
        --checkpoint-every 500 --paths.train train.spacy --paths.dev dev.spacy
      python -m spacy_ner_ext train configs/crf_trf.cfg --output training/run --resume
      python -m spacy_ner_ext train configs/crf_trf.cfg --output training/run
        --resume-to "25 epochs"
    """
    from .api import train as run

    logger.setLevel(logging.DEBUG if verbose else logging.INFO)
    overrides = read_overrides(context.args)
    import_functions(code)
    use_device(gpu_id, silent=False)
    try:
        trained = run(
            config,
            output,
            overrides=overrides,
            resume=resume,
            resume_to=resume_to,
            checkpoint_every=checkpoint_every,
            keep_checkpoints=keep_checkpoints,
            overwrite=overwrite,
            gpu_id=gpu_id,
        )
    except UserError:
        raise
    except (ValueError, KeyError) as err:
        raise UserError(f"{config} cannot be trained: {one_line(err)}") from err
    message = printer()
    best = f"best score {trained.score:.4f}, of step {trained.step}"
    where = "nothing is saved" if trained.path is None else f"saved to {trained.path}"
    if trained.signal is None:
        message.good(f"Training ended: {trained.reason}; {best}, {where}")
        return
    message.warn(f"Training was stopped; {best}, {where}")
    if output is not None:
        # In one line, to be copied.
        typer.echo(f"Go on with: {_command(sys.argv[1:])}")
    raise typer.Exit(128 + trained.signal)


def read_overrides(arguments: list[str]) -> dict[str, object]:
    """Read the settings that override those of a config.

    RETURNS: The settings by their full names.
    RAISES (UserError): If one is no setting, or has no value.
    """
    for argument in arguments:
        if argument.startswith("--") and "." not in argument.partition("=")[0]:
            raise UserError(
                f"no such option {argument}: settings of the config are overridden by "
                "their full names, such as --paths.train FILE"
            )
    return parse_config_overrides(arguments)


def _command(arguments: list[str]) -> str:
    """The command that goes on with this one."""
    kept = [each for each in arguments if each not in ("--resume", "--overwrite")]
    return f"python -m spacy_ner_ext {shlex.join(kept)} --resume"
