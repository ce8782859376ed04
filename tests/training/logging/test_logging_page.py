"""The blocks in docs/logging.md are complete settings of registered loggers."""

import inspect
import re
from pathlib import Path

import pytest
from spacy import registry
from thinc.api import Config

import spacy_ner_ext

PAGE = Path(spacy_ner_ext.__file__).parents[1] / "docs" / "logging.md"
BLOCKS = re.findall(r"```ini\n(.*?)```", PAGE.read_text(encoding="utf8"), re.S)
# Settings without a default, or with another value in the example.
CHOSEN = {"project_name", "task_name", "run_name", "remove_config_values"}


def loggers_of(block):
    """The settings of each logger of a block."""
    logger = Config().from_str("[training]\n\n" + block)["training"]["logger"]
    chained = [value for value in logger.values() if isinstance(value, dict)]
    return chained or [logger]


@pytest.mark.parametrize("block", BLOCKS)
def test_the_last_logger_of_a_block_shows_all_settings(block):
    *_, shown = loggers_of(block)
    function = registry.loggers.get(shown.pop("@loggers"))
    parameters = inspect.signature(function).parameters
    assert set(shown) == set(parameters)
    for name in set(shown) - CHOSEN:
        assert shown[name] == parameters[name].default
