"""Predict the entities of a file or a stream of texts."""

import json
import os
import sys
from enum import Enum
from pathlib import Path
from typing import Annotated, Optional

import typer

from ...util.errors import UserError
from ..device import GpuId, use_device
from ..options import read_overrides
from ..output import batch_progress
from ..pipeline import MODEL_HELP, Code
from .inputs import TEXT, Source, format_of
from .outputs import PartFile, Stream
from .predict import BATCH_SIZE
from .run import Prediction
from .worker import Lines, PipelineSource

STDOUT = Path("-")
CLOSED_PIPE = 128 + 13
Format = Enum("Format", {"text": "text", "jsonl": "jsonl", "spacy": "spacy"}, type=str)


def predict(
    context: typer.Context,
    model: Annotated[str, typer.Argument(metavar="MODEL", help=MODEL_HELP)],
    texts: Annotated[
        Path,
        typer.Argument(
            metavar="FILE|-",
            help="The texts: .txt (one per line), .jsonl (one object per line), .spacy "
            "or a folder of these (tokens are kept); - for stdin.",
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE.jsonl|-",
            help="The results; - for stdout, where an interrupted run cannot resume.",
        ),
    ] = STDOUT,
    batch_size: Annotated[
        int, typer.Option(min=1, metavar="N", help="Texts predicted together.")
    ] = BATCH_SIZE,
    n_process: Annotated[
        int, typer.Option(min=1, metavar="N", help="Processes, on the CPU.")
    ] = 1,
    gpu_id: GpuId = -1,
    format: Annotated[
        Optional[Format],
        typer.Option(help="The format, if the name does not show it; stdin is text."),
    ] = None,
    text_field: Annotated[
        str, typer.Option(metavar="NAME", help="The field that contains the text.")
    ] = TEXT,
    max_length: Annotated[
        Optional[int],
        typer.Option(
            min=1,
            metavar="N",
            help="Do not predict texts of more characters: their lines have an "
            '"error", and null as "entities".',
            show_default=False,
        ),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite", help="Start again, and replace FILE.jsonl at the end."
        ),
    ] = False,
    code: Code = None,
) -> None:
    """Write the entities of texts as JSON, one text per line, in their order.

    A line is {"text", "entities": [{"start", "end", "label", "text", "score"}]}, with
    "spans" by group and "cats" if the pipeline sets them. Offsets are characters;
    "score" is null where a component gives none. Other fields of a .jsonl are carried
    through, except those of these names. Settings of the pipeline are overridden by
    their full names.

    A line that is not valid, or at which the pipeline fails, gets an "error", and null
    as "entities"; the others are predicted, and the exit code is 1.

    Texts may be of any length: those of more than 1,000,000 characters, spaCy's limit
    (max_length of the pipeline), are predicted in windows.

    To resume an interrupted run, repeat the command: until the output is complete it is
    FILE.jsonl.part, with its settings in FILE.jsonl.part.json. Stdin must then be the
    same stream.

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
    if gpu_id >= 0 and n_process > 1:
        raise UserError(
            f"--gpu-id {gpu_id} and --n-process {n_process} exclude each other: one "
            "process keeps a GPU busy; leave one of them out"
        )
    use_device(gpu_id)
    pipeline = PipelineSource(model, overrides, code)
    prediction = Prediction(pipeline, source, batch_size, n_process, max_length)
    if output == STDOUT:
        _run_to_stdout(prediction)
    else:
        _run_to_file(prediction, output, overwrite)


def _run_to_stdout(prediction: Prediction) -> None:
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
                "without --overwrite, resumes there",
                err=True,
            )
        if isinstance(err, KeyboardInterrupt):
            raise typer.Exit(128 + 2) from err
        raise
    before = f", {output.n_before} of them by earlier runs" if output.n_before else ""
    n_failed = output.n_failed + written.failed
    _report(written, f"{path}: {output.n_lines} lines{before}", n_failed)


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
