"""Tests under a stand-in for a GPU, each file in a process: thinc looks for CuPy when
it is imported."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
# The contract of components, for those that cover all others' code.
CONTRACT = HERE.parent / "pipes" / "test_components.py"
CHOSEN = ("-k", "listening or span_marker", "-m", "not slow")


@pytest.mark.parametrize(
    "path", [*sorted(HERE.glob("gpu_*.py")), CONTRACT], ids=lambda path: path.stem
)
def test_on_gpu(path):
    plugin = ("-p", "tests.helpers.fake_gpu.plugin", "-p", "no:xdist")
    chosen = CHOSEN if path == CONTRACT else ()
    command = [sys.executable, "-m", "pytest", "-q", *plugin, *chosen, str(path)]
    found = subprocess.run(
        command,
        cwd=HERE.parent.parent,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stdout + found.stderr
