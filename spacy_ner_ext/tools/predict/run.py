"""Predict batches of texts, in this process or in others, and write the results.

Other processes are spawned and load the pipeline themselves. Forked ones, as of
`nlp.pipe(n_process=2)` on Linux, hang in the first matrix product if torch or OpenMP
had started threads before.
"""

import os
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import active_children, connection, get_context, parent_process
from threading import Thread
from typing import Any, TypeVar

from spacy.util import minibatch

from ... import __version__
from ...util.errors import UserError
from .inputs import Source
from .items import Item
from .outputs import Stream
from .predict import BATCH_SIZE
from .worker import Function, Lines, PipelineSource, predict_batch, predict_texts

Batch = list[Item]
# A batch of any kind, and its results.
T = TypeVar("T")
R = TypeVar("R")
# One that is predicted, and one that waits.
BATCHES_PER_PROCESS = 2


@dataclass(frozen=True)
class Prediction:
    """A run of the command: the pipeline, the texts, and how they are processed."""

    pipeline: PipelineSource
    source: Source
    batch_size: int = BATCH_SIZE
    n_process: int = 1
    max_length: int | None = None
    function: Function = predict_texts

    def settings(self) -> dict[str, Any]:
        """What the results depend on, except for the texts."""
        return {
            "pipeline": self.pipeline.digest(),
            "overrides": self.pipeline.overrides,
            "format": self.source.format,
            "text_field": self.source.text_field,
            "max_length": self.max_length,
            "version": __version__,
        }

    def run(self, output: Stream) -> Iterator[Lines]:
        """Predict and write what is not written yet.

        YIELDS: The results of each batch after they are written.
        RAISES (UserError): If the pipeline, a text or the output cannot be used.
        """
        batches = map(list, minibatch(self.source.items(), self.batch_size))
        # Closed at once, so that processes end with an error of the output.
        with closing(self._predict(output.remaining(batches))) as results:
            for lines in results:
                output.write(lines.data)
                yield lines

    def _predict(self, batches: Iterator[Batch]) -> Generator[Lines, None, None]:
        options = {"max_length": self.max_length, "function": self.function}
        predict = partial(predict_batch, self.pipeline, **options)
        if self.n_process > 1:
            yield from predict_in_processes(predict, batches, self.n_process)
            return
        self.pipeline.load()
        for batch in batches:
            yield predict(batch)


# --- Processes ----------------------------------------------------------------


def predict_in_processes(
    predict: Callable[[T], R], batches: Iterator[T], n_process: int
) -> Generator[R, None, None]:
    """Predict batches, which a thread reads ahead; yields results in their order.

    RAISES (UserError): If a process fails, or is ended from outside.
    """
    spawn, others = get_context("spawn"), active_children()
    with _shared_processors(n_process):
        pool = ProcessPoolExecutor(n_process, spawn, initializer=_end_with_parent)
        try:
            yield from _schedule(pool, predict, batches, n_process)
            pool.shutdown()
        except BrokenProcessPool as err:
            raise UserError(
                "a process was ended from outside, perhaps because memory ran out: "
                "lower --n-process or --batch-size"
            ) from err
        finally:
            # After this no process is started, and none is waited for.
            pool.shutdown(wait=False, cancel_futures=True)
            for process in active_children():
                if process not in others:
                    process.kill()


def _schedule(
    pool: ProcessPoolExecutor,
    predict: Callable[[T], R],
    batches: Iterator[T],
    n_process: int,
) -> Iterator[R]:
    """Keep the processes busy and the results in order."""
    running: deque[Future[R]] = deque()
    reading: Future[T | None] | None = _read(batches)

    def has_room(future: Future[T | None]) -> bool:
        # An error of the input is raised after the results of what was before it.
        failed = future.done() and future.exception() is not None
        limit = 1 if failed else n_process * BATCHES_PER_PROCESS
        return len(running) < limit

    while running or reading is not None:
        awaited: list[Future[Any]] = list(running)[:1]
        if reading is not None and has_room(reading):
            awaited.append(reading)
        wait(awaited, return_when=FIRST_COMPLETED)
        while running and running[0].done():
            yield running.popleft().result()
        if reading is not None and reading.done() and has_room(reading):
            batch = reading.result()
            if batch is None:
                reading = None
                continue
            with _without_interrupt():
                running.append(pool.submit(predict, batch))
            reading = _read(batches)


def _read(batches: Iterator[T]) -> "Future[T | None]":
    """Read a batch in a thread that does not keep the process alive: it may be waiting
    for stdin."""
    future: Future[T | None] = Future()

    def fill() -> None:
        try:
            future.set_result(next(batches, None))
        except Exception as err:  # noqa: BLE001 - raised where the batch is taken
            future.set_exception(err)

    Thread(target=fill, daemon=True).start()
    return future


@contextmanager
def _without_interrupt() -> Iterator[None]:
    """Hide Ctrl-C, which a terminal sends to all processes, from those that start
    inside: this process ends them."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _shared_processors(n_process: int) -> Iterator[None]:
    """Give each process that starts inside its share of the processors as threads; with
    all of them each, they would wait for one another."""
    n_processors = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        n_processors = len(os.sched_getaffinity(0))
    share = str(max(1, n_processors // n_process))
    wanted = {"OMP_NUM_THREADS": share, "TOKENIZERS_PARALLELISM": "false"}
    new = {name: value for name, value in wanted.items() if name not in os.environ}
    os.environ.update(new)
    try:
        yield
    finally:
        for name in new:
            os.environ.pop(name, None)


def _end_with_parent() -> None:
    """End this process when its parent ends, in any way."""

    def watch() -> None:
        parent = parent_process()
        if parent is not None:
            connection.wait([parent.sentinel])
            os._exit(1)

    Thread(target=watch, daemon=True).start()
