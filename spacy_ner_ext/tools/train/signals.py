"""Ctrl-C and the signals that ask a process to end, between steps."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Any

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


class Stops:
    """While it is entered, the first signal only is remembered, so that a step can come
    to its end; the second does what it did before.

    say: What is said at the first, on stderr.
    """

    def __init__(self, say: str | None) -> None:
        self.signal: int | None = None
        self._say = say
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Stops:
        # Python delivers signals to its main thread alone, and lets no other ask.
        if threading.current_thread() is threading.main_thread():
            for number in (getattr(signal, n) for n in SIGNALS if hasattr(signal, n)):
                # As nohup has it.
                if signal.getsignal(number) != signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._remember)
        return self

    def __exit__(self, *error: object) -> None:
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _remember(self, number: int, frame: FrameType | None) -> None:
        self.signal = number
        self._restore()
        if self._say is not None:
            # What Python writes to may be in the middle of writing.
            os.write(2, f"{self._say}\n".encode())
