"""The diffs of the pages on migrating fit what spaCy writes."""

import numpy
import pytest
import spacy
from spacy.cli.init_config import fill_config, init_config
from spacy.training import Example
from thinc.api import Config

from tests.helpers.documents import blocks, read

TEXT = "Ines Marlow sailed to Bergen."
GOLD = {"entities": [(0, 11, "PERSON"), (22, 28, "PLACE")]}


def apply(diff, text):
    """A text with each part of a diff in its place; empty lines part them."""
    for part in diff.strip("\n").split("\n\n"):
        lines = part.splitlines()
        assert all(line[0] in " +-" for line in lines), part
        old, new = (
            "".join(line[1:] + "\n" for line in lines if line[0] in kinds)
            for kinds in (" -", " +")
        )
        assert f"\n{text}\n".count(f"\n{old}") == 1, f"not once in the config:\n{old}"
        text = text.replace(old, new)
    return text


def migrated(number, tmp_path, **settings):
    """What `spacy init config` writes, after a diff of the page."""
    written = init_config(pipeline=["ner"], **settings).to_str()
    diff = blocks(read("migrating-spacy.md"), "diff")[number]
    path = tmp_path / "config.cfg"
    path.write_text(apply(diff, f"{written}\n"), encoding="utf8")
    return path


def test_the_diff_over_hashed_words_gives_a_pipeline_that_learns(tmp_path):
    path = migrated(0, tmp_path)
    _, filled = fill_config(tmp_path / "filled.cfg", path, silent=True)
    assert filled["components"]["crf_ner"]["structure"] == "flat"
    assert "ner" not in filled["components"]
    nlp = spacy.util.load_model_from_config(filled, auto_fill=False)
    assert nlp.pipe_names == ["tok2vec", "crf_ner"]
    examples = [Example.from_dict(nlp.make_doc(TEXT), GOLD)]
    optimizer = nlp.initialize(lambda: examples)
    before = nlp.get_pipe("tok2vec").model.predict([nlp.make_doc(TEXT)])[0]
    for _ in range(20):
        nlp.update(examples, sgd=optimizer)
    assert [ent.text for ent in nlp(TEXT).ents] == ["Ines Marlow", "Bergen"]
    # The listener is connected.
    after = nlp.get_pipe("tok2vec").model.predict([nlp.make_doc(TEXT)])[0]
    assert numpy.abs(after - before).max() > 0


def test_a_diff_that_does_not_fit_is_noticed():
    with pytest.raises(AssertionError, match="not once"):
        apply("-width = 3\n+width = 4\n", "\n[model]\nwidth = 33\n")


def test_a_diff_is_applied_part_by_part():
    text = apply(" [a]\n-b = 1\n+b = 2\n\n-[c]\n", "[a]\nb = 1\n\n[c]\n\n[d]\n")
    assert Config().from_str(text) == {"a": {"b": 2}, "d": {}}
