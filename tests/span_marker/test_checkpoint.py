"""Checkpoints of SpanMarker; `tests/peers` reads those that SpanMarker wrote."""

import pytest
import spacy

from spacy_ner_ext.util.errors import UserError


def test_a_checkpoint_that_is_not_there(tmp_path):
    config = {"checkpoint": str(tmp_path / "nowhere")}
    pipe = spacy.blank("xx").add_pipe("span_marker_ner", config=config)
    with pytest.raises(UserError, match="nowhere"):
        pipe.read_checkpoint()
