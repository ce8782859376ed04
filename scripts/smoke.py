"""Try a packaged pipeline where its users will: installed from its wheel alone."""

import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from spacy_ner_ext.tools.errors import run_command
from spacy_ner_ext.tools.output import printer
from spacy_ner_ext.util.errors import UserError

PACKAGE = "spacy_ner_ext"
TEXTS = [
    "Ines Marlow took the ferry Dunmore from Carrow to Bergen on Friday.",
    "Hale & Sons in Leith no longer sell the Petrel 300.",
    "Victoria missed the Victoria, so Ross drove her to Hull.",
]
# uv does not read pip's settings.
UV_SETTINGS = {
    "PIP_INDEX_URL": "UV_DEFAULT_INDEX",
    "PIP_EXTRA_INDEX_URL": "UV_INDEX",
    "PIP_NO_INDEX": "UV_NO_INDEX",
    "PIP_CERT": "SSL_CERT_FILE",
}
# Runs in the fresh environment, which has nothing but the wheel and its requirements.
PREDICT = """
import json, sys
import spacy

name, texts = json.load(sys.stdin)
docs = spacy.load(name).pipe(texts)
found = [
    [{"text": e.text, "label": e.label_, "score": e._.score} for e in doc.ents]
    + [{"text": "", "label": name, "score": p} for name, p in doc.cats.items()]
    for doc in docs
]
print(json.dumps(found))
"""


