"""Counts of what a GPU would have to do, and limits of its memory."""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = str(Path(__file__).parent)
# The place of a call is outside of these.
LIBRARIES = (HERE, "<", "/torch/", "contextlib.py")
KINDS = ("launches", "waits", "copies")


class Misuse(AssertionError):
    """A GPU would run this, and silently do something else than NumPy."""


class Work:
    """What was done while it was counted; each a Counter by name.

    launches: Kernels.
    waits: Places where the host waits for the device, by reason.
    copies: Copies from the host to the device, by library.
    host_arrays: Arrays of the host as indices or values of elements of device arrays,
        which are copied at each call, by place in the code.
    unordered: Sums by atomic additions, in any order, by place in the code.
    places: All of these by place in the code, if that was asked for.
    """

    def __init__(self, where: bool = False) -> None:
        self.launches: Counter[str] = Counter()
        self.waits: Counter[str] = Counter()
        self.copies: Counter[str] = Counter()
        self.host_arrays: Counter[str] = Counter()
        self.unordered: Counter[str] = Counter()
        self.places: dict[str, Counter[str]] = {}
        if where:
            self.places = {
                "launches": Counter(),
                "waits": Counter(),
                "copies": Counter(),
            }

    def totals(self) -> dict[str, int]:
        return {kind: getattr(self, kind).total() for kind in KINDS}


_active: list[Work] = []


@contextmanager
def count(where: bool = False) -> Iterator[Work]:
    """Count the work of the block; with `where` also by place, which is slow."""
    work = Work(where)
    _active.append(work)
    try:
        yield work
    finally:
        _active.remove(work)


def _add(kind: str, name: str, n: int = 1) -> None:
    for work in _active:
        getattr(work, kind)[name] += n
        if work.places:
            work.places[kind][place()] += n


def launch(name: str, n: int = 1) -> None:
    _add("launches", name, n)


def wait(reason: str) -> None:
    _add("waits", reason)


def copy_to_device(library: str) -> None:
    _add("copies", library)


def host_array(library: str) -> None:
    copy_to_device(library)
    for work in _active:
        work.host_arrays[place(False)] += 1


def unordered_sum(name: str) -> None:
    for work in _active:
        work.unordered[f"{name} at {place(False)}"] += 1


def place(package_only: bool = True) -> str:
    """The innermost line of the package that leads here; or of any code that is not the
    stand-in's or torch's, which is also where there is none of the package."""
    frame, first = sys._getframe(1), ""
    while frame is not None:
        name = frame.f_code.co_filename
        line = f"{frame.f_lineno} {frame.f_code.co_name}"
        if "spacy_ner_ext/" in name and "/tests/" not in name:
            own = f"{name.rpartition('spacy_ner_ext/')[2]}:{line}"
            return own if package_only or not first else first
        if not first and not any(part in name for part in LIBRARIES):
            first = f"{'/'.join(name.split('/')[-3:])}:{line}"
        frame = frame.f_back  # type: ignore[assignment]
    return first


class Memory:
    """The memory of the device. Arrays larger than `largest` bytes do not fit."""

    largest: int | None = None
    free = 8 * 2**30
    total = 8 * 2**30
    n_failures = 0

    def check(self, nbytes: int, error: type) -> None:
        if self.largest is not None and nbytes > self.largest:
            self.n_failures += 1
            raise error(f"Out of memory allocating {nbytes:,} bytes.")


memory = Memory()
