"""The engine `ray`: chunks of texts read, predicted and committed with Ray Data."""

import logging
import re
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from functools import partial
from typing import Any

import pyarrow as pa
from ray.data import (
    ActorPoolStrategy,
    DataContext,
    Dataset,
    Datasource,
    TaskPoolStrategy,
    read_datasource,
)
from ray.data.block import Block, BlockAccessor, BlockMetadata
from ray.data.checkpoint import CheckpointConfig
from ray.data.datasource import BlockBasedFileDatasink, ReadTask
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
from .chunks import CHUNK, Columns, read_chunks
from .files import InputFile
from .folder import CHUNKS, Counts, OutputFolder, rows_of, write_rows
from .inputs import Source

# Bytes of a block: some chunks, so that memory is bounded and all workers have some.
BLOCK = 2**17
# Bytes of the files that a task reads, unless one is larger.
TASK = 2**24
Numbered = tuple[int, InputFile]
# How often a chunk is repeated whose worker ended, such as one that uses all memory.
RETRIES = 5
# Of a worker that filters what is committed: eight bytes a chunk.
FILTER_MEMORY = 2**27
NAME = re.escape(f"{UserError.__module__}.{UserError.__qualname__}")
# Ray's errors about a process that ended.
ENDED = (OutOfMemoryError, RayActorError, WorkerCrashedError)


class Texts(Datasource):
    """The chunks of the input."""

    def __init__(
        self,
        source: Source,
        columns: Columns,
        files: Sequence[Numbered],
    ) -> None:
        self.source, self.columns, self.files = source, columns, files

    def estimate_inmemory_data_size(self) -> int | None:
        return sum(file.size for _, file in self.files)

    def get_read_tasks(
        self,
        parallelism: int,
        per_task_row_limit: int | None = None,
        data_context: DataContext | None = None,
    ) -> list[ReadTask]:
        tasks = []
        for group in self.groups():
            read = partial(_read, self.source, self.columns, group)
            size = sum(file.size for _, file in group)
            metadata = BlockMetadata(None, size, None, None, None)
            tasks.append(ReadTask(read, metadata, None, per_task_row_limit))
        return tasks

    def groups(self) -> list[list[Numbered]]:
        """The files of each task: a large one, or several small ones."""
        groups: list[list[Numbered]] = []
        size = TASK
        for number, file in self.files:
            if size >= TASK:
                groups.append([])
                size = 0
            groups[-1].append((number, file))
            size += file.size
        return groups


def _read(
    source: Source, columns: Columns, files: Sequence[Numbered]
) -> Iterator[pa.Table]:
    for number, file in files:
        yield from read_chunks(source, columns, file, number)


class Rows(BlockBasedFileDatasink):
    """Files of rows in the folder; each write returns its Counts."""

    def __init__(self, folder: OutputFolder, columns: Columns) -> None:
        super().__init__(
            folder.path, filesystem=folder.filesystem, file_format=folder.format
        )
        self.format, self.columns = folder.format, [*columns.types]
        self.counts = Counts()

    @property
    def min_rows_per_write(self) -> int:
        return CHUNKS

    def write(self, blocks: Iterable[Block], ctx: Any) -> Any:
        blocks = list(blocks)
        super().write(blocks, ctx)
        tables = [BlockAccessor.for_block(block).to_arrow() for block in blocks]
        return [Counts.of(table) for table in tables if table.num_rows]

    def write_block_to_file(self, block: BlockAccessor, file: pa.NativeFile) -> None:
        write_rows(rows_of(block.to_arrow()), self.columns, self.format, file)

    def on_write_complete(self, write_result: Any) -> None:
        super().on_write_complete(write_result)
        for counts in write_result.write_returns:
            for each in counts or ():
                self.counts = self.counts.plus(each)


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
    # Readers and writers need little time, and wait for no processor.
    texts = read_datasource(
        source,
        override_num_blocks=len(source.groups()),
        num_cpus=0,
        compute=TaskPoolStrategy(size=workers.most),
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
