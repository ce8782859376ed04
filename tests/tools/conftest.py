import subprocess
import sys

import pytest

from spacy_ner_ext.tools.app import main

# torch up to 2.8 leaves a temporary folder to the interpreter.
TEMPORARY = "ignore:Implicitly cleaning up:ResourceWarning"
WARNINGS = ("-W", "error", "-W", TEMPORARY)


@pytest.fixture
def run(tmp_path):
    """Run a command in a process of its own, in the test's folder."""

    def run_command(*args):
        return subprocess.run(
            [sys.executable, *WARNINGS, "-m", "spacy_ner_ext", *map(str, args)],
            capture_output=True,
            text=True,
            encoding="utf-8",
            cwd=tmp_path,
        )

    return run_command


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """Run a command in this process, for cases that are many."""

    def call_main(*args):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["spacy_ner_ext", *map(str, args)])
        with pytest.raises(SystemExit) as exit_info:
            main()
        out, err = capsys.readouterr()
        return exit_info.value.code, out, err

    return call_main
