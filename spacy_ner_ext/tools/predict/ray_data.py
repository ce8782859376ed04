"""The engine `ray`: chunks of texts read, predicted and committed with Ray Data."""

import logging
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import fields

from ray.data import (
    ActorPoolStrategy,
    DataContext,
    Dataset,
    TaskPoolStrategy,
    read_datasource,
)
from ray.data.checkpoint import CheckpointConfig
from ray.exceptions import (
    OutOfMemoryError,
    RayActorError,
    RayError,
    WorkerCrashedError,
)
from ray.util.annotations import RayDeprecationWarning

from ...util.errors import UserError, one_line
from ..cluster import Workers
from .annotation import Annotation
from .annotator import Annotator
from .chunks import CHUNK
from .folder import Counts, OutputFolder
from .ray_files import Numbered, Rows, Texts

# Bytes of a block: some chunks, so that memory is bounded and all workers have some.
BLOCK = 2**17
# How often a chunk is repeated whose worker ended, such as one that uses all memory.
RETRIES = 5
# Of a worker that filters what is committed: eight bytes a chunk.
FILTER_MEMORY = 2**27
NAME = re.escape(f"{UserError.__module__}.{UserError.__qualname__}")
# Ray's errors about a process that ended.
ENDED = (OutOfMemoryError, RayActorError, WorkerCrashedError)


def run(
    annotation: Annotation,
    files: Sequence[Numbered],
    workers: Workers,
    gpus_per_worker: float,
) -> Counts:
    """Predict on the cluster that is connected what is not committed yet.

    RAISES (UserError): If the pipeline or an input cannot be used, or a worker ends
        again and again.
    """
    columns, folder = annotation.annotator.columns, annotation.folder
    _configure(folder)
    sink = Rows(folder, columns)
    source = Texts(annotation.source, columns, files)
    n_tasks = len(source.groups())
    # Readers and writers need little time, and wait for no processor.
    texts = read_datasource(
        source,
        override_num_blocks=n_tasks,
        num_cpus=0,
        compute=TaskPoolStrategy(size=min(workers.most, n_tasks)),
    )
    rows = _predicted(texts, annotation.annotator, workers, gpus_per_worker)
    try:
        rows.write_datasink(sink, ray_remote_args={"num_cpus": 0})
    except (RayError, UserError) as err:
        raise _explain(err) from err
    return sink.counts


def _predicted(
    texts: Dataset, annotator: Annotator, workers: Workers, gpus_per_worker: float
) -> Dataset:
    settings = {f.name: getattr(annotator, f.name) for f in fields(Annotator)}
    with warnings.catch_warnings():
        # There is no other way yet to bound how often a text ends a worker.
        warnings.simplefilter("ignore", RayDeprecationWarning)
        return texts.map_batches(
            Annotator,
            fn_constructor_kwargs=settings,
            batch_size=1,
            batch_format="pyarrow",
            compute=ActorPoolStrategy(min_size=workers.least, max_size=workers.most),
            num_gpus=gpus_per_worker or None,
            max_task_retries=RETRIES,
        )


def _configure(folder: OutputFolder) -> None:
    context = DataContext.get_current()
    context.target_max_block_size = BLOCK
    context.enable_progress_bars = sys.stderr.isatty()
    context.print_on_execution_start = False
    # An error is reported once, by the exception that is raised.
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    context.checkpoint_config = CheckpointConfig(
        CHUNK,
        folder.checkpoint,
        override_filesystem=folder.filesystem,
        delete_checkpoint_on_success=False,
    )
    context.checkpoint_config.checkpoint_actor_memory_bytes = FILTER_MEMORY


def _explain(err: BaseException) -> UserError:
    """The UserError that a worker raised, or one that says why the run ends."""
    # Of an error in a worker, only the traceback arrives here.
    raised = re.findall(rf"^{NAME}: (.+)", str(err), re.MULTILINE)
    if raised:
        return UserError(raised[-1])
    if any(isinstance(cause, ENDED) for cause in _causes(err)):
        what = "a worker ended again and again at the same texts, perhaps because "
        advice = "lower --workers or --batch-size, or set --max-length"
        return UserError(f"{what}memory ran out: {advice}")
    return UserError(f"Ray ends the run: {one_line(err)}; repeat it to continue")


def _causes(err: BaseException | None) -> Iterator[BaseException]:
    while err is not None:
        yield err
        err = getattr(err, "cause", None) or err.__cause__
