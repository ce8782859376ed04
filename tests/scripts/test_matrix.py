"""The matrix of environments; nothing is installed here."""

import sys
import tempfile
from pathlib import Path

import pytest

import scripts.matrix
from scripts.matrix import (
    LOWEST,
    QUICK,
    ROWS,
    TRANSFORMERS_4,
    RowError,
    build_environment,
    run_tests,
)

ROOT = Path(__file__).parents[2]
TESTS = "import pytest\n@pytest.mark.parametrize('n', [1, 2, 3])\ndef test_small(n):\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A project with three tests, and this environment in place of each of the rows."""
    monkeypatch.setattr(scripts.matrix, "ROOT", tmp_path)
    monkeypatch.setattr(scripts.matrix, "QUICK", ("test_small.py",))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    python = Path(sys.executable)
    monkeypatch.setattr(scripts.matrix, "build_environment", lambda *_: python)
    return tmp_path


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """The commands that build an environment, which do not run."""
    commands = []
    monkeypatch.setattr(
        scripts.matrix, "_run", lambda log, *words: commands.append([*map(str, words)])
    )
    return commands


def read_table(text):
    rows = [line.strip("| \n").split(" | ") for line in text.splitlines()[2:]]
    return [dict(zip(rows[0], row, strict=True)) for row in rows[2:]]


def test_the_table_has_versions_and_counts(call, folder):
    (folder / "test_small.py").write_text(TESTS + "    assert n\n", encoding="utf-8")
    args = ("--quick", "3.12", "--workers", 1, "--environments", folder)
    code, out, err = call("matrix", *args, "--output", "table.md")
    assert code == 0, err
    (row,) = read_table(out)
    assert (row["row"], row["passed"], row["failed"]) == ("3.12", "3", "0")
    assert row["python"] == sys.version.split()[0]
    assert row["spacy"].startswith("3.8.")
    assert "quick subset" in out.splitlines()[0]
    assert (folder / "table.md").read_text(encoding="utf-8") == out
    logs = Path(err.splitlines()[-1].removeprefix("Logs: "))
    assert "3 passed" in (logs / "3.12.log").read_text(encoding="utf-8")


def test_a_failing_row_fails_the_matrix(call, folder):
    (folder / "test_small.py").write_text(TESTS + "    assert n < 3", encoding="utf-8")
    args = ("--quick", "3.10", "--workers", 1, "--environments", folder)
    code, out, _ = call("matrix", *args)
    (row,) = read_table(out)
    assert (code, row["passed"], row["failed"]) == (1, "2", "1")


def test_pytest_that_does_not_run_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(scripts.matrix, "_run", lambda *_: 4)
    with pytest.raises(RowError, match="pytest ended with exit code 4"):
        run_tests(Path(sys.executable), [], 1, tmp_path / "log")


def test_a_missing_interpreter_is_a_failed_row(call, tmp_path, monkeypatch):
    monkeypatch.setattr(scripts.matrix, "ROWS", ("3.99",))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    code, out, err = call("matrix", "3.99", "--environments", "here")
    what = "Python 3.99 is not installed and uv cannot download it; install it"
    assert code == 1
    assert read_table(out)[0]["failed"].startswith(what)
    assert f"3.99: {what}" in err


def test_an_unknown_row_is_named(call):
    code, out, err = call("matrix", "3.9")
    assert (code, out) == (2, "")
    assert "unknown row: 3.9; choose from 3.10, " in err


def test_help_is_complete(call):
    code, out, _ = call("matrix", "--help")
    assert code == 0
    for option in (
        "python scripts/matrix.py",
        "--quick",
        "--workers",
        "--output",
        "--environments",
    ):
        assert option in out


def test_the_newest_python_is_the_newest_that_is_found(monkeypatch, capsys):
    found = {"3.11": "/python3.11", "3.12": "/python3.12"}
    monkeypatch.setattr(scripts.matrix, "find_python", found.get)
    assert scripts.matrix.newest_python() == "3.12"
    assert capsys.readouterr().err == "newest: Python 3.12\n"


def test_interpreters_of_pyenv_are_found(tmp_path, monkeypatch):
    python = tmp_path / "versions/3.99.1/bin/python"
    python.parent.mkdir(parents=True)
    python.touch()
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert scripts.matrix.find_python("3.99") == str(python)
    assert scripts.matrix.find_python("3.98") is None


@pytest.mark.parametrize("name", ROWS)
def test_the_environment_of_each_row(name, commands, tmp_path):
    build_environment(name, tmp_path / "env", tmp_path / "log")
    create, *steps = (" ".join(command) for command in commands)
    assert create.endswith(str(tmp_path / "env"))
    assert not any("constraints.txt" in step for step in steps)
    assert any("lowest-direct" in step for step in steps) == (name == LOWEST)
    with_spacy_transformers = any("[dev,spacy-transformers]" in step for step in steps)
    assert with_spacy_transformers == (name == TRANSFORMERS_4)


@pytest.mark.parametrize("test", QUICK)
def test_the_quick_subset_exists(test):
    path, _, name = test.partition("::")
    assert f"def {name or 'test_'}" in (ROOT / path).read_text(encoding="utf-8")
