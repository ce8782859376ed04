"""What the workers of a Ray cluster and the command that started them send each other:
output, the step, errors, and signals."""

from __future__ import annotations

import io
import logging
import re
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from types import ModuleType
from typing import Any, NamedTuple

from ...util.errors import LostProcess, UserError, one_line

STDOUT, STDERR, USER_ERROR, ERROR = "stdout", "stderr", "user error", "error"


class Message(NamedTuple):
    """A text for a stream, or that of an error which ends the run."""

    kind: str
    text: str


class Channel:
    """An actor on the machine of the command. Messages keep their order."""

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._step: int | None = None
        self._signal: int | None = None

    def send(self, kind: str, text: str) -> None:
        self._messages.append(Message(kind, text))

    def receive(self, number: int | None) -> list[Message]:
        """Return the new messages. `number` is the signal of the command, if any."""
        self._signal = number
        messages, self._messages = self._messages, []
        return messages

    def report_failure(self, why: str, advice: str) -> None:
        self.send(STDERR, f"{self.failure(why)}; {advice}\n")

    def failure(self, why: str) -> str:
        """A sentence about a failure, with the step."""
        if self._step is None:
            return f"Before the first step, {why}"
        return f"After step {self._step}, {why}"

    def step(self) -> int | None:
        """The last step of this command; None before the first."""
        return self._step

    def made_step(self, step: int) -> int | None:
        """Record a step, and return the signal by which training stops, if any."""
        self._step = step
        return self._signal


class Stream(io.TextIOBase):
    """A stream of a worker, written to that of the command."""

    def __init__(self, channel: Any, kind: str) -> None:
        self._channel, self._kind = channel, kind

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if text:
            self._channel.send.remote(self._kind, text)
        return len(text)


@contextmanager
def forwarded(ray: ModuleType, channel: Any) -> Iterator[None]:
    """Write what is printed inside the block where the command runs."""
    # Heavy, and this file is imported by processes that do not train.
    from spacy.util import logger

    stdout, stderr = Stream(channel, STDOUT), Stream(channel, STDERR)
    for handler in logger.handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(stderr)
    with redirect_stdout(stdout), redirect_stderr(stderr):
        yield
    # Calls of one process keep their order: all is there.
    ray.get(channel.send.remote(STDOUT, ""))


class Steps:
    """A callback of `train` that reports each step, and stops at a signal."""

    def __init__(self, ray: ModuleType, channel: Any) -> None:
        self._ray, self._channel = ray, channel
        self._sent: Any = None

    def __call__(self, info: Mapping[str, Any]) -> signal.Signals | None:
        number = None
        if self._sent is not None:
            number = self._ray.get(self._sent)
        self._sent = self._channel.made_step.remote(info["step"])
        return None if number is None else signal.Signals(number)


def show(message: Message) -> None:
    """Write a message to its stream, or raise the error."""
    if message.kind == USER_ERROR:
        raise UserError(message.text)
    if message.kind == ERROR:
        raise ValueError(message.text)
    stream = sys.stdout if message.kind == STDOUT else sys.stderr
    stream.write(message.text)
    stream.flush()


def restarts(rt: ModuleType, channel: Any, max_failures: int) -> Any:
    """A callback of Ray Train that reports each restart.

    rt: The module `ray.train`.
    """

    class Restarts(rt.UserCallback):  # type: ignore[name-defined]
        n_failures = 0

        def after_exception(self, run_context: Any, worker_exceptions: Any) -> None:
            self.n_failures += 1
            if self.n_failures <= max_failures:
                advice = (
                    "training restarts from the last checkpoint, "
                    f"{self.n_failures} of at most {max_failures} times"
                )
                channel.report_failure.remote(why_failed(worker_exceptions), advice)

    return Restarts()


def why_failed(failures: Mapping[int, BaseException]) -> str:
    """The reason why workers failed: that of one which died by itself, if known."""
    own = {r: e for r, e in failures.items() if not isinstance(e, LostProcess)}
    if not own:
        return "a worker was lost: it was killed, or did not answer in time"
    rank, err = next(iter(own.items()))
    died = getattr(err, "health_check_failure", None)
    if died is None:
        return f"worker {rank} failed ({one_line(err)})"
    # Ray's text has a line a fact.
    facts = dict(re.findall(r"^\s*(pid|ip): (\S+)$", str(died), re.MULTILINE))
    where = f" (process {facts['pid']} on {facts['ip']})" if len(facts) == 2 else ""
    return f"worker {rank} died{where}: it was killed, or memory ran out"
