"""A folder of results, to which every engine commits whole chunks, once each.

_annotation.json holds the settings and the input files. Before a file of rows is
written, the numbers of its chunks are in _checkpoint/NAME.pending.parquet; when it is
complete, this becomes _checkpoint/NAME.parquet, as in the checkpoints of Ray Data. A
run starts by removing what is pending, and then predicts the chunks that are not
committed.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import IO, Any, NamedTuple

import numpy
import pyarrow as pa
from pyarrow import compute, fs, parquet

from ...util.errors import UserError, one_line
from .chunks import BITS, CHUNK
from .files import InputFile, open_filesystem, readable
from .items import TOO_LONG, to_json

CHECKPOINT, SETTINGS = "_checkpoint", "_annotation.json"
PENDING = ".pending"
# Chunks of a file.
CHUNKS = 16
# The name of a file of rows, whose start is random.
ROWS = re.compile(r"([0-9a-f]{32}_\d+)\.(parquet|jsonl)")
usable = partial(readable, verb="used")


class Counts(NamedTuple):
    """Numbers of what a run has predicted; see Lines."""

    texts: int = 0
    words: int = 0
    entities: int = 0
    too_long: int = 0
    failed: int = 0

    @classmethod
    def of(cls, chunks: pa.Table) -> "Counts":
        """The numbers of chunks of rows."""
        rows = rows_of(chunks)
        errors = rows["error"].drop_null()
        n_long = compute.sum(compute.starts_with(errors, TOO_LONG)).as_py() or 0
        return cls(
            rows.num_rows,
            compute.sum(chunks["words"]).as_py() or 0,
            compute.sum(compute.list_value_length(rows["entities"])).as_py() or 0,
            n_long,
            len(errors) - n_long,
        )

    def plus(self, other: "Counts") -> "Counts":
        return Counts(*map(sum, zip(self, other)))


def rows_of(chunks: pa.Table) -> pa.Table:
    """The rows of chunks."""
    rows = chunks["rows"].combine_chunks().flatten()
    return pa.Table.from_struct_array(rows)


def write_rows(
    rows: pa.Table, columns: Sequence[str], format: str, file: IO[bytes]
) -> None:
    """Write rows as parquet, or as JSON lines, for which the columns hold JSON."""
    if format == "parquet":
        parquet.write_table(rows, file)
        return
    for row in rows.to_pylist():
        row |= {name: json.loads(row[name] or "null") for name in columns}
        row |= {name: dict(row[name]) for name in ("spans", "cats") if row[name]}
        file.write(f"{to_json(row)}\n".encode())


@dataclass(frozen=True)
class OutputFolder:
    """A folder on any file system, and the format of the files in it."""

    uri: str
    format: str = "parquet"

    @cached_property
    def _place(self) -> tuple[Any, str]:
        return open_filesystem(self.uri)

    @property
    def filesystem(self) -> Any:
        return self._place[0]

    @property
    def path(self) -> str:
        """The path on the file system."""
        return self._place[1]

    @property
    def checkpoint(self) -> str:
        return f"{self.path}/{CHECKPOINT}"

    def start(
        self, settings: dict[str, Any], files: Sequence[InputFile], *, overwrite: bool
    ) -> list[tuple[int, InputFile]]:
        """Prepare the folder for a run. Returns the input files with their numbers.

        RAISES (UserError): If it has other files, or has rows of other settings or of
            a file that has changed, and is not to be overwritten.
        """
        with usable(self.uri):
            is_ours = self._is_started()
            if is_ours and overwrite:
                self.filesystem.delete_dir_contents(self.path)
            done = self.done()
            found = self._read_settings() if done else {"settings": {}, "files": {}}
            if done:
                _compare(found, settings, files, self.uri, done)
            sizes = found["files"] | {f.name: f.size for f in files}
            numbers = {name: number for number, name in enumerate(sizes)}
            self.filesystem.create_dir(self.checkpoint, recursive=True)
            self._write_json({"settings": settings, "files": sizes})
            self._clean()
        return [(numbers[file.name], file) for file in files]

    def done(self) -> set[int]:
        """The numbers of the chunks that are committed.

        RAISES (UserError): If one is committed twice, or rows are missing.
        """
        with usable(self.uri):
            committed = self._committed()
            numbers = [self._read_numbers(name) for name in committed]
            missing = committed - {
                info.base_name.split(".")[0] for info in self._rows()
            }
        if missing:
            what = f"{len(missing)} files of rows are missing, such as {min(missing)}"
            advice = "put them back, or start again with --overwrite"
            raise UserError(f"{what}; {advice}", self.uri)
        every = numpy.concatenate(numbers) if numbers else numpy.array([], dtype=int)
        done = set(every.tolist())
        if len(done) < len(every):
            what = "two runs wrote it at the same time"
            raise UserError(f"{what}; start again with --overwrite", self.uri)
        return done

    def _read_numbers(self, name: str) -> Any:
        path = f"{self.checkpoint}/{name}.parquet"
        try:
            table = parquet.read_table(path, filesystem=self.filesystem)
            return table[CHUNK].to_numpy()
        except (pa.ArrowInvalid, KeyError) as err:
            what = f"is not a complete checkpoint ({one_line(err)}); start again with"
            raise UserError(f"{what} --overwrite", path) from err

    def write(self, name: str, chunks: pa.Table, columns: Sequence[str]) -> None:
        """Commit chunks of rows as a file."""
        pending = f"{self.checkpoint}/{name}{PENDING}.parquet"
        data = f"{self.path}/{name}.{self.format}"
        system = self.filesystem
        with usable(self.uri):
            parquet.write_table(chunks.select([CHUNK]), pending, filesystem=system)
            with system.open_output_stream(data) as file:
                write_rows(rows_of(chunks), columns, self.format, file)
            system.move(pending, f"{self.checkpoint}/{name}.parquet")

    def finish(self) -> int:
        """Remove files that are not committed, and count the chunks that are.

        RAISES (UserError): If a chunk is committed twice.
        """
        with usable(self.uri):
            self._clean()
        return len(self.done())

    def _clean(self) -> None:
        committed = self._committed()
        for info in self._list(self.checkpoint):
            if info.base_name.endswith(f"{PENDING}.parquet"):
                self.filesystem.delete_file(info.path)
        for info in self._rows():
            if info.base_name.split(".")[0] not in committed:
                self.filesystem.delete_file(info.path)

    def _rows(self) -> list[Any]:
        return [i for i in self._list(self.path) if ROWS.fullmatch(i.base_name)]

    def _committed(self) -> set[str]:
        names = [info.base_name for info in self._list(self.checkpoint)]
        done = {name.removesuffix(".parquet") for name in names}
        return {name for name in done if not name.endswith(PENDING)}

    def _list(self, folder: str) -> list[Any]:
        selector = fs.FileSelector(folder, allow_not_found=True)
        found = self.filesystem.get_file_info(selector)
        return [info for info in found if info.type == fs.FileType.File]

    def _is_started(self) -> bool:
        """Whether a run has started it; it may have been killed at once."""
        if self.filesystem.get_file_info(self.path).type == fs.FileType.File:
            raise UserError("is a file; name a folder as output", self.uri)
        selector = fs.FileSelector(self.path, allow_not_found=True)
        names = {info.base_name for info in self.filesystem.get_file_info(selector)}
        if names - {CHECKPOINT, f"{SETTINGS}.new"} and SETTINGS not in names:
            what = "has files of another program; name an empty folder as output"
            raise UserError(what, self.uri)
        return bool(names)

    def _read_settings(self) -> dict[str, Any]:
        path = f"{self.path}/{SETTINGS}"
        try:
            with self.filesystem.open_input_stream(path) as file:
                found: dict[str, Any] = json.loads(file.read())
            return {name: dict(found[name]) for name in ("settings", "files")}
        except (KeyError, TypeError, ValueError) as err:
            what = f"is not complete ({one_line(err)}); start again with --overwrite"
            raise UserError(what, path) from err

    def _write_json(self, data: dict[str, Any]) -> None:
        path = f"{self.path}/{SETTINGS}"
        with self.filesystem.open_output_stream(f"{path}.new") as file:
            file.write(json.dumps(data, indent=2).encode())
        self.filesystem.move(f"{path}.new", path)


def _compare(
    found: dict[str, Any],
    settings: dict[str, Any],
    files: Sequence[InputFile],
    folder: str,
    done: set[int],
) -> None:
    """Raise if settings differ, or the size of a file with chunks that are done."""
    advice = "repeat the command that started it, or start again with --overwrite"
    for name, value in settings.items():
        was = found["settings"].get(name)
        if was != value:
            what = f"it was started with {name} {_shorten(was)}, not {_shorten(value)}"
            raise UserError(f"{what}; {advice}", folder)
    read = {chunk >> BITS for chunk in done}
    sizes = {
        name: size
        for number, (name, size) in enumerate(found["files"].items())
        if number in read
    }
    for file in files:
        size = sizes.get(file.name, file.size)
        if size != file.size:
            what = (
                f"had {size:,} bytes when {folder} was started, and has {file.size:,}"
            )
            raise UserError(f"{what}; give new texts in a new file", file.shown)


def _shorten(value: object) -> str:
    text = json.dumps(value)
    # Digests are long.
    return text if len(text) <= 60 else f'{text[:12]}…"'
