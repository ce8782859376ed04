"""Chunks of texts and of rows as files that Ray Data reads and writes.

The processes that do so import neither spaCy nor torch, which take seconds and memory.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import pyarrow as pa
from ray.data import DataContext, Datasource
from ray.data.block import Block, BlockAccessor, BlockMetadata
from ray.data.datasource import BlockBasedFileDatasink, ReadTask

from .chunks import Columns, read_chunks
from .files import InputFile
from .folder import CHUNKS, Counts, OutputFolder, rows_of, write_rows
from .inputs import Source

Numbered = tuple[int, InputFile]
# Bytes of the files that a task reads, unless one is larger.
TASK = 2**24


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
