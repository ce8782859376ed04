"""Defaults of recipes, and components that do not fit."""

import re
from pathlib import Path

import pytest

from spacy_ner_ext.tools.init.recipes import (
    COMPONENTS,
    ENGLISH_ENCODER,
    MULTILINGUAL_ENCODER,
    PATTERNS,
    choose,
)
from spacy_ner_ext.util.errors import UserError

ROOT = Path(__file__).parents[3]
FITTING = [(name, pattern) for pattern, names in PATTERNS.items() for name in names]
CHOICES = [
    *((name, pattern, None) for name, pattern in FITTING),
    *((name, "flair", "roberta-base") for name in PATTERNS["flair"]),
]
SHIPPED = ["eds_crf.cfg", "flair_tagger.cfg", "flair_pos.cfg", "multinerd.cfg"]


def test_missing_options_have_defaults():
    assert choose().component == "crf_ner"
    assert (choose().pattern, choose().encoder) == ("eds", ENGLISH_ENCODER)
    assert choose("span_marker_ner").pattern == "spanmarker"
    assert choose(pattern="spanmarker").component == "span_marker_ner"
    assert choose(lang="de").encoder == MULTILINGUAL_ENCODER
    tagger = choose("crf_tagger")
    assert (tagger.pattern, tagger.encoder) == ("flair", None)


@pytest.mark.parametrize(
    "component, pattern",
    [(c, p) for c in COMPONENTS for p in PATTERNS if (c, p) not in FITTING],
)
def test_a_pattern_that_does_not_fit_is_an_error_with_those_that_do(component, pattern):
    with pytest.raises(UserError) as error:
        choose(component, pattern)
    message = str(error.value)
    assert message.startswith(f"--pattern {pattern} trains ")
    named = re.search(r"choose --pattern (.*)", message)[1].split(" or ")
    assert named == [p for c, p in FITTING if c == component]
