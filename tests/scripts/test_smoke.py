"""`smoke`; the installation of a real pipeline is in the test of the project."""

import os
import re
import sys
from pathlib import Path

import pytest

from tests.helpers.pipelines import TEXTS, fitted

WHEEL = "xx_tiny-1.0-py3-none-any.whl"


@pytest.fixture
def packages(tmp_path):
    """A folder with what is named like a wheel, but is none."""
    folder = tmp_path / "packages"
    folder.mkdir()
    (folder / WHEEL).touch()
    return folder


@pytest.fixture
def installed(packages, tmp_path, monkeypatch):
    """This Python in place of a fresh environment, and a pipeline's folder in place
    of the package that is installed there."""
    fitted("flat_biluo").to_disk(tmp_path / "model")
    module = sys.modules["scripts.smoke"]
    monkeypatch.setattr(module, "install_fresh", lambda *_: Path(sys.executable))
    monkeypatch.setattr(module, "package_name", lambda _: str(tmp_path / "model"))


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
    module = sys.modules["scripts.smoke"]
    monkeypatch.setattr(module, "install_fresh", lambda *_: Path(sys.executable))
    monkeypatch.setattr(module, "find_entities", lambda python, name, texts: [[]])
    result = call("smoke", "packages", "venv", "--text", TEXTS[2])
    check_error(result, f"{WHEEL} found nothing in the given texts", "--text")
    assert TEXTS[2] in result[1]


def test_a_folder_without_a_wheel(call, packages, tmp_path):
    (packages / WHEEL).unlink()
    result = call("smoke", "packages", "venv")
    check_error(result, "there is no wheel in packages", "--build wheel")
    assert os.listdir(tmp_path) == ["packages"]


def test_a_folder_that_is_no_environment_is_not_emptied(call, packages, tmp_path):
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
    check_error(result, f"{WHEEL} cannot be installed into venv", "ERROR")
