"""The processes that train a pipeline together: ranks of `torch.distributed`."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from thinc.api import get_torch_default_device
from torch import multiprocessing

from ...util.errors import LostProcess, UserError, one_line

Value = TypeVar("Value")
# Seconds that a rank waits for another.
TIMEOUT = 600
GLOO, NCCL = "gloo", "nccl"


@dataclass
class Ranks:
    """The ranks of a run; a process that trains alone is rank 0 of 1.

    Each method is a collective operation: all ranks have to call it, in the same order.
    A rank that was ended, or that does not answer within the time-out, is a LostProcess
    on the others.

    rank: This process, from 0. Rank 0 reports, and writes all files.
    size: The number of processes.
    step: The step of training, for errors.
    group: The group for small values and for arrays on the CPU.
    """

    rank: int = 0
    size: int = 1
    step: int = -1
    group: Any = None

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def sum(self, numbers: Sequence[float]) -> list[float]:
        """The sums of numbers over the ranks."""
        if self.size == 1:
            return list(numbers)
        total = torch.tensor(numbers, dtype=torch.float64)
        with self.reported():
            dist.all_reduce(total, group=self.group)
        return total.tolist()

    def gather(self, value: Value) -> list[Value]:
        """The values of all ranks, in their order."""
        values: list[Any] = [value] * self.size
        if self.size > 1:
            with self.reported():
                dist.all_gather_object(values, value, group=self.group)
        return values

    def broadcast(self, value: Value) -> Value:
        """The value of rank 0."""
        values = [value]
        if self.size > 1:
            with self.reported():
                dist.broadcast_object_list(values, group=self.group)
        return values[0]

    def check_same(self, what: str, value: object) -> None:
        """Raise UserError on rank 0 if a value is not the same on all ranks; the others
        end silently."""
        values = self.gather(value)
        others = [rank for rank, each in enumerate(values) if each != values[0]]
        if others:
            ranks = ", ".join(map(str, others))
            error = UserError(
                f"The {what} of rank {ranks} differs from that of rank 0: all machines "
                "need the same files and versions."
            )
            self.leave([True] * self.size, error)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Leave the block on all ranks if one fails in it. Its error is raised there;
        the others end silently."""
        error: Exception | None = None
        try:
            yield
        except Exception as err:  # noqa: BLE001 - raised below
            error = err
        self.leave(self.gather(error is not None), error)

    def leave(self, failed: Sequence[bool], error: Exception | None) -> None:
        """If some ranks failed, raise the error of the first, and end the others."""
        if not any(failed):
            return
        if error is not None and failed.index(True) == self.rank:
            raise error
        raise SystemExit(1) from error

    @contextmanager
    def reported(self) -> Iterator[None]:
        """Turn errors of a collective operation into one sentence."""
        try:
            yield
        except RuntimeError as err:
            when = f"Step {self.step}" if self.step >= 0 else "Before the first step"
            raise LostProcess(
                f"{when}: rank {self.rank} lost the other {self.size - 1} rank(s), of "
                f"which one was ended or does not answer ({_reason(err)}): see its "
                "messages, and continue from the last checkpoint with --resume."
            ) from err


def _reason(err: RuntimeError) -> str:
    """The reason, without a stack of C++ calls and advice."""
    return one_line(err).split("] ", 1)[-1].split(". This may indicate")[0]


def gpu_of_rank(gpu_id: int) -> int:
    """The GPU of this process: those of a machine are counted from `gpu_id`; -1 for the
    CPU."""
    return gpu_id + int(os.environ.get("LOCAL_RANK", 0)) if gpu_id >= 0 else -1


def _end_with_launcher() -> None:
    """End this process when torchrun is killed, instead of competing with the ranks
    that resume the run. Only Linux has this."""
    if "TORCHELASTIC_RUN_ID" in os.environ:
        end_with = multiprocessing._prctl_pr_set_pdeathsig  # type: ignore[attr-defined]
        end_with(signal.SIGKILL)


@contextmanager
def joined(timeout: int = TIMEOUT) -> Iterator[Ranks]:
    """Join the other processes, if torchrun or Ray has started this one together with
    others.

    timeout: Seconds that a rank waits for another.
    YIELDS: The ranks.
    RAISES (UserError): If the others cannot be reached.
    """
    environment = {
        name: int(os.environ.get(name, 0)) for name in ("RANK", "WORLD_SIZE")
    }
    begins = not dist.is_initialized()
    if begins and environment["WORLD_SIZE"] <= 1:
        yield Ranks()
        return
    ranks = Ranks(size=environment["WORLD_SIZE"], rank=environment["RANK"])
    limit = timedelta(seconds=timeout)
    if begins:
        _end_with_launcher()
    with ranks.reported():
        if begins:
            device = get_torch_default_device().type
            backend = f"cpu:{GLOO},cuda:{NCCL}" if device == "cuda" else GLOO
            dist.init_process_group(backend, timeout=limit)
        ranks.rank, ranks.size = dist.get_rank(), dist.get_world_size()
        ranks.group = dist.new_group(backend=GLOO, timeout=limit)
    yield ranks
    # After an error, ranks that still wait for this one would keep it from ending.
    if begins:
        dist.destroy_process_group()
