"""The example of tuning with Optuna in docs/sharing.md runs."""

import contextlib
import io
import re

import pytest

from spacy_ner_ext import convert
from tests.helpers.documents import ROOT, blocks, read


@pytest.fixture
def corpus(tmp_path):
    """The start of the demo corpus, in tmp_path/corpus/demo."""
    for name in ("train", "dev"):
        text = (ROOT / f"assets/demo/{name}.conll").read_text(encoding="utf8")
        sentences = text.split("\n\n")[:30]
        source = tmp_path / f"{name}.conll"
        source.write_text("\n\n".join(sentences) + "\n", encoding="utf8")
        convert(source, tmp_path / f"corpus/demo/{name}.spacy")


def test_the_example_finds_the_best_of_its_trials(corpus, tmp_path, monkeypatch):
    (code,) = [
        text for text in blocks(read("sharing.md"), "python") if "optuna" in text
    ]
    for name, value in (("max_steps", 4), ("eval_frequency", 2)):
        code, n = re.subn(rf'("training\.{name}"): \d+', rf"\1: {value}", code)
        assert n == 1
    code = code.replace("N_TRIALS = 20", "N_TRIALS = 2")
    code = code.replace('CONFIG = "', f'CONFIG = "{ROOT.as_posix()}/')
    monkeypatch.chdir(tmp_path)
    names = {}
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(code, "sharing.md", "exec"), names)
    trials = names["study"].trials
    assert len(trials) == 2
    best = max(trials, key=lambda trial: trial.value)
    assert set(best.params) == {"learn_rate", "dropout"}
    assert f"best score {best.value:.3f} at step" in out.getvalue()
    assert str(best.params) in out.getvalue()
