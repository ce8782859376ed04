"""Annotate files into a folder, with the engine that is chosen."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import pyarrow as pa

from ... import __version__
from .annotator import Annotator
from .chunks import CHARACTERS, CHUNK, TEXTS, find_columns, read_chunks
from .files import InputFile
from .folder import CHUNKS, Counts, OutputFolder
from .inputs import Source
from .run import predict_in_processes
from .worker import PipelineSource


@dataclass(frozen=True)
class Annotation:
    """A run: the texts, how they are predicted, and where the rows are written."""

    source: Source
    annotator: Annotator
    folder: OutputFolder

    def settings(self) -> dict[str, Any]:
        """What the rows depend on, except for the texts."""
        pipeline, columns = self.annotator.pipeline, self.annotator.columns
        return {
            "pipeline": pipeline.digest(),
            "overrides": pipeline.overrides,
            "format": self.source.format,
            "text_field": self.source.text_field,
            "columns": {name: str(kind) for name, kind in columns.types.items()},
            "id_column": columns.id_column,
            "max_length": self.annotator.max_length,
            "output": self.folder.format,
            "chunk": [TEXTS, CHARACTERS],
            "version": __version__,
        }

    def start(
        self, settings: dict[str, Any], *, overwrite: bool
    ) -> list[tuple[int, InputFile]]:
        """Prepare the folder. Returns the files with their numbers."""
        return self.folder.start(settings, self.source.files, overwrite=overwrite)

    def run(
        self, files: Sequence[tuple[int, InputFile]], n_process: int
    ) -> Iterator[Counts]:
        """Predict on this machine what is not committed yet.

        YIELDS: The numbers of each chunk when it is predicted.
        """
        columns = self.annotator.columns
        waiting: list[pa.Table] = []
        run, n_files = uuid4().hex, 0

        def commit() -> None:
            nonlocal n_files
            if waiting:
                name = f"{run}_{n_files:06}"
                self.folder.write(name, pa.concat_tables(waiting), [*columns.types])
                n_files += 1
                waiting.clear()

        try:
            with closing(self._predict(self._remaining(files), n_process)) as results:
                for chunk in results:
                    waiting.append(chunk)
                    if len(waiting) == CHUNKS:
                        commit()
                    yield Counts.of(chunk)
        finally:
            # Predicted chunks are kept, also after Ctrl-C.
            commit()

    def _remaining(self, files: Sequence[tuple[int, InputFile]]) -> Iterator[pa.Table]:
        done = self.folder.done()
        for number, file in files:
            columns = self.annotator.columns
            for chunk in read_chunks(self.source, columns, file, number):
                if chunk[CHUNK][0].as_py() not in done:
                    yield chunk

    def _predict(
        self, chunks: Iterator[pa.Table], n_process: int
    ) -> Generator[pa.Table, None, None]:
        if n_process > 1:
            yield from predict_in_processes(self.annotator, chunks, n_process)
        else:
            yield from map(self.annotator, chunks)


def make_annotation(
    source: Source,
    pipeline: PipelineSource,
    folder: OutputFolder,
    *,
    columns: tuple[str, ...] = (),
    id_column: str | None = None,
    **settings: Any,
) -> Annotation:
    """Create a run.

    columns: The columns of the input to keep.
    id_column: The one that has the ids; None to make them of file and row.
    settings: Of the Annotator.
    RAISES (UserError): If the input does not have these columns.
    """
    kept = find_columns(source, columns, id_column, folder.format)
    annotator = Annotator(pipeline, kept, **settings)
    return Annotation(replace(source, columns=kept.names), annotator, folder)
