"""Ray, which runs commands on several workers: start it on this machine, or join a
cluster."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Annotated, Any, NamedTuple, Optional

import typer

from .. import __version__
from ..util.errors import UserError, one_line
from ..util.extras import require

RayAddress = Annotated[
    Optional[str],
    typer.Option(
        metavar="ADDRESS",
        help='The Ray cluster: HOST:PORT, or "auto" for the one on this machine; by '
        "default RAY_ADDRESS, or else Ray is started on this machine alone.",
    ),
]
RayNodeIp = Annotated[
    Optional[str],
    typer.Option(
        "--ray-node-ip",
        metavar="IP",
        help="The address of this machine for Ray's workers, such as 127.0.0.1 where "
        "its own is not reachable.",
    ),
]
# Seconds until a cluster that does not answer, or starts no worker, is an error.
CONNECT_TIMEOUT, START_TIMEOUT = 10, 60
# Settings of the environment that workers share.
SHARED = (
    *("HF_HOME", "HF_HUB_OFFLINE", "TOKENIZERS_PARALLELISM"),
    *("OMP_NUM_THREADS", "OMP_WAIT_POLICY"),
)


class Workers(NamedTuple):
    """The number of workers: at least, and at most."""

    least: int
    most: int


def read_workers(value: str) -> Workers:
    """Read the option --workers: "4", or "2:8"."""
    found = re.fullmatch(r"(\d+)(?::(\d+))?", value.strip())
    if found is not None:
        workers = Workers(int(found[1]), int(found[2] or found[1]))
        if 1 <= workers.least <= workers.most:
            return workers
    raise UserError(
        f"--workers {value}: give their number, such as 4, or the least and the most, "
        "such as 2:8"
    )


@contextmanager
def ray_started(
    address: str | None = None,
    node_ip: str | None = None,
    *,
    cpus: float = 1,
    gpus: float = 0,
) -> Iterator[ModuleType]:
    """Connect to a Ray cluster, or start Ray on this machine, inside the block. Yields
    the module `ray`. Workers print nothing here.

    address: The option --ray-address.
    node_ip: The option --ray-node-ip.
    cpus: The CPUs that the workers need. Ray on this machine alone gets them even if
        there are fewer; a cluster may add nodes.
    gpus: The GPUs that they need.
    RAISES (UserError): If Ray is missing, the cluster does not answer, or its workers
        do not start.
    """
    # Read when Ray is imported. The second avoids a warning.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    ray = require("ray", "ray")
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    shared = {name: os.environ[name] for name in SHARED if name in os.environ}
    settings: dict[str, Any] = {"_node_ip_address": node_ip} if node_ip else {}
    if address == "local":
        n_cpus = max(os.cpu_count() or 1, int(cpus))
        settings.update(include_dashboard=False, num_cpus=n_cpus)
    _check_address(address)
    _check_node_ip(node_ip)
    try:
        ray.init(
            address,
            logging_level="error",
            log_to_driver=False,
            runtime_env={"env_vars": shared},
            **settings,
        )
    except (OSError, RuntimeError, ValueError) as err:
        # Ray looks for a token by itself for this machine only.
        token = "" if address == "local" else "; if it has a token, RAY_AUTH_MODE=token"
        what = f"{_place(address)} cannot be used: {one_line(err)}{token}"
        raise UserError(what) from err
    try:
        _check_workers(ray, address)
        _check_resources(ray, address, {"CPU": cpus, "GPU": gpus})
        yield ray
    finally:
        ray.shutdown()


def _place(address: str) -> str:
    return "Ray on this machine" if address == "local" else f"--ray-address {address}"


def _check_address(address: str) -> None:
    """Raise if a cluster does not answer; Ray itself would wait for minutes."""
    if address in ("local", "auto"):
        return
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or "/" in host:
        raise UserError(
            f"--ray-address {address}: give HOST:PORT of the cluster's head, or "
            '"auto" on a machine of the cluster, such as with ray job submit'
        )
    try:
        socket.create_connection((host, int(port)), CONNECT_TIMEOUT).close()
    except (OSError, OverflowError) as err:
        raise UserError(
            f"--ray-address {address} does not answer ({one_line(err)}): start Ray "
            "there with ray start --head, or leave the option out to use this machine "
            "alone"
        ) from err


def _check_node_ip(node_ip: str | None) -> None:
    """Raise if an address is not one of this machine, which Ray sees after minutes."""
    if node_ip is None:
        return
    try:
        family = socket.getaddrinfo(node_ip, 0)[0][0]
        with socket.socket(family) as local:
            local.bind((node_ip, 0))
    except OSError as err:
        what = f"--ray-node-ip {node_ip} is not an address of this machine"
        raise UserError(f"{what}: {one_line(err)}") from err


def _check_workers(ray: ModuleType, address: str) -> None:
    """Raise if a worker does not start, or has another version of this package."""
    version = ray.remote(num_cpus=0, max_retries=0)(_version).remote()
    try:
        there = ray.get(version, timeout=START_TIMEOUT)
    except ray.exceptions.GetTimeoutError as err:
        raise UserError(
            f"{_place(address)}: no worker has started within {START_TIMEOUT} seconds; "
            "if the machine's own address is not reachable, set another, such as "
            "--ray-node-ip 127.0.0.1"
        ) from err
    except ray.exceptions.RayError as err:
        raise UserError(
            f"{_place(address)}: a worker cannot import spacy_ner_ext, which must be "
            f"installed on all machines: {one_line(err)}"
        ) from err
    if there != __version__:
        raise UserError(
            f"{_place(address)}: its workers have spacy_ner_ext {there}, this machine "
            f"has {__version__}; install the same version"
        )


def _version() -> str:
    return __version__


def _check_resources(ray: ModuleType, address: str, needed: dict[str, float]) -> None:
    there = ray.cluster_resources()
    for name, n in needed.items():
        has = there.get(name, 0)
        if n <= has:
            continue
        what = f"the workers need {n:g} {name}s, and it has {has:g}"
        if address == "local":
            raise UserError(f"{_place(address)}: {what}; use fewer workers")
        typer.echo(f"{_place(address)}: {what}; waiting for more machines", err=True)
