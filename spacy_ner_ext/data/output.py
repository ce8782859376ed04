"""Where converted documents go: a .spacy file, a folder of several, or of parts."""

import os
import re
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

from spacy.tokens import Doc

from ..util.errors import UserError
from ..util.files import check_output, replacing
from .docbin import DocBinWriter
from .report import notes_path
from .split.settings import PARTS

SUFFIX = ".spacy"
SHARD = re.compile(r"\d{5,}\.spacy")


class _Shards:
    """Documents of one part: a file, or a folder of files of some documents each."""

    def __init__(self, path: Path, name: Path, shard_size: int) -> None:
        self.path = path
        self.name = name
        self.shard_size = shard_size
        self._n_shards = 0
        self._stack = ExitStack()
        self._writer: DocBinWriter | None = None
        if shard_size:
            path.mkdir()
        else:
            self._open(path)

    def __enter__(self) -> "_Shards":
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.__exit__(*error)  # type: ignore[arg-type]

    def _open(self, path: Path) -> DocBinWriter:
        self._writer = self._stack.enter_context(DocBinWriter(path, self.name))
        return self._writer

    def add(self, doc: Doc) -> None:
        writer = self._writer
        if writer is None or (self.shard_size and writer.n_docs == self.shard_size):
            self._stack.close()
            writer = self._open(self.path / f"{self._n_shards:05}{SUFFIX}")
            self._n_shards += 1
        writer.add(doc)


def write_parts(
    docs: Iterable[tuple[str, Doc]],
    target: Path,
    parts: Sequence[str] = (),
    shard_size: int = 0,
) -> None:
    """Write documents, all or none.

    docs: The documents, each with the name of its part; empty if there are no parts.
    target: The .spacy file, or the folder if there are parts or shards.
    parts: The names of the parts.
    shard_size: Documents a file; 0 for one file a part.
    RAISES (UserError): If something cannot be written.
    """
    paths = _paths(target, parts, shard_size)
    with ExitStack() as replaced, ExitStack() as written:
        sinks = {
            part: written.enter_context(
                _Shards(replaced.enter_context(replacing(path)), path, shard_size)
            )
            for part, path in paths.items()
        }
        for part, doc in docs:
            sinks[part].add(doc)


def _paths(target: Path, parts: Sequence[str], shard_size: int) -> dict[str, Path]:
    if not parts:
        return {"": target}
    suffix = "" if shard_size else SUFFIX
    return {part: target / f"{part}{suffix}" for part in parts}


def check_target(
    target: Path, source: Path, parts: Sequence[str] = (), shard_size: int = 0
) -> None:
    """Raise if the output cannot have this name.

    target: The .spacy file, or the folder if there are parts or shards.
    parts: The names of the parts.
    shard_size: Documents a file; 0 for one file a part.
    RAISES (UserError): If the name does not fit, or something else is there.
    """
    if shard_size < 0:
        raise UserError(f"documents a shard must be 1 or more, not {shard_size}")
    is_folder = bool(parts or shard_size)
    if is_folder and target.suffix == SUFFIX:
        option = "--split" if parts else "--shard-size"
        raise UserError(f"{option} writes a folder; give the name of one", target)
    for path in _paths(target, parts, shard_size).values():
        if shard_size:
            _check_folder(path)
        else:
            check_output(path, SUFFIX)
        if is_inside(source, path) or is_inside(path, source):
            raise UserError("is input and output; give the output another name", path)


def is_inside(path: Path, folder: Path) -> bool:
    """Find out whether a file is a folder or lies in it.

    path: The file or folder; it need not exist.
    folder: The folder, or a file.
    RETURNS: Whether it is the same or inside, links followed.
    """
    inner, outer = os.path.realpath(path), os.path.realpath(folder)
    return inner == outer or inner.startswith(os.path.join(outer, ""))


def check_report(path: Path | None, *others: Path) -> None:
    """Raise if a report cannot have this name.

    path: The .json file; None for no report.
    others: What is read and written.
    RAISES (UserError): If the name does not fit, or is that of something else.
    """
    if path is None:
        return
    check_output(path, ".json")
    for file in (path, notes_path(path)):
        for other in others:
            if is_inside(file, other):
                what = f"is in {other}, which is read or written; give another report"
                raise UserError(what, file)


def stale_parts(
    target: Path, parts: Sequence[str], shard_size: int, expected: Iterable[str]
) -> list[Path]:
    """Find what an earlier conversion left of parts that are not written now.

    target: The folder of the parts.
    parts: The names of the parts.
    shard_size: Documents a file; 0 for one file a part.
    expected: Parts that are written by something else.
    """
    if not parts:
        return []
    written = set(_paths(target, [*parts, *expected], shard_size).values())
    known = (target / f"{part}{suffix}" for part in PARTS for suffix in ("", SUFFIX))
    return [path for path in known if path not in written and path.exists()]


def _check_folder(path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise UserError("is a file, and a folder shall be written; move it", path)
    others = [
        p.name for p in path.glob("*") if not SHARD.fullmatch(p.name) or p.is_dir()
    ]
    if others:
        what = f"holds {others[0]}, and is replaced as a whole; give another folder"
        raise UserError(what, path)
