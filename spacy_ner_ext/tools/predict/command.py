"""Predict the entities of a file or a stream of texts."""

import json
import os
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated, Optional

import typer

from ...util.errors import UserError
from ..cluster import RayAddress, RayNodeIp, Workers, read_workers
from ..device import GpuId, use_device
from ..options import names, read_overrides
from ..pipeline import MODEL_HELP, Code
from .annotation import make_annotation
from .execute import Cluster, run_to_file, run_to_folder, run_to_stdout
from .files import is_matched, open_filesystem
from .folder import OutputFolder
from .inputs import Source, open_source
from .items import TEXT
from .outputs import SUFFIX
from .predict import BATCH_SIZE
from .run import Prediction
from .worker import PipelineSource

STDOUT = "-"
Format = Enum(
    "Format",
    {"text": "text", "jsonl": "jsonl", "spacy": "spacy", "parquet": "parquet"},
    type=str,
)
OutputFormat = Enum("OutputFormat", {"parquet": "parquet", "jsonl": "jsonl"}, type=str)
Engine = Enum("Engine", {"local": "local", "ray": "ray"}, type=str)
LOCAL = Engine("local")
TextField = Annotated[
    str, typer.Option(metavar="NAME", help="The field that contains the text.")
]
TextsTogether = Annotated[
    int, typer.Option(min=1, metavar="N", help="Texts predicted together.")
]


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
        Optional[OutputFormat],
        typer.Option(help="The format of the files in a folder; parquet by default."),
    ] = None,
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
    batch_size: TextsTogether = BATCH_SIZE,
    gpu_id: GpuId = -1,
    format: Annotated[
        Optional[Format],
        typer.Option(help="The format, if the name does not show it; stdin is text."),
    ] = None,
    text_field: TextField = TEXT,
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
    cluster = Cluster(ray_address, ray_node_ip, gpus_per_worker)
    on_ray = engine == "ray"
    n_workers = read_workers(workers)
    _check_engine(on_ray, cluster, n_workers, gpu_id)
    pipeline = PipelineSource(model, json.dumps(read_overrides(overrides)), code)
    source = open_source(inputs, format.value if format else None, text_field)
    if target == STDOUT or not _is_folder(target):
        asked = {
            "--engine ray": on_ray,
            "--columns": columns,
            "--id-column": id_column,
            "--output-format": output_format,
        }
        _check_file(target, source, [name for name, value in asked.items() if value])
        report_skipped(source)
        use_device(gpu_id)
        prediction = Prediction(
            pipeline, source, batch_size, n_workers.least, max_length
        )
        if target == STDOUT:
            run_to_stdout(prediction)
        else:
            run_to_file(prediction, Path(target), overwrite)
        return
    folder = OutputFolder(target, output_format.value if output_format else "parquet")
    _check_folder(folder, source, inputs)
    report_skipped(source)
    annotation = make_annotation(
        source,
        pipeline.shared() if on_ray else pipeline,
        folder,
        columns=tuple(names("--columns", columns)),
        id_column=id_column,
        batch_size=batch_size,
        max_length=max_length,
        gpu_id=gpu_id if not on_ray else 0 if gpus_per_worker else -1,
    )
    run_to_folder(annotation, n_workers, cluster if on_ray else None, overwrite)


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


def _check_engine(
    on_ray: bool, cluster: Cluster, workers: Workers, gpu_id: int
) -> None:
    """Raise for options of the other engine."""
    if on_ray:
        if gpu_id >= 0:
            what = f"--gpu-id {gpu_id} is for one machine; with --engine ray give"
            raise UserError(f"{what} --gpus-per-worker 1")
        return
    if any(cluster):
        what = "--gpus-per-worker, --ray-address and --ray-node-ip"
        raise UserError(f"{what} need --engine ray; here, --gpu-id 0 uses a GPU")
    if workers.most > workers.least:
        what = f"--workers {workers.least}:{workers.most} needs --engine ray"
        raise UserError(f"{what}; here, give one number")
    if gpu_id >= 0 and workers.least > 1:
        raise UserError(
            f"--gpu-id {gpu_id} and --workers {workers.least} exclude each other: one "
            "process keeps a GPU busy; leave one of them out"
        )


def report_skipped(source: Source) -> None:
    """Say which files of a folder are not read."""
    if source.skipped:
        n, first = len(source.skipped), source.skipped[0].shown
        what = f"Files that are not {source.format} are not read: {n}, such as {first}"
        typer.echo(what, err=True)


def _check_file(target: str, source: Source, asked: Sequence[str]) -> None:
    if asked:
        what = f"{asked[0]} writes rows into a folder, and {target} is not one"
        raise UserError(f"{what}: name a folder as OUTPUT")
    if "://" in target:
        what = "a file of lines is written to local disks only"
        raise UserError(f"{what}: name a folder, without {SUFFIX}, as output", target)
    if os.path.abspath(target) in [file.path for file in source.files]:
        raise UserError(f"{target} is input and output: give the output another name")


def _check_folder(folder: OutputFolder, source: Source, inputs: Sequence[str]) -> None:
    """Raise if the texts cannot be divided, or would be read from their own output."""
    if source.is_stdin:
        raise UserError("stdin is not read into a folder: give a file as input")
    if source.format == "spacy":
        what = "documents are not written into a folder"
        raise UserError(f"{what}: name a file that ends in {SUFFIX} as output")
    if folder.uri.startswith("memory://"):
        what = "is lost when this process ends; name another folder as output"
        raise UserError(what, folder.uri)
    above = [f"{open_filesystem(given)[1].rstrip('/')}/" for given in inputs]
    inside = any(file.path.startswith(f"{folder.path}/") for file in source.files)
    new = f"{folder.path}/rows.{folder.format}"
    inside = inside or any(is_matched(given, new) for given in inputs)
    if inside or f"{folder.path}/".startswith(tuple(above)):
        what = f"{folder.uri} is inside the input, or contains it"
        raise UserError(f"{what}: name another folder as output")
