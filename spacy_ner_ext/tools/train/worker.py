"""What each worker of a Ray cluster does: enter the folder of the command, and train
from the start or from the last checkpoint."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import IO, Any

from spacy import util
from thinc.api import Config

from ...util.errors import LostProcess, UserError, one_line
from ...util.extras import require
from ...util.files import lock
from ..device import use_device
from ..loading import import_functions
from .api import train
from .channel import ERROR, STDERR, USER_ERROR, Steps, forwarded
from .checkpoint import find_checkpoints
from .ranks import gpu_of_rank

# In the folder of a run: Ray Train's own folders, one a command, and the lock.
RAY_FOLDER, LOCK = ".ray-", ".lock"
# Seconds for a worker of a command that was killed to end.
LOCK_TIMEOUT = 120


@dataclass(frozen=True)
class Job:
    """What each worker gets.

    config: The text of the config.
    state: The name of Ray Train's folder in the output.
    folder: The working directory of the command, from which paths count.
    options: Arguments of `train`.
    """

    config: str
    output: str
    state: str
    folder: str
    code: Path | None
    log_level: int
    options: Mapping[str, Any]


def work(given: Mapping[str, Any]) -> dict[str, Any] | None:
    """Train in a worker. Errors that another attempt would repeat are sent to the
    command, which ends the run; after others, Ray Train starts the workers again.
    Returns the fields of `Trained`, without the pipeline."""
    ray = require("ray", "ray")
    job, channel = given["job"], given["channel"]
    rank = require("ray.train", "ray").get_context().get_world_rank()
    try:
        with nullcontext() if rank else forwarded(ray, channel):
            return _train(ray, job, channel)
    except LostProcess:
        raise
    except UserError as err:
        ray.get(channel.send.remote(USER_ERROR, str(err)))
    except (FileNotFoundError, NotADirectoryError, PermissionError) as err:
        ray.get(channel.send.remote(USER_ERROR, f"{err.filename}: {err.strerror}"))
    except (ValueError, KeyError, ImportError) as err:
        ray.get(channel.send.remote(ERROR, str(err)))
    except SystemExit:
        # Another worker has failed and says why.
        pass
    except Exception:
        ray.get(channel.send.remote(STDERR, traceback.format_exc()))
        raise
    return None


def _train(ray: ModuleType, job: Job, channel: Any) -> dict[str, Any]:
    _enter(job)
    import_functions(job.code)
    options = dict(job.options)
    is_first = os.environ["RANK"] == "0"
    util.logger.setLevel(job.log_level if is_first else logging.ERROR)
    use_device(gpu_of_rank(options["gpu_id"]), silent=not is_first)
    if ray.get(channel.step.remote()) is not None:
        # A restart: what is in the folder is of this run.
        options.update(resume=bool(find_checkpoints(Path(job.output))), overwrite=True)
    with locked(Path(job.output)) if is_first else nullcontext():
        if is_first:
            _remove_old(job)
        trained = train(
            Config().from_str(job.config, interpolate=False),
            job.output,
            callbacks=[Steps(ray, channel)],
            **options,
        )
    fields = vars(trained)
    return {name: fields[name] for name in fields.keys() - {"nlp"}}


def _enter(job: Job) -> None:
    """Change to the folder of the command, which may be on another machine."""
    try:
        os.chdir(job.folder)
        os.stat(Path(job.output, job.state))
    except OSError as err:
        raise UserError(
            f"{one_line(err)}, on {socket.gethostname()}: the working directory and "
            "--output must be folders that all machines reach."
        ) from err


def _remove_old(job: Job) -> None:
    """Remove what commands that were killed left in the folder of the run."""
    for path in Path(job.output).glob(f"{RAY_FOLDER}*"):
        if path.name != job.state:
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def locked(output: Path, timeout: float = LOCK_TIMEOUT) -> Iterator[None]:
    """Inside the block, be the only process that writes into the folder of a run.

    A worker whose command was killed, or whose machine lost the network, may live on
    for some seconds. The system releases its lock when it ends.
    """
    path = output / LOCK
    end = time.monotonic() + timeout
    while (file := _open_locked(path)) is None:
        if time.monotonic() > end:
            raise UserError(
                f"{output} is the output of another command, which still trains: end "
                "it, or choose another --output."
            )
        time.sleep(0.1)
    with file:
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _open_locked(path: Path) -> IO[str] | None:
    """Open and lock a file; None if another process has locked it."""
    file = path.open("a")
    try:
        if lock(file):
            return file
    except OSError as err:
        util.logger.warning(
            "%s cannot be locked (%s): make sure that no other command trains into "
            "this folder.",
            *(path, one_line(err)),
        )
        return file
    file.close()
    return None
