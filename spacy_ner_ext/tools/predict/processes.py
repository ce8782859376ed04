"""Predict over batches in several processes.

Each is started afresh and loads the pipeline itself. Copies of this process (fork), as
`nlp.pipe(n_process=2)` makes them on Linux, stand still for ever in the first product
of matrices if torch or OpenMP had threads before.
"""

import os
import signal
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import connection, parent_process
from multiprocessing.context import SpawnContext, SpawnProcess
from threading import Thread
from typing import Any

from ...util.errors import UserError
from .annotate import Lines, annotate
from .inputs import Item
from .pipeline import PipelineSource

Batch = list[Item]
# One that is worked on, and one that waits.
BATCHES_EACH = 2


class _Context(SpawnContext):
    """Starts processes afresh, and keeps them to be ended at any time."""

    def __init__(self) -> None:
        self.started: list[SpawnProcess] = []

    def Process(self, *args: Any, **kwargs: Any) -> SpawnProcess:  # type: ignore[override]
        process = SpawnProcess(*args, **kwargs)
        self.started.append(process)
        return process


def annotate_in_processes(
    pipeline: PipelineSource, batches: Iterator[Batch], n_process: int
) -> Generator[Lines, None, None]:
    """Predict over batches.

    batches: The texts; read by a thread, ahead of what is predicted.
    YIELDS: The results, in the order of the batches, as soon as they are there.
    RAISES (UserError): If a process fails, or is ended from outside.
    """
    context = _Context()
    with _shared_processors(n_process):
        pool = ProcessPoolExecutor(n_process, context, initializer=_end_with_parent)
        try:
            yield from _Schedule(pool, pipeline, batches, n_process * BATCHES_EACH)
            pool.shutdown()
        except BrokenProcessPool as err:
            raise UserError(
                "a process was ended from outside, perhaps as memory ran out: use a "
                "lower --n-process or --batch-size"
            ) from err
        finally:
            # After this no process is started any more, and none is waited for.
            pool.shutdown(wait=False, cancel_futures=True)
            for process in context.started:
                if process.is_alive():
                    process.kill()


class _Schedule:
    """Keeps the processes busy and the results in order.

    pool: The processes.
    pipeline: The pipeline.
    batches: The texts.
    n_ahead: The most batches that are read, but not yet yielded.
    """

    def __init__(
        self,
        pool: ProcessPoolExecutor,
        pipeline: PipelineSource,
        batches: Iterator[Batch],
        n_ahead: int,
    ) -> None:
        self.pool = pool
        self.pipeline = pipeline
        self.batches = batches
        self.n_ahead = n_ahead
        self.running: deque[Future[Lines]] = deque()

    def __iter__(self) -> Iterator[Lines]:
        reading: Future[Batch | None] | None = _read(self.batches)
        while self.running or reading is not None:
            self._wait(reading)
            while self.running and self.running[0].done():
                yield self.running.popleft().result()
            if reading is not None and self._is_due(reading):
                reading = self._start(reading.result())

    def _wait(self, reading: Future[Batch | None] | None) -> None:
        awaited: list[Future[Any]] = list(self.running)[:1]
        if reading is not None and (self._has_room(reading)):
            awaited.append(reading)
        wait(awaited, return_when=FIRST_COMPLETED)

    def _has_room(self, reading: Future[Batch | None]) -> bool:
        # An error of the input is told behind the results of what was before it.
        failed = reading.done() and reading.exception() is not None
        return not self.running if failed else len(self.running) < self.n_ahead

    def _is_due(self, reading: Future[Batch | None]) -> bool:
        return reading.done() and self._has_room(reading)

    def _start(self, batch: Batch | None) -> Future[Batch | None] | None:
        if batch is None:
            return None
        with _without_interrupt():
            self.running.append(self.pool.submit(_work, self.pipeline, batch))
        return _read(self.batches)


def _read(batches: Iterator[Batch]) -> Future[Batch | None]:
    """Read a batch in a thread, which need not end when the process does: it may be
    waiting for stdin."""
    future: Future[Batch | None] = Future()

    def fill() -> None:
        try:
            future.set_result(next(batches, None))
        except Exception as err:  # noqa: BLE001 - raised where the batch is taken
            future.set_exception(err)

    Thread(target=fill, daemon=True).start()
    return future


@contextmanager
def _without_interrupt() -> Iterator[None]:
    """Let processes that start inside never see Ctrl-C, which a terminal sends to all:
    it is this process that ends them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _shared_processors(n_process: int) -> Iterator[None]:
    """Give each process that starts inside its share of threads; if each had as many as
    there are processors, they would wait for one another."""
    share = str(max(1, _n_processors() // n_process))
    wanted = {"OMP_NUM_THREADS": share, "TOKENIZERS_PARALLELISM": "false"}
    new = {name: value for name, value in wanted.items() if name not in os.environ}
    os.environ.update(new)
    try:
        yield
    finally:
        for name in new:
            os.environ.pop(name, None)


def _n_processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


# --- In the processes -------------------------------------------------------


def _work(pipeline: PipelineSource, batch: Batch) -> Lines:
    return annotate(pipeline.load(), batch)


def _end_with_parent() -> None:
    """End this process when its parent does, in whatever way."""
    Thread(target=_watch, daemon=True).start()


def _watch() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
