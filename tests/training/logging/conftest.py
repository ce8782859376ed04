import io
import json

import pytest
from spacy.tokens import DocBin
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from thinc.api import Config

from tests.helpers.loggers import CONFIG, Started
from tests.helpers.pipelines import build, make_examples


@pytest.fixture(scope="session")
def corpus_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "corpus.spacy"
    nlp = build("flat_biluo")
    DocBin(docs=[eg.reference for eg in make_examples(nlp)]).to_disk(path)
    return path


@pytest.fixture(scope="session")
def run_training(corpus_path):
    """Train with spaCy's own loop and a logger; returns the printed text."""

    def run(logger, output=None, **training):
        config = Config().from_str(
            CONFIG.replace("{path}", json.dumps(str(corpus_path)))
        )
        config["training"].update({"logger": logger, **training})
        stdout = io.StringIO()
        if output is not None:
            output.mkdir(exist_ok=True)
        train(init_nlp(config), output, stdout=stdout, stderr=io.StringIO())
        return stdout.getvalue()

    return run


@pytest.fixture
def start(tmp_path):
    """Start a logger without training; its `log` takes steps and values of `info`."""
    started = []

    def start_logger(name, **settings):
        started.append(Started(name, settings, tmp_path / "out"))
        return started[-1]

    yield start_logger
    for each in started:
        each.finalize()