def smoke(
    packages: Annotated[
        Path,
        typer.Argument(
            help="The folder that 'spacy package' wrote to: its newest wheel is tried.",
            exists=True,
            file_okay=False,
        ),
    ],
    environment: Annotated[
        Path,
        typer.Argument(
            help="The virtual environment to create; replaced if it exists."
        ),
    ],
    text: Annotated[
        list[str] | None,
        typer.Option(help="A text to find entities in; can be repeated."),
    ] = None,
    constraints: Annotated[
        Path | None,
        typer.Option(help="A pip constraints file.", exists=True, dir_okay=False),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            help="The source of spacy-ner-ext, if the package index does not have it.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
) -> None:
    """Install a packaged pipeline into a fresh environment and find entities with it.

    By default three sentences are tried; for a text categorizer the categories are
    shown. Exit code 1 if the wheel cannot be installed or loaded without a network, or
    finds nothing in the given texts.

    \b
    Example:
      python -m scripts.smoke packages smoke/venv --source .
    """
    msg = printer()
    wheel = newest_wheel(packages)
    links = None
    if source is not None:
        links = environment.parent / "wheels"
        build_wheel(source, links)
    msg.info(f"Installing {wheel.name} into {environment}")
    python = install_fresh(wheel, environment, constraints, links)
    texts = text or TEXTS
    found = find_entities(python, package_name(wheel), texts)
    _print_entities(texts, found)
    n_entities = sum(map(len, found))
    if not n_entities and text:
        raise UserError(
            f"{wheel.name} found nothing in the given texts; check the scores in "
            "metrics/, or give others with --text"
        )
    if not n_entities:
        msg.warn("No entity in the demo's sentences: give texts of your domain")
    msg.good(f"{wheel.name} works in {environment}; found: {n_entities}")


def _print_entities(texts: Sequence[str], found: list[list[dict[str, Any]]]) -> None:
    for text, entities in zip(texts, found):
        typer.echo(text)
        for entity in entities:
            # A category does not have a text.
            quoted = entity["text"] or "(the whole text)"
            typer.echo(f"  {quoted:24}{entity['label']:12} {entity['score']:.3f}")


def newest_wheel(folder: Path) -> Path:
    """The wheel in a folder of `spacy package` that was built last.

    RAISES (UserError): If the folder has no wheel.
    """
    wheels = sorted(folder.rglob("*.whl"), key=lambda path: path.stat().st_mtime)
    if not wheels:
        raise UserError(
            f"{folder} has no wheel; build one with: "
            f"python -m spacy package MODEL {folder} --build wheel"
        )
    return wheels[-1]


def package_name(wheel: Path) -> str:
    """The name to load a pipeline by, from its wheel's file name."""
    return wheel.name.split("-")[0]


def build_wheel(source: Path, folder: Path) -> None:
    """Build the wheel of this package's source, without those of its requirements.

    source: The folder with its pyproject.toml.
    RAISES (UserError): If it cannot be built, with the last lines of the output.
    """
    # A build leaves files in the source, and takes those that an earlier one left.
    with TemporaryDirectory() as copy:
        for path in source.iterdir():
            if path.is_file():
                shutil.copy(path, copy)
        if (source / PACKAGE).is_dir():
            shutil.copytree(source / PACKAGE, Path(copy) / PACKAGE)
        uv = find_uv()
        if uv is not None:
            command = [uv, "build", "--quiet", "--wheel", "--out-dir", str(folder)]
        else:
            pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
            command = [*pip, "--wheel-dir", str(folder)]
        _run([*command, copy], f"the wheel of {source} cannot be built")


def install_fresh(
    wheel: Path, environment: Path, constraints: Path | None, find_links: Path | None
) -> Path:
    """Create a virtual environment and install a wheel with its requirements.

    environment: The folder of the environment; one that exists is emptied.
    find_links: A folder with wheels that the index does not have.
    RETURNS: The Python of the environment.
    RAISES (UserError): If the folder holds something else, or the installation fails,
        with the last lines of the output.
    """
    is_other = environment.exists() and not (environment / "pyvenv.cfg").is_file()
    if is_other and (environment.is_file() or any(environment.iterdir())):
        raise UserError(
            f"{environment} exists and is not a virtual environment; it would be "
            "emptied: choose another folder"
        )
    uv = find_uv()
    venv.create(environment, clear=True, with_pip=uv is None)
    scripts = "Scripts" if os.name == "nt" else "bin"
    python = environment / scripts / "python"
    links = [] if find_links is None else [str(find_links)]
    if uv is not None:
        command = [uv, "pip", "install", "--python", str(python)]
        # The option would replace the folders of the variable.
        links += filter(None, _environ().get("UV_FIND_LINKS", "").split(","))
    else:
        command = [str(python), "-m", "pip", "install"]
    command += ["--quiet", str(wheel), *(f"--find-links={link}" for link in links)]
    if constraints is not None:
        command += ["--constraint", str(constraints)]
    _run(command, f"{wheel.name} cannot be installed into {environment}")
    return python


def find_uv() -> str | None:
    """The uv of this environment or of the PATH; None if it cannot run."""
    here = Path(sys.executable).parent
    uv = shutil.which("uv", path=here) or shutil.which("uv")
    if uv is None or subprocess.run([uv, "--version"], capture_output=True).returncode:
        return None
    return uv


def find_entities(
    python: Path, name: str, texts: Sequence[str]
) -> list[list[dict[str, Any]]]:
    """Load an installed pipeline, offline, and find the entities of some texts.

    python: The Python of the environment.
    name: The name of the installed pipeline.
    RETURNS: Text, label and score of each entity, and label and score of each category,
        with an empty text.
    RAISES (UserError): If the pipeline fails, with the last lines of its output.
    """
    output = _run(
        [str(python), "-I", "-W", "ignore", "-c", PREDICT],
        f"{name} cannot be used in {python.parent.parent}",
        given=json.dumps([name, list(texts)]),
    )
    return json.loads(output.splitlines()[-1])


def _run(command: Sequence[str], problem: str, given: str | None = None) -> str:
    done = subprocess.run(
        command,
        input=given,
        capture_output=True,
        text=True,
        env=_environ(),
        check=False,
    )
    if done.returncode:
        last_lines = " | ".join(done.stderr.strip().splitlines()[-3:])
        raise UserError(f"{problem}: {last_lines}")
    return done.stdout


def _environ() -> dict[str, str]:
    hidden = {"PYTHONPATH", "PYTHONHOME"}
    environ = {key: value for key, value in os.environ.items() if key not in hidden}
    if "PIP_FIND_LINKS" in environ:
        links = ",".join(environ["PIP_FIND_LINKS"].split())
        environ.setdefault("UV_FIND_LINKS", links)
    for name, uv_name in UV_SETTINGS.items():
        if name in environ:
            environ.setdefault(uv_name, environ[name])
    return {**environ, "HF_HUB_OFFLINE": "1"}


if __name__ == "__main__":
    run_command(smoke, "python -m scripts.smoke")
