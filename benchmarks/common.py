"""Facts about the machine, clocks and output shared by the benchmarks."""

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any


def one_thread() -> None:
    """Keep every library to one thread; to be called before they are imported."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    os.environ["HF_HUB_OFFLINE"] = "1"


def machine_facts(*packages: str) -> dict[str, Any]:
    """The processor, its load, and the versions of some packages."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if _is_linux() else []
    names = [line.split(":")[1].strip() for line in lines if "model name" in line]
    return {
        "processor": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "load_1min": os.getloadavg()[0],
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in packages},
    }


def _is_linux() -> bool:
    return platform.system() == "Linux"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def cpu_seconds(function: Callable[[], Any], repeats: int) -> float:
    """Median processor time of a call, after one that does not count."""
    function()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return statistics.median(times)


def peak_mib(process: int | str = "self") -> float:
    """The most MiB of memory that a process has had until now (Linux)."""
    # Not ru_maxrss: it counts what the process that started this one had.
    status = Path(f"/proc/{process}/status").read_text(encoding="utf8")
    _, found, rest = status.partition("VmHWM:")
    # A process that has just ended has none.
    return int(rest.split()[0]) / 1024 if found else 0.0


def descendants(process: int) -> dict[int, str]:
    """The processes that a process has started, and those below them, with their
    command lines (Linux)."""
    found: dict[int, str] = {}
    for tasks in Path("/proc").glob(f"{process}/task/*/children"):
        try:
            for child in map(int, tasks.read_text().split()):
                found[child] = Path(f"/proc/{child}/cmdline").read_bytes().decode()
                found |= descendants(child)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def write(path: Path | None, results: dict[str, Any]) -> None:
    """Write results as JSON, and say where."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(results, indent=2) + "\n", encoding="utf8")
        print(f"Wrote {path}")


def print_table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a Markdown table."""
    print(f"\n{title}\n")
    for cells in (head, ["---"] * len(head), *rows):
        print(f"| {' | '.join(cells)} |")
