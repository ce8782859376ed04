"""What the README shows works as it stands there."""

import re

import spacy

from spacy_ner_ext.tools.app import COMMANDS
from tests.helpers.documents import ROOT, blocks, read

README = read("README.md")


def test_the_example_is_short_and_finds_its_entities(capsys):
    (example,) = blocks(README, "python")
    assert len(example.strip().splitlines()) <= 13
    exec(compile(example, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    for text, label in (("Ines Marlow", "PERSON"), ("Dunmore", "VESSEL")):
        assert f"('{text}', '{label}', 0." in printed or f"'{label}', 1.0" in printed


def test_the_first_page_has_the_same_example():
    assert blocks(read("index.md"), "python") == blocks(README, "python")


def test_it_is_short():
    assert len(README.splitlines()) <= 150, "move details to a page of docs/"


def test_the_two_commands_are_targets_that_set_up_everything():
    makefile = (ROOT / "Makefile").read_text()
    for target in ("demo", "test"):
        assert f"make {target} " in README
        assert re.search(rf"^{target}: \$\(VENV\)/\.installed$", makefile, re.M)


def test_every_command_is_in_the_readme():
    for command in COMMANDS:
        name = command.__name__.replace("_", "-")
        assert f"`{name}`" in README, name


def test_every_registered_name_is_in_the_readme():
    text = (ROOT / "pyproject.toml").read_text()
    names = re.findall(r'^"(spacy_ner_ext\.[^"]+)" =', text, re.M)
    assert names
    names.remove("spacy_ner_ext.cats_weighted.v1")  # Kept for older configs.
    for name in [*names, "crf_ner", "crf_tagger", "span_marker_ner", "text_cnn"]:
        assert name in README, name


def test_the_pipeline_of_the_config_blocks_can_be_made():
    nlp = spacy.blank("en")
    nlp.add_pipe("text_cnn")
    nlp.add_pipe(
        "crf_ner",
        config={
            "model": {
                "@architectures": "spacy_ner_ext.CRF.v1",
                "tok2vec": {
                    "@architectures": "spacy.Tok2VecListener.v1",
                    "width": 96,
                    "upstream": "text_cnn",
                },
            }
        },
    )
    assert nlp.pipe_names == ["text_cnn", "crf_ner"]
