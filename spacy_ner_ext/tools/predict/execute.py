"""Run predictions to the end, and say what was written and how to resume."""

import os
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import typer

from ...util.errors import UserError
from ..cluster import Workers, ray_started
from ..device import use_device
from ..output import batch_progress
from .annotation import Annotation
from .folder import Counts
from .outputs import PartFile, Stream
from .run import Prediction
from .worker import Lines

CLOSED_PIPE = 128 + 13


class Cluster(NamedTuple):
    """Where Ray runs, and the GPUs of each of its workers."""

    address: str | None
    node_ip: str | None
    gpus_per_worker: float


def run_to_folder(
    annotation: Annotation, workers: Workers, cluster: Cluster | None, overwrite: bool
) -> None:
    """Write rows into a folder, on this machine or on a cluster."""
    settings = annotation.settings()
    with _started(cluster, workers):
        files = annotation.start(settings, overwrite=overwrite)
        n_before = len(annotation.folder.done())
        try:
            total = _annotate(annotation, files, workers, cluster)
        except BaseException as err:
            if annotation.folder.done():
                advice = "the same command, without --overwrite, resumes there"
                typer.echo(f"Rows are in {annotation.folder.uri}; {advice}", err=True)
            if isinstance(err, KeyboardInterrupt):
                raise typer.Exit(128 + 2) from err
            raise
        annotation.folder.finish()
    where = annotation.folder.uri + ("; earlier rows are kept" if n_before else "")
    lines = Lines(b"", total.texts, total.words, total.entities, 0, *total[3:])
    _report(lines, where, total.failed)


def _started(
    cluster: Cluster | None, workers: Workers
) -> AbstractContextManager[object]:
    if cluster is None:
        return nullcontext()
    gpus = workers.least * cluster.gpus_per_worker
    # One more processor for what filters the texts that are committed.
    return ray_started(
        cluster.address, cluster.node_ip, cpus=workers.least + 1, gpus=gpus
    )


def _annotate(
    annotation: Annotation, files: Any, workers: Workers, cluster: Cluster | None
) -> Counts:
    if cluster is not None:
        # It imports Ray, which is an extra.
        from .ray_data import run

        return run(annotation, files, workers, cluster.gpus_per_worker)
    use_device(annotation.annotator.gpu_id)
    total = Counts()
    for counts in batch_progress(annotation.run(files, workers.least)):
        total = total.plus(counts)
    return total


def run_to_stdout(prediction: Prediction) -> None:
    """Write a line per text to stdout."""
    # As after >&- in a shell.
    if sys.stdout is None:
        raise UserError("stdout is closed: name a file with --output")
    try:
        written = _run(prediction, Stream(sys.stdout.buffer))
    except BrokenPipeError as err:
        # A reader such as `head` closed the pipe. Python would try to write what is
        # buffered, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(CLOSED_PIPE) from err
    _report(written, "stdout", written.failed)


def run_to_file(prediction: Prediction, path: Path, overwrite: bool) -> None:
    """Write a line per text into a file, which an interrupted run resumes."""
    output = PartFile(path)
    written = run_resumable(prediction, output, prediction.settings(), overwrite)
    before = f", {output.n_before} of them by earlier runs" if output.n_before else ""
    n_failed = output.n_failed + written.failed
    _report(written, f"{path}: {output.n_lines} lines{before}", n_failed)


def run_resumable(
    prediction: Prediction,
    output: PartFile,
    settings: dict[str, Any],
    overwrite: bool,
) -> Lines:
    """Write lines into a file, and say how to resume if it is not complete. Returns the
    counts of this run."""
    try:
        with output.opened(settings, overwrite=overwrite):
            return _run(prediction, output)
    except BaseException as err:
        if output.n_lines:
            typer.echo(
                f"{output.n_lines} lines are in {output.part}; the same command, "
                "without --overwrite, resumes there",
                err=True,
            )
        if isinstance(err, KeyboardInterrupt):
            raise typer.Exit(128 + 2) from err
        raise


def _run(prediction: Prediction, output: Stream) -> Lines:
    total = Lines()
    for lines in batch_progress(prediction.run(output)):
        total = Lines(b"", *map(sum, zip(total[1:], lines[1:])))
    return total


def _report(written: Lines, where: str, n_failed: int) -> None:
    # On stderr, as stdout may be the output.
    what = f"{written.entities} entities in {written.texts} texts"
    if written.replaced:
        what += f"; {written.replaced} input fields replaced by predictions"
    if written.too_long:
        what += f"; {written.too_long} longer than --max-length, not predicted"
    if n_failed:
        what += f'; {n_failed} lines not predicted, see their "error"'
    typer.echo(f"Wrote {where} ({what})", err=True)
    if n_failed:
        raise typer.Exit(1)
