"""The wheel and the sdist: what is in them, and their use where nothing else is
installed, in other folders and without a network.

Needs a package index that has setuptools and what the package requires.
"""

import os
import shutil
import subprocess
import sys
import tarfile
from email import message_from_string
from pathlib import Path
from zipfile import ZipFile

import pytest

from scripts.smoke import find_entities, find_uv, install_fresh, newest_wheel
from spacy_ner_ext import __version__
from tests.helpers.encoders import encoder_folder
from tests.helpers.training_runs import write_corpus
from tests.test_docs import HOMEPAGE

ROOT = Path(__file__).parents[1]
CONSTRAINTS = ROOT / "constraints.txt"
NAME = f"spacy_ner_ext-{__version__}"
WHEEL = f"{NAME}-py3-none-any.whl"
COMMAND = ("-m", "spacy_ner_ext")
INIT = (
    *("--train", "train.spacy", "--dev", "dev.spacy", "--lang", "xx"),
    *("--encoder", "encoder"),
)
TRAIN = (
    *("--output", "run", "--training.max_steps", "60"),
    *("--training.optimizer.learn_rate.value", "0.01"),
    # The encoder has 64 positions.
    *("--components.crf_ner.model.tok2vec.tok2vec.window", "48"),
    *("--components.crf_ner.model.tok2vec.tok2vec.stride", "32"),
)
PACKAGE = ("run/model-best", "packages", "--name", "tiny", "--build", "wheel")
# Written by tools, next to the files of the repository.
WRITTEN = (
    *("*.egg-info", "__pycache__", ".git", ".venv*", ".*_cache", ".hypothesis"),
    "project.lock",
)
WRITTEN_FOLDERS = {
    *("build", "dist", "site", "corpus", "training", "metrics", "packages", "smoke"),
}
# Refuses all connections of a Python that has it as its sitecustomize.py.
NO_NETWORK = """
import socket

def refuse(self, address):
    raise OSError(f"no network in this test: {address}")

socket.socket.connect = refuse
"""


def ignored(folder, names):
    found = set(shutil.ignore_patterns(*WRITTEN)(folder, names))
    if Path(folder) == ROOT:
        return found | (WRITTEN_FOLDERS & set(names))
    return found | (set(names) - {"demo"} if Path(folder) == ROOT / "assets" else set())


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("source") / "repository"
    shutil.copytree(ROOT, folder, ignore=ignored)
    return folder


@pytest.fixture(scope="module")
def built(source, tmp_path_factory):
    """The folder of the sdist, and of the wheel, which is built from the sdist."""
    folder = tmp_path_factory.mktemp("built")
    copy = shutil.copytree(source, tmp_path_factory.mktemp("copy") / "repository")
    uv, command = find_uv(), [sys.executable, "-m", "build", "--outdir"]
    if uv is not None:
        command = [uv, "build", "--quiet", "--out-dir"]
    run([*command, folder, copy])
    return folder


@pytest.fixture(scope="module")
def python(built, tmp_path_factory):
    """The Python of an environment that has the wheel, and no network."""
    environment = tmp_path_factory.mktemp("fresh") / "venv"
    python = install_fresh(built / WHEEL, environment, CONSTRAINTS, None)
    # `spacy package` asks for it.
    uv, command = find_uv(), [python, "-m", "pip", "install"]
    if uv is not None:
        command = [uv, "pip", "install", "--python", python]
    run([*command, "--quiet", "build", "--constraint", CONSTRAINTS])
    close_network(python)
    return python


@pytest.fixture
def work(tmp_path):
    """A folder with a corpus, outside of the repository."""
    folder = write_corpus(tmp_path / "work")
    (folder / "packages").mkdir()
    return folder


def run(command, folder=None):
    """Run a program that must not fail, offline; returns what it printed."""
    environ = {**os.environ, "HF_HUB_OFFLINE": "1"}
    environ.pop("PYTHONPATH", None)
    command = list(map(str, command))
    done = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def close_network(python):
    folder = run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    )
    (Path(folder.strip()) / "sitecustomize.py").write_text(NO_NETWORK)


def files_of(folder):
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix() for path in paths}


def test_the_sdist_is_the_repository(built, source):
    """So that the tests can run from it."""
    with tarfile.open(built / f"{NAME}.tar.gz") as archive:
        names = {each.name for each in archive.getmembers() if each.isfile()}
    inside = {name.removeprefix(f"{NAME}/") for name in names}
    info = {name for name in inside if name.startswith("spacy_ner_ext.egg-info/")}
    assert inside - info - {"PKG-INFO", "setup.cfg"} == files_of(source)


def test_the_wheel_is_the_package_and_nothing_else(built, source):
    info = f"{NAME}.dist-info"
    with ZipFile(built / WHEEL) as archive:
        names = set(archive.namelist())
        metadata = message_from_string(archive.read(f"{info}/METADATA").decode())
    package = {name for name in files_of(source) if name.startswith("spacy_ner_ext/")}
    assert {name for name in names if not name.startswith(info)} == package
    assert {"spacy_ner_ext/py.typed", "spacy_ner_ext/util/page.css.jinja"} <= package
    assert f"{info}/licenses/LICENSE" in names
    addresses = dict(each.split(", ") for each in metadata.get_all("Project-URL"))
    assert set(addresses) == {
        *("Homepage", "Documentation", "Changelog", "Issues", "Source"),
    }
    # Tests check the links of the README, which PyPI shows, against this address.
    assert addresses["Homepage"] == HOMEPAGE


def test_twine_finds_no_problem(built):
    artifacts = [built / WHEEL, built / f"{NAME}.tar.gz"]
    run([sys.executable, "-m", "twine", "check", "--strict", *artifacts])


@pytest.mark.slow
def test_from_the_wheel_alone_to_a_packaged_pipeline(python, built, work):
    assert "export-span-marker" in run([python, *COMMAND, "--help"], work)
    code = "import spacy; spacy.blank('en').add_pipe('crf_ner')"
    code += "; import spacy_ner_ext; print(spacy_ner_ext.__file__)"
    environment = python.parent.parent
    assert run([python, "-c", code], work).startswith(str(environment))
    shutil.copytree(encoder_folder("bert"), work / "encoder")
    run([python, *COMMAND, "init", "config.cfg", *INIT], work)
    run([python, "-m", "spacy", "train", "config.cfg", *TRAIN], work)
    run([python, "-m", "spacy", "package", *PACKAGE], work)
    pipeline = newest_wheel(work / "packages")
    # Weights, tokenizer and config of the encoder are in the wheel.
    shutil.rmtree(work / "encoder")
    other = install_fresh(pipeline, environment.with_name("other"), CONSTRAINTS, built)
    close_network(other)
    found = find_entities(other, "xx_tiny", ["Anna lives in Oslo ."])
    assert {(each["text"], each["label"]) for each in found[0]} == {
        *(("Anna", "PER"), ("Oslo", "LOC")),
    }
