"""The files gpu_*.py of this folder under a stand-in for a GPU, each in a process:
thinc looks for CuPy when it is imported."""

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.parametrize("path", sorted(HERE.glob("gpu_*.py")), ids=lambda p: p.stem)
def test_on_gpu(path):
    plugin = ("-p", "tests.helpers.fake_gpu.plugin", "-p", "no:xdist")
    command = [sys.executable, "-m", "pytest", "-q", *plugin, str(path)]
    found = subprocess.run(
        command, cwd=HERE.parent.parent, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stdout + found.stderr
