import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from spacy_ner_ext.tools.errors import run_command

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(tmp_path):
    """Run a script in a separate process, in the test's folder."""

    def run_script(name, *args):
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        return subprocess.run(
            [sys.executable, "-W", "error", "-m", f"scripts.{name}", *args],
            capture_output=True,
            text=True,
            encoding="utf-8",
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        )

    return run_script


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """Run a script in this process, for tests with many cases."""

    def call_script(name, *args):
        script = getattr(import_module(f"scripts.{name}"), name)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", [name, *map(str, args)])
        with pytest.raises(SystemExit) as exit_info:
            run_command(script, f"python -m scripts.{name}")
        out, err = capsys.readouterr()
        return exit_info.value.code, out, err

    return call_script
