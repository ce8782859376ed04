"""Write results to a stream, or to a file that an interrupted run can resume."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import srsly

from ...util.errors import UserError
from ...util.files import check_output, lock, write_json
from .items import TOO_LONG, Item

SUFFIX = ".jsonl"
ADVICE = "repeat the command that started it, or start again with --overwrite"


class Stream:
    """A stream, to which each run writes all batches."""

    # Lines with an error that an earlier run wrote, other than of texts too long.
    n_failed = 0

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file

    def remaining(self, batches: Iterator[list[Item]]) -> Iterator[list[Item]]:
        """The batches that no earlier run has written."""
        return batches

    def write(self, lines: bytes) -> None:
        """Write the lines of a batch."""
        self.file.write(lines)
        self.file.flush()


class PartFile(Stream):
    """A file that becomes the output when it is complete.

    FILE.part.json holds the settings of the run that started it. A run that resumes
    skips the batches that the file contains; a batch of which only some lines are there
    is predicted again as a whole, since the last digits of scores depend on the texts
    of a batch.
    """

    suffix = SUFFIX

    def __init__(self, path: Path) -> None:
        self.path = path
        self.part = path.with_name(f"{path.name}.part")
        self.settings_file = path.with_name(f"{path.name}.part.json")
        self.n_before = 0
        self.n_lines = 0

    @contextmanager
    def opened(self, settings: dict[str, Any], *, overwrite: bool) -> Iterator[None]:
        """Open the file inside the block; after it the output is complete.

        RAISES (UserError): If the output exists, or a part with other settings, and
            is not to be overwritten.
        """
        self._check(settings, overwrite)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # The settings may be left by a finished run that was killed at its very end.
        resumes = self.part.exists() and self.settings_file.exists()
        with self.part.open("ab+") as self.file:
            if not lock(self.file):
                what = "another run is writing it; wait for it, or name another output"
                raise UserError(what, self.part)
            if overwrite or not resumes:
                # In this order a part never has the settings of another one.
                self.settings_file.unlink(missing_ok=True)
                self.file.truncate(0)
                write_json({**settings, "overwrite": overwrite}, self.settings_file)
            try:
                yield
            except BaseException:
                if os.fstat(self.file.fileno()).st_size == 0:
                    self.part.unlink()
                    self.settings_file.unlink()
                raise
            os.fsync(self.file.fileno())
        self.finish()
        self.settings_file.unlink()

    def finish(self) -> None:
        """Make the part, which is complete, the output."""
        os.replace(self.part, self.path)

    def _check(self, settings: dict[str, Any], overwrite: bool) -> None:
        check_output(self.path, self.suffix)
        if overwrite:
            return
        started = self._read_settings()
        if not started and self.part.exists() and self.part.stat().st_size:
            what = f"it has lines, but {self.settings_file} is missing; remove it"
            raise UserError(what, self.part)
        if self.path.exists() and not started.get("overwrite"):
            what = "it exists; name another output, or add --overwrite"
            raise UserError(what, self.path)
        for name, value in settings.items() if started else ():
            if started.get(name) != value:
                was = f"it was started with {name} {_shorten(started.get(name))}"
                raise UserError(f"{was}, not {_shorten(value)}; {ADVICE}", self.part)

    def _read_settings(self) -> dict[str, Any]:
        if not self.settings_file.exists() or not self.part.exists():
            return {}
        try:
            return dict(srsly.read_json(self.settings_file))
        except (ValueError, TypeError) as err:
            what = f"is damaged; remove it and {self.part}"
            raise UserError(what, self.settings_file) from err

    def remaining(self, batches: Iterator[list[Item]]) -> Iterator[list[Item]]:
        """Skip the batches that the part contains, and truncate it after them.

        RAISES (UserError): If a line belongs to another input.
        """
        self.file.seek(0)
        end = 0
        for batch in batches:
            numbered = enumerate(batch, start=self.n_lines + 1)
            found = [self._read_result(item, number) for number, item in numbered]
            if not all(found):
                self.file.truncate(end)
                yield batch
                yield from batches
                return
            end = self.file.tell()
            self.n_failed += sum(map(_is_failed, found))
            self.n_before = self.n_lines = self.n_lines + len(batch)
        if _is_result(self.file.readline()):
            raise UserError(
                f"{self.part} has more lines than the {self.n_lines} texts of the "
                f"input; {ADVICE}"
            )
        self.file.truncate(end)

    def _read_result(self, item: Item, number: int) -> bytes:
        """The next result, without the text; empty if it is not there."""
        line = self.file.readline()
        head = f'{item.head}, "entities": '.encode()
        if line.startswith(head):
            # After a power failure the last line may be incomplete.
            return line[len(head) :] if line.endswith(b"}\n") else b""
        if _is_result(line):
            what = f"differs from the text of line {number} of {self.part}; {ADVICE}"
            raise item.place.error(what)
        return b""

    def write(self, lines: bytes) -> None:
        super().write(lines)
        self.n_lines += lines.count(b"\n")


def _is_result(line: bytes) -> bool:
    try:
        return line.endswith(b"\n") and isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _is_failed(result: bytes) -> bool:
    start = b'null, "error": "'
    return result.startswith(start) and not result.startswith(start + TOO_LONG.encode())


def _shorten(value: object) -> str:
    text = json.dumps(value)
    # Digests are long.
    return text if len(text) <= 60 else f'{text[:12]}…"'
