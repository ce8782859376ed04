"""The steps themselves run in `bash scripts/gpu_check.sh --cpu`, in minutes."""

import json

import pytest

from scripts.gpu_check import Check, gpu_check, table
from spacy_ner_ext import UserError


def use_steps(monkeypatch, **steps):
    """Replace the steps by arguments of a Python that each runs."""
    found = {
        name: lambda self, args=args: {"printed": Check.python(self, *args).split()[-1]}
        for name, args in steps.items()
    }
    bound = property(lambda self: {n: step.__get__(self) for n, step in found.items()})
    monkeypatch.setattr(Check, "steps", bound)


def test_a_step_that_fails_does_not_stop_the_others(monkeypatch, tmp_path, capsys):
    fail = ("-c", "print(1); raise SystemExit('no such device')")
    use_steps(monkeypatch, first=fail, second=("-c", "print(42)"))
    with pytest.raises(UserError, match=r"1 steps failed.*first"):
        gpu_check(tmp_path, cpu=True)
    steps = json.loads((tmp_path / "gpu_check.json").read_text())["steps"]
    assert steps["first"]["problem"] == "exit code 1: no such device"
    assert steps["second"]["facts"] == {"printed": "42"}
    text = (tmp_path / "gpu_check.md").read_text()
    assert "| printed | 42 |" in text and text in capsys.readouterr().out


def test_a_command_is_stopped_after_its_limit(monkeypatch, tmp_path):
    monkeypatch.setattr("scripts.gpu_check.LIMIT", 0.5)
    use_steps(monkeypatch, slow=("-c", "import time; time.sleep(60)"))
    with pytest.raises(UserError, match="slow"):
        gpu_check(tmp_path, cpu=True)
    assert "not done after 0.5 seconds" in (tmp_path / "gpu_check.md").read_text()


def test_peers_that_are_not_installed(tmp_path):
    check = Check(tmp_path, -1, ("", ""))
    with pytest.raises(Exception, match="PEERS_PYTHON"):
        check.spacy_transformers()


def test_table():
    facts = {"words/s": {"fp32": 1234.5, "bf16": 2.0}, "apart": 1e-6, "weights": 3}
    assert table({"train": {"facts": facts, "seconds": 1.5}}).splitlines()[2:] == [
        "| **train** | done (1.5 s) |",
        "| words/s, fp32 | 1,234 |",
        "| words/s, bf16 | 2.000 |",
        "| apart | 1.0e-06 |",
        "| weights | 3 |",
    ]
