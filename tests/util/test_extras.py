"""Extras: each is declared, and a missing one is reported in a sentence."""

import ast
import re
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from spacy_ner_ext.util.errors import UserError
from spacy_ner_ext.util.extras import require

ROOT = Path(__file__).parents[2]
# Modules that are named otherwise than their distribution.
DISTRIBUTIONS = {"torch.utils.tensorboard": "tensorboard"}
# Required in a loop.
REPORT = (("matplotlib", "report"),)


def declared():
    """The distributions of each extra in pyproject.toml."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf8")
    table = text.split("[project.optional-dependencies]")[1].split("\n[")[0]
    return {
        extra: set(re.findall(r'"([\w-]+)', listed))
        for extra, listed in re.findall(r"(?ms)^([\w-]+) = \[(.*?)\]$", table)
    }


def required():
    """The calls of `require` in the package: module and extra."""
    for path in (ROOT / "spacy_ner_ext").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "require":
                module, extra = node.args
                if isinstance(module, ast.Constant):
                    yield module.value, ast.literal_eval(extra)


def test_a_module_that_is_installed_is_imported():
    assert require("importlib.util", "report").find_spec


@pytest.mark.parametrize(("module", "extra"), sorted({*required(), *REPORT}))
def test_a_missing_extra_is_named(module, extra, monkeypatch):
    top = DISTRIBUTIONS.get(module, module.split(".")[0])
    assert top in declared()[extra]
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError) as error:
        require(module, extra)
    assert module in str(error.value)
    assert f'pip install "spacy-ner-ext[{extra}]"' in str(error.value)


def test_all_extras_that_sentences_name_are_declared():
    files = [*ROOT.glob("spacy_ner_ext/**/*.py"), *ROOT.glob("docs/*.md")]
    texts = [path.read_text(encoding="utf8") for path in files]
    named = {
        name for text in texts for name in re.findall(r"ner-ext\[([\w-]+)\]", text)
    }
    assert {"report", "plot"} <= named <= declared().keys()


# What a pipeline does where none of these can be imported. spaCy itself imports jinja2.
PREDICT = """
import sys
from tests.helpers.blocked import block
block([
    *("datasets", "pyarrow", "matplotlib", "nervaluate", "captum", "tensorboard"),
    *("optuna", "spacy_transformers", "cupy"),
])
import spacy, spacy_ner_ext
sys.modules["jinja2"] = None
spacy_ner_ext.train, spacy_ner_ext.explain, spacy_ner_ext.evaluate
nlp = spacy.blank("en")
for name in ("text_cnn", "crf_ner", "crf_tagger", "span_marker_ner"):
    nlp.add_pipe(name)
spacy.registry.loggers.get("spacy_ner_ext.Logger.v1")()(nlp)
for folder in sys.argv[1:]:
    spacy.load(folder)("Anna Berg lives in New York .")
"""


def test_components_and_pipelines_work_without_extras_and_datasets(tmp_path):
    folders = []
    for name in ("crf_transformer", "crf_tagger", "span_marker_filtered", "spancat"):
        folders.append(str(tmp_path / name))
        with ZipFile(ROOT / "tests" / "golden" / f"{name}.zip") as file:
            file.extractall(folders[-1])
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PREDICT, *folders],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
