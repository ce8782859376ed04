"""Command `suggest`: choose the texts to annotate next."""

import json
import os
from collections.abc import Callable
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from ...data.formats.tasks import TASK_FORMATS, write_tasks
from ...util.errors import UserError
from ..device import GpuId, use_device
from ..pipeline import MODEL_HELP, Code, Component
from .command import Format, TextField, TextsTogether, report_skipped
from .execute import run_resumable
from .inputs import open_source
from .items import TEXT
from .outputs import PartFile
from .predict import BATCH_SIZE
from .run import Prediction
from .suggest import as_task, choose
from .uncertainty import find_pipe, score_texts
from .variety import Pool
from .worker import PipelineSource

TaskFormat = Enum(
    "TaskFormat",
    {"prodigy": "prodigy", "label-studio": "label-studio", "doccano": "doccano"},
    type=str,
)
Per = Enum("Per", {"text": "text", "word": "word"}, type=str)
PRODIGY, TEXTS = TaskFormat("prodigy"), Per("text")


class TaskFile(PartFile):
    """A file of tasks, whose part has the scores of all texts."""

    def __init__(
        self,
        path: Path,
        format: str,
        pool: Pool,
        choose: Callable[[Pool], list[dict[str, Any]]],
    ) -> None:
        super().__init__(path)
        self.format, self.suffix = format, TASK_FORMATS[format][1]
        self.pool, self.choose = pool, choose
        self.chosen: list[dict[str, Any]] = []
        self.errors: list[str] = []

    def finish(self) -> None:
        """Choose from the part, write the tasks, and remove the part.

        RAISES (UserError): If there is no text to choose.
        """
        with self.part.open("rb") as file:
            for result in map(json.loads, file):
                if result["entities"] is None:
                    self.errors.append(result["error"])
                else:
                    self.pool.add(result)
        self.chosen = self.choose(self.pool)
        if not self.chosen:
            self.part.unlink()
            self.settings_file.unlink()
            self.n_lines = 0
            first = self.errors[0] if self.errors else "none has a word; give others"
            raise UserError(f"no text can be suggested, so no task is written: {first}")
        write_tasks(self.path, map(as_task, self.chosen), self.format)
        self.part.unlink()


def suggest(
    model: Annotated[str, typer.Argument(metavar="MODEL", help=MODEL_HELP)],
    texts: Annotated[
        list[str],
        typer.Argument(
            metavar="TEXTS...",
            help="What predict reads: files, folders or globs of .txt (one per line), "
            ".jsonl, .parquet or .spacy (tokens are kept); - for stdin.",
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE.jsonl",
            help="The tasks; FILE.json for Label Studio.",
        ),
    ],
    number: Annotated[
        int, typer.Option(min=1, metavar="N", help="The number of texts to choose.")
    ] = 100,
    format: Annotated[
        TaskFormat, typer.Option(help="The tool that the tasks are for.")
    ] = PRODIGY,
    per: Annotated[
        Per,
        typer.Option(
            help="Choose texts with the most expected errors, or with the most per "
            "token, so that short texts are not put last."
        ),
    ] = TEXTS,
    component: Component = None,
    input_format: Annotated[
        Optional[Format],
        typer.Option(help="The format of TEXTS, if their names do not show it."),
    ] = None,
    text_field: TextField = TEXT,
    max_length: Annotated[
        Optional[int],
        typer.Option(
            min=1,
            metavar="N",
            help="Leave out texts of more characters.",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option(min=1, metavar="N", help="Processes, on the CPU.")
    ] = 1,
    batch_size: TextsTogether = BATCH_SIZE,
    gpu_id: GpuId = -1,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Start again, and replace FILE at the end."),
    ] = False,
    code: Code = None,
) -> None:
    """Choose the texts to annotate next, and write them as tasks for an annotation
    tool, with the predicted entities to correct.

    Chosen are the texts with the most entities that are probably wrong or missing, by
    the probabilities of crf_ner or span_marker_ner; of these, texts that differ: no
    near-duplicates, all labels, and all clusters of the vectors of the encoder.

    'convert' reads what the tool exports. To resume an interrupted run, repeat the
    command: until the tasks are written, the scores of texts are in FILE.part. Texts
    at which the pipeline fails are left out and counted, and the exit code is 1.

    \b
    Examples:
      python -m spacy_ner_ext suggest training/model-best texts.jsonl --number 100
        --output tasks.jsonl
      python -m spacy_ner_ext suggest training/model-best texts/ --output tasks.json
        --format label-studio --per word
    """
    source = open_source(
        texts, input_format.value if input_format else None, text_field
    )
    if os.path.abspath(output) in [file.path for file in source.files]:
        raise UserError(f"{output} is input and output: give the output another name")
    if gpu_id >= 0 and workers > 1:
        what = f"--gpu-id {gpu_id} and --workers {workers} exclude each other"
        raise UserError(f"{what}: leave one of them out")
    report_skipped(source)
    use_device(gpu_id)
    pipeline = PipelineSource(model, code=code)
    nlp = pipeline.load()
    find_pipe(nlp, component)
    prediction = Prediction(
        *(pipeline, source, batch_size, workers),
        max_length=min(max_length or nlp.max_length, nlp.max_length),
        function=partial(score_texts, component=component),
    )
    pick = partial(choose, nlp=nlp, component=component, batch_size=batch_size)
    tasks = TaskFile(output, format.value, Pool(number, per.value), pick)
    settings = {**prediction.settings(), "component": component}
    run_resumable(prediction, tasks, settings, overwrite)
    _report(tasks, number)


def _report(tasks: TaskFile, number: int) -> None:
    n_tasks, n_failed = len(tasks.chosen), len(tasks.errors)
    expected = sum(result["uncertainty"] for result in tasks.chosen)
    what = f"{n_tasks} tasks from {tasks.n_lines} texts"
    errors = f"with {expected:.1f} entities that are probably wrong or missing"
    typer.echo(f"Wrote {tasks.path}: {what}, {errors}")
    if n_tasks < number:
        what = f"{number} were asked for, but no other texts differ from these"
        typer.echo(f"{what}: give more texts", err=True)
    if n_failed:
        first = tasks.errors[0]
        typer.echo(f"{n_failed} texts were left out, such as {first}", err=True)
        raise typer.Exit(1)
