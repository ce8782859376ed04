"""Predict over a file or a stream of texts."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Annotated, Optional

import typer

from ...util.errors import UserError
from ..options import read_overrides
from ..output import batch_progress
from ..pipeline import MODEL_HELP, Code, GpuId, use_device
from .annotate import Lines
from .inputs import TEXT, Source, format_of
from .outputs import Output, PartFile, Stream
from .pipeline import PipelineSource
from .predict import BATCH_SIZE
from .run import Prediction

STDOUT = Path("-")
CLOSED_PIPE = 128 + 13


class Format(str, Enum):
    """The formats of texts."""

    text = "text"
    jsonl = "jsonl"
    spacy = "spacy"


def predict(
    context: typer.Context,
    model: Annotated[str, typer.Argument(metavar="MODEL", help=MODEL_HELP)],
    texts: Annotated[
        Path,
        typer.Argument(
            metavar="FILE|-",
            help="The texts: .txt (a text a line), .jsonl (an object a line), .spacy "
            "or a folder of these (their tokens are kept); - for stdin.",
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE.jsonl|-",
            help="Where results go; - for stdout, which an interrupted run cannot go "
            "on with.",
        ),
    ] = STDOUT,
    batch_size: Annotated[
        int,
        typer.Option(
            min=1, metavar="N", help="Texts that are read, then predicted together."
        ),
    ] = BATCH_SIZE,
    n_process: Annotated[
        int, typer.Option(min=1, metavar="N", help="Processes, on the CPU.")
    ] = 1,
    gpu_id: GpuId = -1,
    format: Annotated[
        Optional[Format],
        typer.Option(help="The format, if the name does not tell; stdin is text."),
    ] = None,
    text_field: Annotated[
        str, typer.Option(metavar="NAME", help="The field that has the text.")
    ] = TEXT,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Begin anew, and replace FILE.jsonl at the end.",
        ),
    ] = False,
    code: Code = None,
) -> None:
    """Write the entities of texts as JSON, a line a text, in their order.

    A line is {"text", "entities": [{"start", "end", "label", "text", "score"}]}, with
    "spans" by group and "cats" if the pipeline writes them. Offsets are characters;
    "score" is null where a component gives none. Other fields of a .jsonl are carried
    through, but for those of these names. Settings of the pipeline are overridden by
    their full names.

    A run that was interrupted, in whatever way, goes on where it stopped when the same
    command is given again: until it is complete the output is FILE.jsonl.part, beside
    FILE.jsonl.part.json. What comes from stdin has to be the same stream again.

    \b
    Examples:
      python -m spacy_ner_ext predict training/model-best texts.txt
        --output entities.jsonl --components.crf_ner.threshold 0.5
      zcat texts.jsonl.gz | python -m spacy_ner_ext predict training/model-best -
        --format jsonl --n-process 4 | jq .entities
    """
    overrides = json.dumps(read_overrides(context.args))
    source = Source(texts, format.value if format else format_of(texts), text_field)
    source.check()
    _check_processes(gpu_id, n_process)
    use_device(gpu_id)
    pipeline = PipelineSource(model, overrides, code)
    prediction = Prediction(pipeline, source, batch_size, n_process)
    if output == STDOUT:
        # As after >&- in a shell.
        if sys.stdout is None:
            raise UserError("stdout is closed: name a file with --output")
        with _closed_pipe_is_no_error():
            written = _run(prediction, Stream(sys.stdout.buffer))
        _tell(written, "stdout")
    else:
        _run_to_file(prediction, output, overwrite)


def _check_processes(gpu_id: int, n_process: int) -> None:
    if gpu_id >= 0 and n_process > 1:
        raise UserError(
            f"--gpu-id {gpu_id} and --n-process {n_process} exclude each other: one "
            "process keeps a GPU busy; leave one of them out"
        )


def _run_to_file(prediction: Prediction, path: Path, overwrite: bool) -> None:
    output = PartFile(path)
    if path.resolve() == prediction.source.path.resolve():
        raise UserError(f"{path} is input and output: give the output another name")
    try:
        with output.opened(prediction.settings(), overwrite=overwrite):
            written = _run(prediction, output)
    except BaseException as err:
        if output.n_lines:
            typer.echo(
                f"{output.n_lines} lines are in {output.part}; the same command, "
                "without --overwrite, goes on from there",
                err=True,
            )
        if isinstance(err, KeyboardInterrupt):
            raise typer.Exit(128 + 2) from err
        raise
    before = f", {output.n_before} of them by earlier runs" if output.n_before else ""
    _tell(written, f"{path}: {output.n_lines} lines{before}")


def _run(prediction: Prediction, output: Output) -> Lines:
    """The counts of what was written now."""
    total = Lines()
    for lines in batch_progress(prediction.run(output)):
        total = total.counted_with(lines)
    return total


def _tell(written: Lines, where: str) -> None:
    """On stderr, as stdout may be what is written."""
    what = f"{written.entities} entities in {written.texts} texts"
    if written.replaced:
        what += f"; {written.replaced} fields of the input had the name of a result"
    typer.echo(f"Wrote {where} ({what})", err=True)


@contextmanager
def _closed_pipe_is_no_error() -> Iterator[None]:
    """Let this process end as others do whose reader, such as `head`, has enough."""
    try:
        yield
    except BrokenPipeError as err:
        # Python would write what is buffered at its end, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(CLOSED_PIPE) from err
