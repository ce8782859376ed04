from importlib import import_module

import pytest

from tests.helpers.documents import ROOT


@pytest.fixture
def load(monkeypatch):
    """Benchmarks are scripts: they import each other from their folder."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return import_module
