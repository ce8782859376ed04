"""The pages about recipes and migrating name all settings of other trainers."""

import inspect
import re
from dataclasses import fields
from pathlib import Path

import pytest
from spacy import registry
from transformers import TrainingArguments

from spacy_ner_ext.tools.init.recipes import PATTERNS
from spacy_ner_ext.tools.train.settings import RunSettings

ROOT = Path(__file__).parents[3]
PAGES = sorted((ROOT / "docs").glob("migrating-*.md"))
PAGE = "\n".join(page.read_text(encoding="utf8") for page in PAGES).replace("```", "")
WORDS = {word for code in re.findall(r"`([^`]+)`", PAGE) for word in code.split()}


def test_every_training_argument_is_named():
    names = {field.name for field in fields(TrainingArguments)}
    assert len(names) > 100
    assert not names - WORDS


def test_every_setting_of_a_run_is_named():
    assert not {field.name for field in fields(RunSettings)} - WORDS


@pytest.mark.parametrize("name", ["grad_max_norm", "spikes", "averages", "groups"])
def test_named_settings_of_the_optimizer_exist(name):
    make = registry.optimizers.get("spacy_ner_ext.Adam.v1")
    assert name in inspect.signature(make).parameters
    assert f"`{name}`" in PAGE


def test_every_pattern_has_a_section_with_what_the_repository_has():
    text = (ROOT / "docs" / "recipes.md").read_text(encoding="utf8")
    for pattern in PATTERNS:
        assert f"\n## {pattern}: " in text
    named = re.findall(r"\b((?:configs|benchmarks)/\S+\.\w+)", text)
    assert named
    for target in named:
        assert (ROOT / target).exists(), target
