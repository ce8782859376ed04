"""Shared by the tests of training in several ranks."""

import pytest

from tests.helpers import ranks
from tests.helpers.training_runs import write_corpus


@pytest.fixture(scope="session")
def launch():
    with ranks.launcher() as launcher:
        yield launcher


@pytest.fixture(scope="session")
def larger_corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("ranks") / "corpus", n=60)
