"""Find and open input files on any file system that pyarrow or fsspec reaches."""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple

import fsspec
from fsspec.utils import glob_translate
from pyarrow import ArrowException, fs

from ...data.text import check_input
from ...util.errors import UserError, one_line

STDIN = "-"
SUFFIXES = {".txt": "text", ".jsonl": "jsonl", ".spacy": "spacy", ".parquet": "parquet"}
# Endings of compressed files, which are decompressed while they are read.
COMPRESSED = (".gz", ".bz2", ".lz4", ".zst")
GLOB = re.compile(r"[*?\[]")
# Schemes that pyarrow opens itself; fsspec has the others.
OWN_SCHEMES = ("file", "s3", "gs", "gcs", "hdfs", "viewfs", "abfs", "abfss")


class InputFile(NamedTuple):
    """A file to read.

    name: Its name in ids: the path below the folder or glob that was given.
    shown: Its name in errors.
    path: Its path on the file system; "-" for stdin.
    filesystem: The file system.
    size: Its size in bytes.
    is_named: Whether it was given itself, not by a folder or a glob.
    """

    name: str
    shown: str
    path: str
    filesystem: Any
    size: int
    is_named: bool = False

    @property
    def format(self) -> str | None:
        """The format that its name shows."""
        path = PurePosixPath(self.name)
        suffix = PurePosixPath(path.stem).suffix if self.is_compressed else path.suffix
        return SUFFIXES.get(suffix)

    @property
    def is_compressed(self) -> bool:
        return PurePosixPath(self.name).suffix in COMPRESSED

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """Open it as a stream of bytes, which are decompressed.

        RAISES (UserError): If it cannot be read.
        """
        with readable(self.shown):
            if self.path == STDIN:
                # Not sys.stdin: it is locked while a thread waits for it, and could
                # not be closed when the process ends.
                with open(0, "rb", closefd=False) as file:
                    yield file
            else:
                with self.filesystem.open_input_stream(self.path) as stream:
                    yield BufferedReader(stream)


@contextmanager
def readable(name: str, verb: str = "read") -> Iterator[None]:
    """Raise errors of a file system in a block as a UserError."""
    try:
        yield
    except OSError as err:
        raise UserError(f"cannot be {verb} ({reason(err)})", name) from err


def reason(err: Exception) -> str:
    """The reason of an error of pyarrow or of the operating system."""
    return getattr(err, "strerror", None) or one_line(err)


def open_filesystem(path: str) -> tuple[Any, str]:
    """The file system of a path or URI, and the path on it.

    RAISES (UserError): If no library knows the file system.
    """
    scheme, separator, _ = path.partition("://")
    if not separator:
        return fs.LocalFileSystem(), os.path.abspath(path)
    try:
        if scheme in OWN_SCHEMES:
            system, inner = fs.FileSystem.from_uri(path)
            return system, inner
        other, inner = fsspec.core.url_to_fs(path)
        return fs.PyFileSystem(fs.FSSpecHandler(other)), inner
    # Such as a package of fsspec that is not installed, or missing credentials.
    except (ArrowException, ImportError, OSError, ValueError) as err:
        raise UserError(f"cannot be opened ({reason(err)})", path) from err


def find_files(inputs: Sequence[str]) -> list[InputFile]:
    """The files that are given by name, folder or glob, by their paths.

    RAISES (UserError): If nothing is there, or two files have the same name in ids.
    """
    files = [file for path in inputs for file in _find(path)]
    names: dict[str, InputFile] = {}
    for file in files:
        other = names.setdefault(file.name, file)
        if other is not file:
            what = f"has the same name as {other.shown}; give the folder of both"
            if (file.path, file.filesystem) == (other.path, other.filesystem):
                what = "is given twice; leave it out once"
            raise UserError(what, file.shown)
    return files


def _find(given: str) -> list[InputFile]:
    if given == STDIN:
        return [InputFile("stdin", "stdin", STDIN, None, 0)]
    system, path = open_filesystem(given)
    with readable(given):
        info = system.get_file_info(path)
        match = GLOB.search(given)
        if match and info.type == fs.FileType.NotFound:
            return _match(system, given, given[: match.start()].rpartition("/")[0])
        if info.type == fs.FileType.Directory:
            return list(_list(system, path, given.rstrip("/")))
    if isinstance(system, fs.LocalFileSystem):
        check_input(Path(given if "://" not in given else path))
    elif info.type == fs.FileType.NotFound:
        raise UserError("there is no such file; check the path", given)
    name, size = PurePosixPath(path).name, info.size or 0
    return [InputFile(name, given, path, system, size, is_named=True)]


def is_matched(given: str, path: str) -> bool:
    """Whether a glob that is given as input matches a path."""
    return re.match(glob_translate(open_filesystem(given)[1]), path) is not None


def _match(system: Any, pattern: str, folder: str) -> list[InputFile]:
    """The files below a folder that a glob matches."""
    _, path = open_filesystem(folder or ("/" if pattern.startswith("/") else "."))
    wanted = re.compile(glob_translate(pattern.removeprefix(f"{folder}/")))
    files = [file for file in _list(system, path, folder) if wanted.match(file.name)]
    if not files:
        raise UserError("matches no file; check the path", pattern)
    return files


def _list(system: Any, path: str, shown: str) -> Iterator[InputFile]:
    """All files below a folder, without hidden ones and those of other programs, such
    as _SUCCESS."""
    selector = fs.FileSelector(path, recursive=True, allow_not_found=True)
    for info in sorted(system.get_file_info(selector), key=lambda info: info.path):
        name = PurePosixPath(info.path).relative_to(PurePosixPath(path))
        marks = (".",) if name.suffix == ".spacy" else (".", "_")
        hidden = any(part.startswith(marks) for part in name.parts)
        if info.type == fs.FileType.File and not hidden:
            label = f"{shown}/{name}" if shown else str(name)
            yield InputFile(str(name), label, info.path, system, info.size or 0)
