"""Predict the entities of a file or a stream of texts."""

import json
import os
import sys
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Optional

import typer

from ...util.errors import UserError
from ...util.extras import require
from ..cluster import RayAddress, RayNodeIp, Workers, ray_started, read_workers
from ..device import GpuId, use_device
from ..options import names, read_overrides
from ..output import batch_progress
from ..pipeline import MODEL_HELP, Code
from .annotation import Annotation, make_annotation
from .folder import Counts, OutputFolder
from .inputs import Source, open_source
from .items import TEXT
from .outputs import SUFFIX, PartFile, Stream
from .predict import BATCH_SIZE
from .run import Prediction
from .worker import Lines, PipelineSource

STDOUT = "-"
CLOSED_PIPE = 128 + 13
Format = Enum(
    "Format",
    {"text": "text", "jsonl": "jsonl", "spacy": "spacy", "parquet": "parquet"},
    type=str,
)
OutputFormat = Enum("OutputFormat", {"parquet": "parquet", "jsonl": "jsonl"}, type=str)
Engine = Enum("Engine", {"local": "local", "ray": "ray"}, type=str)
PARQUET, LOCAL = OutputFormat("parquet"), Engine("local")


def predict(
    model: Annotated[str, typer.Argument(metavar="MODEL", help=MODEL_HELP)],
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT... [OUTPUT]",
            help="The texts: files, folders or globs of .txt (one per line), .jsonl "
            "(one object per line), .parquet or .spacy (tokens are kept), here or at "
            "a URI such as s3://bucket/folder; - for stdin. The last of several is "
            "OUTPUT, unless --output is given.",
        ),
    ],
    output: Annotated[
        Optional[str],
        typer.Option(
            "--output",
            "-o",
            metavar="FILE.jsonl|FOLDER|-",
            help="The results: a file with a line per text, in their order; or a "
            "folder of files of rows; or -, the default, for stdout, where an "
            "interrupted run cannot resume.",
            show_default=False,
        ),
    ] = None,
    output_format: Annotated[
        OutputFormat, typer.Option(help="The format of the files in a folder.")
    ] = PARQUET,
    columns: Annotated[
        Optional[str],
        typer.Option(
            metavar="NAME,NAME",
            help="Fields or columns of the texts that the rows in a folder keep.",
        ),
    ] = None,
    id_column: Annotated[
        Optional[str],
        typer.Option(
            metavar="NAME",
            help="The field or column with the ids of the rows in a folder; by default "
            "they are made of file and line.",
            show_default=False,
        ),
    ] = None,
    engine: Annotated[
        Engine, typer.Option(help="Predict on this machine, or on a Ray cluster.")
    ] = LOCAL,
    workers: Annotated[
        str,
        typer.Option(
            "--workers",
            "--n-process",
            metavar="N[:MOST]",
            help="Processes, on the CPU; with Ray, actors, from N to MOST.",
        ),
    ] = "1",
    gpus_per_worker: Annotated[
        float, typer.Option(min=0, help="GPUs of an actor of Ray, such as 0.5.")
    ] = 0,
    ray_address: RayAddress = None,
    ray_node_ip: RayNodeIp = None,
    batch_size: Annotated[
        int, typer.Option(min=1, metavar="N", help="Texts predicted together.")
    ] = BATCH_SIZE,
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
            "--overwrite",
            help="Start again, and replace FILE.jsonl at the end, or the FOLDER now.",
        ),
    ] = False,
    code: Code = None,
) -> None:
    """Write the entities of texts as JSON, one text per line, in their order, or as
    rows of parquet or JSON lines in a folder.

    A line is {"text", "entities": [{"start", "end", "label", "text", "score"}]}, with
    "spans" by group and "cats" if the pipeline sets them. Offsets are characters;
    "score" is null where a component gives none. Other fields of a .jsonl are carried
    through, except those of these names. Settings of the pipeline are overridden by
    their full names.

    A row has "id", --columns, "entities", "spans", "cats" and "error". Its file is
    written when some thousand texts are predicted. With --engine ray, actors of a
    cluster predict; rows and options are the same.

    A line that is not valid, or at which the pipeline fails, gets an "error", and null
    as "entities"; the others are predicted, and the exit code is 1.

    Texts may be of any length: those of more than 1,000,000 characters, spaCy's limit
    (max_length of the pipeline), are predicted in windows.

    To resume an interrupted run, repeat the command: until the output is complete it is
    FILE.jsonl.part, with its settings in FILE.jsonl.part.json. Stdin must then be the
    same stream. In a folder, what is committed stays, and new input files are added.

    \b
    Examples:
      python -m spacy_ner_ext predict training/model-best texts.txt
        --output entities.jsonl --components.crf_ner.threshold 0.5
      zcat texts.jsonl.gz | python -m spacy_ner_ext predict training/model-best -
        --format jsonl --workers 4 | jq .entities
      python -m spacy_ner_ext predict training/model-best "s3://bucket/*.parquet"
        s3://bucket/entities --engine ray --ray-address auto --workers 2:8
    """
    paths, overrides = _split(arguments)
    inputs, target = _input_and_output(paths, output)
    on_ray = engine == "ray"
    n_workers = read_workers(workers)
    _check_devices(on_ray, n_workers, gpu_id, gpus_per_worker)
    pipeline = PipelineSource(model, json.dumps(read_overrides(overrides)), code)
    to_folder = target != STDOUT and _is_folder(target)
    if not to_folder and (on_ray or columns or id_column):
        option = "--engine ray" if on_ray else "--columns or --id-column"
        raise UserError(f"{option} writes rows into a folder: name one as OUTPUT")
    source = open_source(inputs, format.value if format else None, text_field)
    if not to_folder:
        use_device(gpu_id)
        prediction = Prediction(
            pipeline, source, batch_size, n_workers.least, max_length
        )
        if target == STDOUT:
            _run_to_stdout(prediction)
        else:
            _run_to_file(prediction, Path(target), inputs, overwrite)
        return
    annotation = make_annotation(
        _checked(source),
        pipeline.shared() if on_ray else pipeline,
        OutputFolder(target, output_format.value),
        columns=tuple(names("--columns", columns)),
        id_column=id_column,
        batch_size=batch_size,
        max_length=max_length,
        gpu_id=gpu_id if not on_ray else 0 if gpus_per_worker else -1,
    )
    cluster = Cluster(ray_address, ray_node_ip, gpus_per_worker) if on_ray else None
    _run_to_folder(annotation, n_workers, cluster, overwrite)


