"""Packaged pipelines: wheels, fresh environments, and the script.

The installation of a real pipeline is in the test of the project.
"""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import scripts.smoke
from scripts.smoke import (
    build_wheel,
    find_entities,
    install_fresh,
    newest_wheel,
    package_name,
)
from spacy_ner_ext import __version__
from spacy_ner_ext.util.errors import UserError
from tests.helpers.pipelines import TEXTS, fitted

ROOT = Path(__file__).parents[2]
PYTHON = Path(sys.executable)
WHEEL = "xx_tiny-1.0-py3-none-any.whl"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The folder of a small pipeline that knows its corpus by heart."""
    folder = tmp_path_factory.mktemp("model") / "pipeline"
    fitted("flat_biluo").to_disk(folder)
    return folder


@pytest.fixture
def no_index(monkeypatch):
    """Allow local files only to pip and uv in child processes."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")


def write_wheel(folder, name, version, requires=(), code=""):
    """A wheel of one module, as small as pip takes it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += "".join(f"Requires-Dist: {other}\n" for other in requires)
    files = {
        f"{name}.py": code,
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": (
            "Wheel-Version: 1.0\nGenerator: test\n"
            "Root-Is-Purelib: true\nTag: py3-none-any\n"
        ),
    }
    record = [*files, f"{info}/RECORD"]
    files[f"{info}/RECORD"] = "".join(f"{file},,\n" for file in record)
    with zipfile.ZipFile(path, "w") as wheel:
        for file, content in files.items():
            wheel.writestr(file, content)
    return path


def check_one_line(error, *parts):
    message = str(error.value)
    assert len(message.splitlines()) == 1
    for part in parts:
        assert part in message


# --- Wheels -----------------------------------------------------------------


def test_the_newest_wheel_is_the_one_that_was_built_last(tmp_path):
    """Not the one of the highest version: a version may be built again."""
    for seconds, name in enumerate(["a-2.0", "b-0.1", "a-1.0"]):
        path = tmp_path / name / "dist" / f"en_{name}-py3-none-any.whl"
        path.parent.mkdir(parents=True)
        path.touch()
        os.utime(path, (1_000_000, 1_000_000 + seconds))
    (tmp_path / "a-1.0" / "dist" / "en_a-1.0.tar.gz").touch()
    assert newest_wheel(tmp_path).name == "en_a-1.0-py3-none-any.whl"


def test_without_a_wheel_the_error_says_how_to_build_one(tmp_path):
    (tmp_path / "en_a-1.0.tar.gz").touch()
    with pytest.raises(UserError) as error:
        newest_wheel(tmp_path)
    check_one_line(error, f"{tmp_path} has no wheel", "--build wheel")


def test_the_name_of_a_package_is_in_its_wheel():
    wheel = Path("packages/dist/en_ner_demo-0.1.0-py3-none-any.whl")
    assert package_name(wheel) == "en_ner_demo"


def test_the_wheel_of_this_project_is_built_from_a_copy(tmp_path):
    """Needs a package index that has setuptools."""
    ignored = shutil.ignore_patterns("__pycache__")
    package = tmp_path / "source" / "spacy_ner_ext"
    shutil.copytree(ROOT / "spacy_ner_ext", package, ignore=ignored)
    for name in ("LICENSE", "README.md", "pyproject.toml"):
        shutil.copy(ROOT / name, package.parent)
    before = set(package.parent.rglob("*"))
    build_wheel(package.parent, tmp_path / "wheels")
    wheel = newest_wheel(tmp_path / "wheels")
    assert wheel.name == f"spacy_ner_ext-{__version__}-py3-none-any.whl"
    assert set(package.parent.rglob("*")) == before


def test_a_wheel_that_cannot_be_built_is_one_line(tmp_path, no_index):
    (tmp_path / "source").mkdir()
    with pytest.raises(UserError) as error:
        build_wheel(tmp_path / "source", tmp_path / "wheels")
    check_one_line(error, f"the wheel of {tmp_path / 'source'} cannot be built")


@pytest.mark.slow
def test_a_packaged_pipeline_requires_this_package(model, tmp_path):
    """Needs a package index that has setuptools."""
    command = [sys.executable, "-m", "spacy", "package", str(model), str(tmp_path)]
    options = ["--name", "tiny", "--version", "1.2.3", "--build", "wheel"]
    done = subprocess.run([*command, *options], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    wheel = newest_wheel(tmp_path)
    assert package_name(wheel) == "xx_tiny"
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read("xx_tiny-1.2.3.dist-info/METADATA").decode()
        names = archive.namelist()
    (needed,) = re.findall(r"(?m)^Requires-Dist: spacy-ner-ext(.*)$", metadata)
    assert f">={__version__}" in needed.split(",")
    assert "xx_tiny/xx_tiny-1.2.3/crf_ner/model" in names


# --- Fresh environments -----------------------------------------------------


def run_in(python, code):
    done = subprocess.run([python, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_wheel_is_installed_with_what_it_needs(tmp_path, no_index):
    links = tmp_path / "links"
    for version in ("0.1", "0.2"):
        write_wheel(links, "sne_need", version, code=f"version = '{version}'")
    wheel = write_wheel(tmp_path, "sne_top", "1.0", ["sne_need"], "import sne_need")
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("sne_need==0.1\n")
    environment = tmp_path / "venv"
    environment.mkdir()
    (environment / "pyvenv.cfg").write_text("of an earlier environment")
    (environment / "left.txt").touch()
    python = install_fresh(wheel, environment, constraints, links)
    code = "import sys, sne_top; print(sys.prefix, sne_top.sne_need.version)"
    assert run_in(python, code) == f"{environment} 0.1"
    assert not (environment / "left.txt").exists()


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_folders_other_than_environments_are_not_emptied(tmp_path, kind):
    target = tmp_path / "target"
    if kind == "folder":
        target.mkdir()
        (target / "thesis.txt").write_text("mine")
    else:
        target.write_text("mine")
    with pytest.raises(UserError) as error:
        install_fresh(tmp_path / "a-1.0-py3-none-any.whl", target, None, None)
    check_one_line(error, f"{target} exists and is not a virtual environment")
    kept = target / "thesis.txt" if kind == "folder" else target
    assert kept.read_text() == "mine"


# --- Pipelines --------------------------------------------------------------


def test_find_entities_gives_text_label_and_score(model, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/must/not/matter")
    found = find_entities(PYTHON, str(model), [TEXTS[0], "", TEXTS[2], TEXTS[0]])
    assert [(e["text"], e["label"]) for e in found[0]] == [
        ("Anna Berg", "PER"),
        ("New York", "LOC"),
    ]
    assert all(0.5 < e["score"] <= 1 for e in found[0])
    assert found[1:] == [[], [], found[0]]


def test_a_pipeline_that_cannot_be_loaded_is_one_line():
    with pytest.raises(UserError) as error:
        find_entities(PYTHON, "en_not_installed", TEXTS)
    place = PYTHON.parent.parent
    check_one_line(error, f"en_not_installed cannot be used in {place}", "E050")


# --- The script -------------------------------------------------------------


@pytest.fixture
def packages(tmp_path):
    """A folder with an empty file that is named like a wheel."""
    folder = tmp_path / "packages"
    folder.mkdir()
    (folder / WHEEL).touch()
    return folder


@pytest.fixture
def installed(packages, tmp_path, monkeypatch):
    """This Python in place of a fresh environment, and a pipeline's folder in place
    of the package that is installed there."""
    fitted("flat_biluo").to_disk(tmp_path / "model")
    monkeypatch.setattr(scripts.smoke, "install_fresh", lambda *_: Path(sys.executable))
    monkeypatch.setattr(
        scripts.smoke, "package_name", lambda _: str(tmp_path / "model")
    )


def check_error(result, *parts):
    code, _, err = result
    assert code == 1
    assert err.startswith("Error: ") and err.count("\n") == 1
    for part in parts:
        assert part in err


def test_prints_texts_with_entities_and_scores(call, installed):
    code, out, err = call(
        "smoke", "packages", "venv", "--text", TEXTS[0], "--text", TEXTS[2]
    )
    assert (code, err) == (0, "")
    assert f"Installing {WHEEL} into venv" in out
    texts = out[out.index(TEXTS[0]) :].splitlines()
    assert texts[0] == TEXTS[0] and texts[3] == TEXTS[2]
    assert re.fullmatch(r"  Anna Berg +PER +(1\.000|0\.\d{3})", texts[1])
    assert re.fullmatch(r"  New York +LOC +(1\.000|0\.\d{3})", texts[2])
    assert f"{WHEEL} works in venv; found: 2" in texts[-1]


def test_no_entity_at_all_is_an_error(call, packages, monkeypatch):
    monkeypatch.setattr(scripts.smoke, "install_fresh", lambda *_: Path(sys.executable))
    monkeypatch.setattr(
        scripts.smoke, "find_entities", lambda python, name, texts: [[]]
    )
    result = call("smoke", "packages", "venv", "--text", TEXTS[2])
    check_error(result, f"{WHEEL} found nothing in the given texts", "--text")
    assert TEXTS[2] in result[1]


def test_a_folder_without_a_wheel(call, packages, tmp_path):
    (packages / WHEEL).unlink()
    result = call("smoke", "packages", "venv")
    check_error(result, "packages has no wheel", "--build wheel")
    assert os.listdir(tmp_path) == ["packages"]


def test_a_folder_that_is_not_an_environment_is_not_emptied(call, packages, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.txt").write_text("mine")
    result = call("smoke", "packages", "home")
    check_error(result, "home exists and is not a virtual environment")
    assert (tmp_path / "home" / "thesis.txt").read_text() == "mine"


def test_a_source_that_cannot_be_built(call, packages, tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    (tmp_path / "source").mkdir()
    result = call("smoke", "packages", "venv", "--source", "source")
    check_error(result, "the wheel of source cannot be built")


def test_a_wheel_that_cannot_be_installed(call, packages, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    result = call("smoke", "packages", "venv")
    check_error(result, f"{WHEEL} cannot be installed into venv")
