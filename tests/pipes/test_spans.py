"""Span keys in settings."""

import pytest

from spacy_ner_ext.pipes.spans import as_keys


@pytest.mark.parametrize("setting", [[], "", [""], [3], ["ents", None]])
def test_a_span_key_must_be_a_string(setting):
    with pytest.raises(ValueError, match=r"The setting target = .* is not a span key"):
        as_keys(setting, "target")


def test_one_span_key_or_several():
    assert as_keys("sc", "target") == ["sc"]
    assert as_keys(("ents", "sc"), "target") == ["ents", "sc"]
