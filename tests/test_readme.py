"""What the README shows works as it stands there."""

import inspect
import re
from dataclasses import fields
from pathlib import Path

import pytest
import spacy
from spacy import registry
from spacy.language import Language
from thinc.api import Config

from spacy_ner_ext.cli import COMMANDS
from spacy_ner_ext.data.formats.registry import READERS, WRITERS
from spacy_ner_ext.training.loop.settings import RunSettings, read_settings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.S)


def test_the_example_is_short_and_finds_its_entities(capsys):
    example, _ = blocks("python")
    assert len(example.strip().splitlines()) <= 13
    exec(compile(example, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    for text, label in (("Ines Marlow", "PERSON"), ("Dunmore", "VESSEL")):
        assert f"('{text}', '{label}', 0." in printed or f"'{label}', 1.0" in printed


def test_the_two_commands_are_targets_that_set_up_everything():
    makefile = (ROOT / "Makefile").read_text()
    for target in ("demo", "test"):
        assert f"make {target} " in README
        assert re.search(rf"^{target}: \$\(VENV\)/\.installed$", makefile, re.M)


@pytest.mark.parametrize(
    "factory", ["crf_ner", "crf_tagger", "span_marker_ner", "text_cnn"]
)
def test_config_blocks_show_every_setting_of_a_component(factory):
    head = f"[components.{factory}]\n"
    (block,) = [block for block in blocks("ini") if block.startswith(head)]
    shown = Config().from_str("[components]\n\n" + block)["components"][factory]
    defaults = Language.get_factory_meta(factory).default_config
    assert set(shown) == {"factory", *defaults}
    architecture = shown["model"]["@architectures"]
    assert architecture == defaults["model"]["@architectures"]
    assert set(shown["model"]) == set(complete(defaults["model"]))
    for key, value in defaults.items():
        assert key == "model" or shown[key] == value


@pytest.mark.parametrize("kind", ["Transformer", "SpanMarker"])
def test_the_encoder_block_shows_every_setting(kind):
    name = f"spacy_ner_ext.{kind}.v1"
    (block,) = [
        block for block in blocks("ini") if f'@architectures = "{name}"' in block
    ]
    block = re.sub(r"\[components\.crf_ner\.model\.tok2vec\]", "[model]", block)
    block = re.sub(r"(?s).*\[components\.span_marker_ner\.model\]", "[model]", block)
    shown = Config().from_str(block)["model"]
    signature = inspect.signature(registry.architectures.get(name))
    defaults = {key: value.default for key, value in signature.parameters.items()}
    assert set(shown) == {"@architectures", *defaults}
    for key, value in defaults.items():
        assert key == "name" or shown[key] == value


def test_the_reader_block_shows_every_setting():
    formats = (ROOT / "docs" / "formats.md").read_text(encoding="utf8")
    (block,) = re.findall(r"```ini\n(.*?)```", formats, re.S)
    block = "[paths]\ntrain = null\n\n[corpora]\n\n" + block
    shown = Config().from_str(block)["corpora"]["train"]
    signature = inspect.signature(registry.readers.get(shown.pop("@readers")))
    defaults = {key: value.default for key, value in signature.parameters.items()}
    del defaults["path"], shown["path"]
    assert shown == defaults


@pytest.mark.parametrize("name", ["Shards", "Mixture", "Sampler"])
def test_the_sampling_blocks_show_every_setting(name):
    text = (ROOT / "docs" / "sampling.md").read_text(encoding="utf8")
    reader = f'[corpora.train]\n@readers = "spacy_ner_ext.{name}.v1"'
    (block,) = [
        block
        for block in re.findall(r"```ini\n(.*?)```", text, re.S)
        if block.startswith(reader)
    ]
    block = "[paths]\ntrain = null\n\n[corpora]\n\n" + block
    shown = Config().from_str(block)["corpora"]["train"]
    signature = inspect.signature(registry.readers.get(shown.pop("@readers")))
    required = {"path", "corpora", "corpus"} & set(shown)
    assert set(shown) == set(signature.parameters)
    for key, parameter in signature.parameters.items():
        assert key in required or shown[key] == parameter.default


def test_the_readers_of_the_documentation_can_be_made():
    text = (ROOT / "docs" / "sampling.md").read_text(encoding="utf8")
    blocks = re.findall(r"```ini\n(.*?)```", text, re.S)
    heads = "[paths]\ntrain = null\n\n[initialize]\n\n[initialize.components]\n\n"
    heads += "[initialize.components.crf_ner]\n\n"
    for block in blocks:
        corpora = "" if "[corpora]\n" in block else "[corpora]\n\n"
        overrides = {"paths.train": "train.spacy"}
        config = Config().from_str(heads + corpora + block, overrides=overrides)
        for corpus in registry.resolve(config["corpora"]).values():
            assert callable(corpus)


def test_every_format_is_in_the_documentation():
    formats = (ROOT / "docs" / "formats.md").read_text(encoding="utf8")
    for name in (*READERS, *WRITERS):
        assert f"`{name}`" in formats or f"|{name}" in formats, name


def complete(model):
    """A model's settings with the defaults of its architecture."""
    architecture = registry.architectures.get(model["@architectures"])
    return {**inspect.signature(architecture).parameters, **model}


def test_the_optimizer_block_can_be_resolved():
    (block,) = [block for block in blocks("ini") if "[training.optimizer]" in block]
    head = "[paths]\nencoder = null\n\n"
    block = block.replace("[training]\n", "[training]\nmax_steps = 10\n")
    block = block.replace("${paths.encoder}", '"encoder"')
    settings = registry.resolve(Config().from_str(head + block)["training"])
    assert [group.name for group in settings["optimizer"].groups] == [
        *("encoder", "default")
    ]
    assert settings["optimizer"].learn_rate == 1e-3


def test_the_block_of_the_section_shows_every_setting():
    (block,) = [block for block in blocks("ini") if block.startswith("[spacy_ner_ext]")]
    config = Config().from_str(block)
    assert read_settings(config) == RunSettings()
    known = {field.name for field in fields(RunSettings)}
    assert set(config["spacy_ner_ext"]) == known


def test_the_block_of_the_logger_shows_every_setting():
    head = "[training.logger]"
    (block,) = [block for block in blocks("ini") if block.startswith(head)]
    shown = Config().from_str("[training]\n\n" + block)["training"]["logger"]
    signature = inspect.signature(registry.loggers.get(shown.pop("@loggers")))
    assert shown == {k: value.default for k, value in signature.parameters.items()}


def test_every_setting_of_the_optimizer_is_in_the_readme():
    adam = registry.optimizers.get("spacy_ner_ext.Adam.v1")
    for name in set(inspect.signature(adam).parameters) - {"beta1", "beta2", "eps"}:
        assert f"`{name}`" in README, name


def test_every_command_is_in_the_readme():
    for command in COMMANDS:
        name = command.__name__.replace("_", "-")
        assert f"spacy_ner_ext {name}" in README or f"`{name}`" in README, name


def test_every_registered_name_is_in_the_readme():
    text = (ROOT / "pyproject.toml").read_text()
    names = re.findall(r'^"(spacy_ner_ext\.[^"]+)" =', text, re.M)
    assert names
    for name in [*names, "crf_ner", "crf_tagger", "span_marker_ner", "text_cnn"]:
        assert name in README, name


def test_every_file_that_the_readme_links_exists():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


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
