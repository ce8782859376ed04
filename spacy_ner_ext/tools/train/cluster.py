"""Train on the workers of a Ray cluster with Ray Train, which starts them again after
one has died; they continue from the last checkpoint."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from threading import Thread
from types import ModuleType
from typing import Any
from uuid import uuid4

import typer
from spacy import util
from thinc.api import Config

from ...util.errors import UserError, one_line
from ...util.extras import require
from ..cluster import START_TIMEOUT, Workers, ray_started
from .api import Trained, load
from .channel import Channel, restarts, show, why_failed
from .run import Signals
from .settings import SECTION
from .worker import RAY_FOLDER, Job, work

# Workers print as any process does: Ray Train would print everything once more.
PLAIN_OUTPUT = {
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",
    "RAY_TRAIN_ENABLE_WORKER_STRUCTURED_LOGGING": "0",
}
# Seconds between looks for messages.
POLL = 0.2
WAITING = (
    f"No worker has started within {START_TIMEOUT} seconds: the cluster may have no "
    "room now (see: ray status), or its machines are slow; still waiting"
)


def train_on_workers(
    config: str | Path,
    output: Path | None,
    *,
    workers: Workers,
    address: str | None = None,
    node_ip: str | None = None,
    max_failures: int = 3,
    overrides: Mapping[str, Any] | None = None,
    code: Path | None = None,
    **options: Any,
) -> Trained:
    """Train a pipeline as `train` does, on workers of a Ray cluster.

    config: The path of a training config.
    output: A folder that all machines reach.
    workers: Their number; if it is a range, as many as the cluster has room for.
    address: The cluster; None to start Ray on this machine.
    node_ip: The address of this machine for the workers.
    max_failures: How often training restarts after a worker has died.
    code: A Python file with registered functions.
    options: Other arguments of `train`. Checkpoints are saved every
        training.eval_frequency steps by default. `gpu_id` is whether each worker has a
        GPU.
    RAISES (UserError): As `train`; if Ray cannot be used; or if workers have died more
        than `max_failures` times.
    """
    # A path has one slash of s3://.
    if output is None or re.match(r"\w\w+:/", str(output)):
        raise UserError(
            "--workers needs --output, a folder that all machines reach under the same "
            "path, such as a network drive or a mounted bucket."
        )
    if "RANK" in os.environ:
        raise UserError("--workers starts processes itself: leave torchrun out.")
    loaded = load(config, overrides or {})
    uses_gpu = options.get("gpu_id", -1) >= 0
    # Ray shows each machine's workers their GPUs only.
    options["gpu_id"] = 0 if uses_gpu else -1
    if options.get("checkpoint_every") is None:
        options["checkpoint_every"] = _checkpoint_every(loaded)
    job = Job(
        config=loaded.to_str(interpolate=False),
        output=str(output),
        state=f"{RAY_FOLDER}{uuid4().hex[:8]}",
        folder=str(Path.cwd()),
        code=code,
        log_level=util.logger.level,
        options=options,
    )
    needed = {"cpus": workers.least, "gpus": workers.least * uses_gpu}
    with ray_started(address, node_ip, **needed) as ray:
        channel = _open_channel(ray)
        fit = _trainer(job, workers, channel, max_failures, uses_gpu).fit
        try:
            with Signals(is_silent=False) as signals:
                fields = _follow(ray, fit, channel, signals)
        finally:
            shutil.rmtree(output / job.state, ignore_errors=True)
    return Trained(nlp=util.load_model(fields["path"]), **fields)


def _checkpoint_every(config: Config) -> int | None:
    """By default as often as spaCy evaluates, and saves a pipeline; None if the config
    sets it."""
    if "checkpoint_every" in config.get(SECTION, {}):
        return None
    return config.interpolate()["training"]["eval_frequency"]


def _open_channel(ray: ModuleType) -> Any:
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = ray.get_runtime_context().get_node_id()
    where = NodeAffinitySchedulingStrategy(here, soft=False)
    return ray.remote(num_cpus=0, scheduling_strategy=where)(Channel).remote()


def _trainer(
    job: Job, workers: Workers, channel: Any, max_failures: int, uses_gpu: bool
) -> Any:
    rt = require("ray.train", "ray")
    torch = require("ray.train.torch", "ray")
    least, most = workers
    return torch.TorchTrainer(
        work,
        train_loop_config={"job": job, "channel": channel},
        torch_config=torch.TorchConfig(timeout_s=job.options["rank_timeout"]),
        scaling_config=rt.ScalingConfig(
            num_workers=least if least == most else (least, most), use_gpu=uses_gpu
        ),
        run_config=rt.RunConfig(
            name=job.state,
            storage_path=str(Path(job.folder, job.output)),
            failure_config=rt.FailureConfig(max_failures=max_failures),
            callbacks=[restarts(rt, channel, max_failures)],
            worker_runtime_env={"env_vars": PLAIN_OUTPUT},
        ),
    )


def _follow(
    ray: ModuleType, fit: Callable[[], Any], channel: Any, signals: Signals
) -> dict[str, Any]:
    """Run the trainer. Show what workers send, and pass a signal on to them. Returns
    the fields of `Trained`, without the pipeline."""
    fitted = _in_thread(fit)
    try:
        _show_messages(ray, fitted, channel, signals)
        fields = fitted.result().return_value
    except require("ray.train", "ray").TrainingFailedError as err:
        failures = getattr(err, "worker_failures", None)
        why = one_line(err) if failures is None else why_failed(failures)
        raise UserError(
            f"{ray.get(channel.failure.remote(why))}; continue from the last "
            "checkpoint with --resume, or let it restart more often with --max-failures"
        ) from err
    except ray.exceptions.RayError as err:
        raise UserError(
            f"The processes of Ray on this machine were ended ({one_line(err)}); "
            "continue from the last checkpoint with --resume"
        ) from err
    if fields is None:
        raise UserError(
            "A worker has ended without an error, such as by sys.exit() in --code: see "
            "its messages, and continue from the last checkpoint with --resume."
        )
    return fields


def _show_messages(
    ray: ModuleType, fitted: Future[Any], channel: Any, signals: Signals
) -> None:
    waiting_since: float | None = time.monotonic()
    is_done = False
    while not is_done:
        # Before the last messages are read.
        is_done = fitted.done()
        messages = ray.get(channel.receive.remote(signals.received))
        for message in messages:
            show(message)
        if messages:
            waiting_since = None
        elif waiting_since and time.monotonic() > waiting_since + START_TIMEOUT:
            waiting_since = None
            typer.echo(WAITING, err=True)
        time.sleep(POLL)


def _in_thread(function: Callable[[], Any]) -> Future[Any]:
    """Run a function in a thread that does not keep the process from ending."""
    future: Future[Any] = Future()

    def run() -> None:
        try:
            future.set_result(function())
        # Raised where the result is read.
        except BaseException as err:  # noqa: BLE001
            future.set_exception(err)

    Thread(target=run, daemon=True).start()
    return future
