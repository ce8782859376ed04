"""Extras: each is declared, and a missing one is reported in a sentence."""

import ast
import re
import sys
from pathlib import Path

import pytest

from spacy_ner_ext.util.errors import UserError
from spacy_ner_ext.util.extras import require

ROOT = Path(__file__).parents[2]
# Modules that are named otherwise than their distribution.
DISTRIBUTIONS = {"torch.utils.tensorboard": "tensorboard"}


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
                yield tuple(ast.literal_eval(argument) for argument in node.args)


def test_a_module_that_is_installed_is_imported():
    assert require("importlib.util", "report").find_spec


@pytest.mark.parametrize(("module", "extra"), sorted(set(required())))
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
