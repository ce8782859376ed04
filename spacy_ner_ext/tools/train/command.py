"""The command `train`."""

import logging
import os
import shlex
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer
from spacy.util import logger

from ...util.errors import UserError, one_line
from ..cluster import RayAddress, RayNodeIp, read_workers
from ..device import GpuId, use_device
from ..loading import import_functions, missing_extra
from ..options import read_overrides
from ..output import printer
from ..pipeline import Code
from .ranks import TIMEOUT, gpu_of_rank

if TYPE_CHECKING:
    from .api import Trained


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
            help="Folder of pipelines, checkpoints and logs; by default none is saved.",
        ),
    ] = None,
    checkpoint_every: Annotated[
        Optional[int],
        typer.Option(min=0, metavar="N", help="Steps between checkpoints; 0 for none."),
    ] = None,
    keep_checkpoints: Annotated[
        Optional[int],
        typer.Option(min=1, metavar="K", help="How many of the last ones to keep."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue from the last checkpoint.")
    ] = False,
    resume_to: Annotated[
        Optional[str],
        typer.Option(
            metavar="END", help='Continue a run, or extend it, until END: "25 epochs".'
        ),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Remove an older run that has checkpoints."),
    ] = False,
    gpu_id: GpuId = -1,
    rank_timeout: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="SECONDS",
            help="How long a process waits for another that trains with it.",
        ),
    ] = TIMEOUT,
    workers: Annotated[
        Optional[str],
        typer.Option(
            metavar="N[:M]",
            help="Train on N workers of a Ray cluster, or on N to M as it has room.",
        ),
    ] = None,
    ray_address: RayAddress = None,
    ray_node_ip: RayNodeIp = None,
    max_failures: Annotated[
        Optional[int],
        typer.Option(
            min=0,
            metavar="K",
            help="How often training restarts from the last checkpoint after a worker "
            "has died; by default 3.",
        ),
    ] = None,
    code: Code = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-V", help="Log messages for debugging.")
    ] = False,
) -> None:
    """Train a pipeline as `spacy train` does, with checkpoints to resume from.

    Settings of the config are overridden as in `spacy train`. The settings of its
    section [spacy_ner_ext] (checkpoint_every, keep_checkpoints, eval_frequency,
    patience, sub_batch, num_workers) apply to this command only. After Ctrl-C or a
    termination signal, training stops after the current step and saves a checkpoint.

    \b
    Examples:
      python -m spacy_ner_ext train configs/crf_trf.cfg --output training/run
        --checkpoint-every 500 --paths.train train.spacy --paths.dev dev.spacy
      python -m spacy_ner_ext train configs/crf_trf.cfg --output training/run --resume
      python -m spacy_ner_ext train configs/crf_trf.cfg --output training/run
        --resume-to "25 epochs"
      python -m spacy_ner_ext train configs/crf_trf.cfg --output /shared/run
        --workers 2:8 --ray-address auto
    """
    logger.setLevel(logging.DEBUG if verbose else logging.INFO)
    overrides = read_overrides(context.args)
    import_functions(code)
    is_first = os.environ.get("RANK", "0") == "0"
    if not is_first:
        # Of what all processes report, once is enough.
        logger.setLevel(logging.ERROR)
    cluster = {
        "workers": workers,
        "address": ray_address,
        "node_ip": ray_node_ip,
        "max_failures": max_failures,
    }
    run = _choose_run(cluster, gpu_id, code)
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
            rank_timeout=rank_timeout,
        )
    except UserError:
        raise
    # Loggers of other packages raise an ImportError where what they need is missing.
    except (ValueError, KeyError, ImportError) as err:
        raise missing_extra(config, err) or UserError(
            f"{config} cannot be used for training: {one_line(err)}"
        ) from err
    if is_first:
        _report(trained, output)
    if trained.signal is not None:
        raise typer.Exit(128 + trained.signal)


def _choose_run(
    cluster: dict[str, Any], gpu_id: int, code: Path | None
) -> Callable[..., "Trained"]:
    """The function that trains: in this process, or on the workers of a cluster."""
    given = {name: value for name, value in cluster.items() if value is not None}
    if "workers" in given:
        from .cluster import train_on_workers

        given["workers"] = read_workers(given["workers"])
        return partial(train_on_workers, code=code, **given)
    if given:
        raise UserError(
            "--ray-address, --ray-node-ip and --max-failures apply to training with "
            "--workers: name their number, such as --workers 2."
        )
    from .api import train

    use_device(gpu_of_rank(gpu_id), silent=os.environ.get("RANK", "0") != "0")
    return train


def _report(trained: "Trained", output: Path | None) -> None:
    message = printer()
    best = f"best score {trained.score:.4f}, of step {trained.step}"
    where = "nothing is saved" if trained.path is None else f"saved to {trained.path}"
    if trained.signal is None:
        message.good(f"Training ended: {trained.reason}; {best}, {where}")
        return
    message.warn(f"Training was stopped; {best}, {where}")
    if output is not None:
        kept = [a for a in sys.argv[1:] if a not in ("--resume", "--overwrite")]
        command = f"python -m spacy_ner_ext {shlex.join(kept)} --resume"
        # On one line, to be copied.
        typer.echo(f"Resume with: {command}")
