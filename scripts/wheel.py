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
from typing import Any

from spacy_ner_ext.util.errors import UserError

PACKAGE = "spacy_ner_ext"

# Runs in the fresh environment, where nothing but the wheel and its needs is there.
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


def newest_wheel(folder: Path) -> Path:
    """The wheel in a folder of `spacy package` that was built last.

    RAISES (UserError): If there is none.
    """
    wheels = sorted(folder.rglob("*.whl"), key=lambda path: path.stat().st_mtime)
    if not wheels:
        raise UserError(
            f"there is no wheel in {folder}; build one with: "
            f"python -m spacy package MODEL {folder} --build wheel"
        )
    return wheels[-1]


def build_wheel(source: Path, folder: Path) -> None:
    """Build the wheel of this package's source, without those of its requirements.

    source: The folder with its pyproject.toml.
    RAISES (UserError): If it cannot be built, with pip's last words.
    """
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    # A build leaves files beside the source, and takes what an earlier one left.
    with TemporaryDirectory() as copy:
        for path in source.iterdir():
            if path.is_file():
                shutil.copy(path, copy)
        if (source / PACKAGE).is_dir():
            shutil.copytree(source / PACKAGE, Path(copy) / PACKAGE)
        command = [*pip, "--wheel-dir", str(folder), copy]
        _run(command, f"the wheel of {source} cannot be built")


def install_fresh(
    wheel: Path, environment: Path, constraints: Path | None, find_links: Path | None
) -> Path:
    """Make a virtual environment and install a wheel with its requirements.

    environment: The folder of the environment; one that exists is emptied.
    find_links: A folder with wheels that no index has.
    RAISES (UserError): If the folder is something else than an environment, or the
        installation fails, with pip's last words.
    """
    is_other = environment.exists() and not (environment / "pyvenv.cfg").is_file()
    if is_other and (environment.is_file() or any(environment.iterdir())):
        raise UserError(
            f"{environment} exists and is not a virtual environment; it would be "
            "emptied: choose another folder"
        )
    venv.create(environment, clear=True, with_pip=True)
    scripts = "Scripts" if os.name == "nt" else "bin"
    python = environment / scripts / "python"
    command = [str(python), "-m", "pip", "install", "--quiet", str(wheel)]
    if constraints is not None:
        command += ["--constraint", str(constraints)]
    if find_links is not None:
        command += ["--find-links", str(find_links)]
    _run(command, f"{wheel.name} cannot be installed into {environment}")
    return python


def find_entities(
    python: Path, name: str, texts: Sequence[str]
) -> list[list[dict[str, Any]]]:
    """Load an installed pipeline, offline, and find the entities of some texts.

    python: The Python of the environment.
    name: The name of the installed pipeline.
    RETURNS: Text, label and score of each entity, and label and score of each category,
        with an empty text.
    RAISES (UserError): If the pipeline fails, with its last words.
    """
    output = _run(
        [str(python), "-I", "-W", "ignore", "-c", PREDICT],
        f"{name} cannot be used in {python.parent.parent}",
        given=json.dumps([name, list(texts)]),
    )
    return json.loads(output.splitlines()[-1])


def _run(command: Sequence[str], problem: str, given: str | None = None) -> str:
    hidden = {"PYTHONPATH", "PYTHONHOME"}
    environ = {key: value for key, value in os.environ.items() if key not in hidden}
    environ["HF_HUB_OFFLINE"] = "1"
    done = subprocess.run(
        command, input=given, capture_output=True, text=True, env=environ, check=False
    )
    if done.returncode:
        last_words = " | ".join(done.stderr.strip().splitlines()[-3:])
        raise UserError(f"{problem}: {last_words}")
    return done.stdout


def package_name(wheel: Path) -> str:
    """The name to load a pipeline by, from its wheel's file name."""
    return wheel.name.split("-")[0]
