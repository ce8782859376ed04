"""Where results go: a stream, or a file that an interrupted run goes on with."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

import srsly

from ...util.errors import UserError
from ...util.files import check_output, write_json
from .annotate import line_start
from .inputs import Item

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

SUFFIX = ".jsonl"
ADVICE = "give what it was begun with, or begin anew with --overwrite"


class Output(Protocol):
    """What results are written to."""

    def remaining(self, batches: Iterator[list[Item]]) -> Iterator[list[Item]]:
        """Leave out batches that an earlier run has written."""

    def write(self, lines: bytes) -> None:
        """Write the results of a batch."""


class Stream:
    """A stream, which is begun anew by each run.

    file: The stream.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file

    def remaining(self, batches: Iterator[list[Item]]) -> Iterator[list[Item]]:
        """All batches."""
        return batches

    def write(self, lines: bytes) -> None:
        """Write lines, and hand them on at once."""
        self.file.write(lines)
        self.file.flush()


class PartFile:
    """A file that becomes the output when it is complete.

    Beside it lies what it was begun with, FILE.part.json. The batches that it has are
    left out by a run that goes on; a batch of which only some lines are there is
    written anew, since the same texts have to be predicted together for the same last
    digits of the scores.

    path: The output.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.part = path.with_name(f"{path.name}.part")
        self.begun_with = path.with_name(f"{path.name}.part.json")
        self.n_before = 0
        self.n_lines = 0

    @contextmanager
    def opened(self, settings: dict[str, Any], *, overwrite: bool) -> Iterator[None]:
        """Write inside; behind the block the output is complete.

        overwrite: Whether to begin anew, and to replace an output.
        RAISES (UserError): If there is an output, or a part that was begun with other
            settings.
        """
        self._check(settings, overwrite)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # What a finished run left behind when it was killed says nothing of a new one.
        begun = self.part.exists() and self.begun_with.exists()
        with self.part.open("ab+") as self._file:
            self._lock()
            if overwrite or not begun:
                self._begin({**settings, "overwrite": overwrite})
            try:
                yield
            except BaseException:
                self._remove_if_empty()
                raise
            os.fsync(self._file.fileno())
        os.replace(self.part, self.path)
        self.begun_with.unlink()

    def _check(self, settings: dict[str, Any], overwrite: bool) -> None:
        check_output(self.path, SUFFIX)
        if overwrite:
            return
        begun = self._read_begun_with()
        if begun is None and self.part.exists() and self.part.stat().st_size:
            what = f"it has lines, but {self.begun_with} is missing; remove it"
            raise UserError(what, self.part)
        if self.path.exists() and not (begun and begun.pop("overwrite", False)):
            what = "is there already; name another, or add --overwrite"
            raise UserError(what, self.path)
        for name, value in settings.items() if begun else ():
            if begun is not None and begun.get(name) != value:
                was = f"it was begun with {name} {_shown(begun.get(name))}"
                raise UserError(f"{was}, not {_shown(value)}; {ADVICE}", self.part)

    def _read_begun_with(self) -> dict[str, Any] | None:
        if not self.begun_with.exists() or not self.part.exists():
            return None
        try:
            return dict(srsly.read_json(self.begun_with))
        except (ValueError, TypeError) as err:
            what = f"is damaged; remove it and {self.part}"
            raise UserError(what, self.begun_with) from err

    def _lock(self) -> None:
        try:
            if fcntl is not None:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as err:
            what = "another run is writing it; wait for it, or name another output"
            raise UserError(what, self.part) from err

    def _begin(self, settings: dict[str, Any]) -> None:
        # In this order a part never lies beside what another one was begun with.
        self.begun_with.unlink(missing_ok=True)
        self._file.truncate(0)
        write_json(settings, self.begun_with)

    def _remove_if_empty(self) -> None:
        if os.fstat(self._file.fileno()).st_size == 0:
            self.part.unlink()
            self.begun_with.unlink()

    def remaining(self, batches: Iterator[list[Item]]) -> Iterator[list[Item]]:
        """Leave out the batches that the part has, and cut it behind them.

        YIELDS: Those that are not written yet.
        RAISES (UserError): If a line was made of another input.
        """
        self._file.seek(0)
        end = 0
        for batch in batches:
            if not self._has(batch):
                self._file.truncate(end)
                yield batch
                break
            end = self._file.tell()
            self.n_before = self.n_lines = self.n_lines + len(batch)
        else:
            self._check_end(end)
        yield from batches

    def _has(self, batch: Sequence[Item]) -> bool:
        return all(
            self._is_of(self._file.readline(), item, number)
            for number, item in enumerate(batch, start=self.n_lines + 1)
        )

    def _is_of(self, line: bytes, item: Item, number: int) -> bool:
        if line.startswith(line_start(item).encode()):
            # After a power failure the last lines may be there in part.
            return line.endswith(b"}\n")
        if _is_result(line):
            what = f"is not what line {number} of {self.part} was made of; {ADVICE}"
            raise UserError.at(item.place, what)
        return False

    def _check_end(self, end: int) -> None:
        if _is_result(self._file.readline()):
            raise UserError(
                f"{self.part} has more lines than the {self.n_lines} texts of the "
                f"input; {ADVICE}"
            )
        self._file.truncate(end)

    def write(self, lines: bytes) -> None:
        """Write the lines of a batch."""
        self._file.write(lines)
        self._file.flush()
        self.n_lines += lines.count(b"\n")


def _is_result(line: bytes) -> bool:
    try:
        return line.endswith(b"\n") and isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _shown(value: object) -> str:
    text = json.dumps(value)
    # Digests are long.
    return text if len(text) <= 60 else f'{text[:12]}…"'