class Cluster(NamedTuple):
    """Where Ray runs, and the GPUs of each of its workers."""

    address: str | None
    node_ip: str | None
    gpus_per_worker: float


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Paths, and what overrides settings, which starts with the first option."""
    options = [i for i, value in enumerate(arguments) if value.startswith("--")]
    end = options[0] if options else len(arguments)
    return list(arguments[:end]), list(arguments[end:])


def _input_and_output(paths: list[str], output: str | None) -> tuple[list[str], str]:
    if not paths:
        raise UserError("no input is given: name a file, a folder or a glob")
    if output is not None or len(paths) == 1:
        return paths, output or STDOUT
    return paths[:-1], paths[-1]


def _is_folder(target: str) -> bool:
    """Whether an output is a folder: anything that has no ending of a file."""
    suffix = Path(target).suffix
    if suffix == SUFFIX:
        return False
    if suffix and not target.endswith("/") and not Path(target).is_dir():
        what = f"the name of the output must end in {SUFFIX}, or be that of a folder"
        raise UserError(f"{what}, without an ending or with / at its end", target)
    return True


def _check_devices(
    on_ray: bool, workers: Workers, gpu_id: int, gpus_per_worker: float
) -> None:
    if on_ray:
        if gpu_id >= 0:
            what = f"--gpu-id {gpu_id} is of one machine; with --engine ray give"
            raise UserError(f"{what} --gpus-per-worker 1")
        require("ray.data", "ray")
        return
    if gpus_per_worker:
        raise UserError("--gpus-per-worker is of --engine ray; here, give --gpu-id 0")
    if workers.most > workers.least:
        what = f"--workers {workers.least}:{workers.most} is of --engine ray"
        raise UserError(f"{what}; here, give one number")
    if gpu_id >= 0 and workers.least > 1:
        raise UserError(
            f"--gpu-id {gpu_id} and --workers {workers.least} exclude each other: one "
            "process keeps a GPU busy; leave one of them out"
        )


def _checked(source: Source) -> Source:
    """The source, if its texts can be read again and divided."""
    if source.is_stdin:
        raise UserError("stdin is not read into a folder: give a file as input")
    if source.format == "spacy":
        what = "documents are not written into a folder"
        raise UserError(f"{what}: name a file that ends in {SUFFIX} as output")
    return source


def _run_to_folder(
    annotation: Annotation, workers: Workers, cluster: Cluster | None, overwrite: bool
) -> None:
    files = annotation.start(overwrite=overwrite)
    n_before = len(annotation.folder.done())
    try:
        if cluster is None:
            use_device(annotation.annotator.gpu_id)
            total = Counts()
            for counts in batch_progress(annotation.run(files, workers.least)):
                total = total.plus(counts)
        else:
            total = _run_on_ray(annotation, files, workers, cluster)
    except BaseException as err:
        if annotation.folder.done():
            advice = "the same command, without --overwrite, resumes there"
            typer.echo(f"Results are in {annotation.folder.uri}; {advice}", err=True)
        if isinstance(err, KeyboardInterrupt):
            raise typer.Exit(128 + 2) from err
        raise
    annotation.folder.finish()
    where = annotation.folder.uri + ("; earlier results are kept" if n_before else "")
    lines = Lines(b"", total.texts, total.words, total.entities, 0, *total[3:])
    _report(lines, where, total.failed)


def _run_on_ray(
    annotation: Annotation, files: Any, workers: Workers, cluster: Cluster
) -> Counts:
    from .ray_data import run

    # One more for what reads, filters and writes.
    needed = {
        "cpus": workers.least + 1,
        "gpus": workers.least * cluster.gpus_per_worker,
    }
    with ray_started(cluster.address, cluster.node_ip, **needed):
        return run(annotation, files, workers, cluster.gpus_per_worker)


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


def _run_to_file(
    prediction: Prediction, path: Path, inputs: Sequence[str], overwrite: bool
) -> None:
    output = PartFile(path)
    if path.resolve() in [Path(given).resolve() for given in inputs]:
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
