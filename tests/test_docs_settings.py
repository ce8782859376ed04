"""The settings that README and pages show are those of the code."""

import inspect
from dataclasses import fields

import pytest
import spacy
from spacy import registry
from spacy.language import Language
from thinc.api import Config

from spacy_ner_ext.data.formats.registry import READERS, WRITERS
from spacy_ner_ext.tools.train.settings import RunSettings, read_settings
from tests.helpers.documents import PAGES, block, blocks, parse, read

COMPONENTS = ("crf_ner", "crf_tagger", "span_marker_ner", "text_cnn")
REGISTRIES = {
    "@architectures": registry.architectures,
    "@batchers": registry.batchers,
    "@callbacks": registry.callbacks,
    "@layers": registry.layers,
    "@loggers": registry.loggers,
    "@optimizers": registry.optimizers,
    "@readers": registry.readers,
    "@schedules": registry.schedules,
    "@scorers": registry.scorers,
}
# They are not installed with this package, or need a library that is not.
OTHERS = ("spacy.WandbLogger.v5", "spacy.MLflowLogger.v2", "spacy.ClearMLLogger.v2")


def defaults(function):
    signature = inspect.signature(function)
    return {key: value.default for key, value in signature.parameters.items()}


def factory_config(name):
    """The settings of a component with their defaults."""
    spacy.blank("en")  # Loads the factories of all entry points.
    return Language.get_factory_meta(name).default_config


def nodes(config):
    """All blocks of a config that name a registered function or a component."""
    if isinstance(config, dict):
        if any(key == "factory" or key.startswith("@") for key in config):
            yield config
        for value in config.values():
            yield from nodes(value)


@pytest.mark.parametrize("name", ("README.md", *PAGES))
def test_every_block_of_settings_names_what_is_there(name):
    for text in blocks(read(name), "ini"):
        for node in nodes(parse(text)):
            check_names(node)


def check_names(node):
    if "factory" in node:
        known = {"factory", *factory_config(node["factory"])}
    else:
        (key,) = [key for key in node if key.startswith("@")]
        if node[key] in OTHERS:
            return
        parameters = inspect.signature(REGISTRIES[key].get(node[key])).parameters
        if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            return
        known = {key, *parameters}
    assert set(node) <= known, node


@pytest.mark.parametrize("factory", COMPONENTS)
def test_the_block_of_a_component_shows_every_setting_with_its_default(factory):
    head = f"[components.{factory}]\n"
    # The first block of its page is the complete one.
    texts = blocks(read(f"{factory}.md"), "ini")
    text = next(text for text in texts if text.startswith(head))
    shown = parse(text)["components"][factory]
    default = factory_config(factory)
    assert set(shown) == {"factory", *default}
    architecture = shown["model"]["@architectures"]
    assert architecture == default["model"]["@architectures"]
    signature = defaults(registry.architectures.get(architecture))
    assert set(shown["model"]) == {*signature, *default["model"]}
    for key, value in default.items():
        assert key == "model" or shown[key] == value


@pytest.mark.parametrize("factory", COMPONENTS)
def test_the_page_of_a_component_explains_every_setting(factory):
    default = factory_config(factory)
    model = registry.architectures.get(default["model"]["@architectures"])
    named = {*default, *defaults(model)} - {"model", "scorer", "trust_remote_code"}
    check_rows(f"{factory}.md", named)


def test_the_page_of_the_encoder_explains_every_setting():
    encoder = registry.architectures.get("spacy_ner_ext.Transformer.v1")
    check_rows("encoder.md", set(defaults(encoder)) - {"cache_mb", "trust_remote_code"})


def test_the_page_of_the_optimizer_explains_every_setting():
    check_rows(
        "optimizer.md", defaults(registry.optimizers.get("spacy_ner_ext.Adam.v1"))
    )


def check_rows(page, names):
    rows = [row.split("|")[1] for row in read(page).splitlines() if row[:1] == "|"]
    for name in sorted(names):
        joined = name.endswith("_config") and any("..._config" in row for row in rows)
        assert joined or any(f"`{name}`" in row for row in rows), (
            f"docs/{page} has no row for {name}"
        )


@pytest.mark.parametrize("page", ["encoder.md", "span_marker_ner.md"])
def test_the_block_of_an_encoder_shows_every_setting_with_its_default(page):
    kind = "SpanMarker" if page.startswith("span") else "Transformer"
    name = f"spacy_ner_ext.{kind}.v1"
    configs = [parse(text) for text in blocks(read(page), "ini")]
    found = [n for c in configs for n in nodes(c) if n.get("@architectures") == name]
    default = defaults(registry.architectures.get(name))
    shown = max(found, key=len)
    assert set(shown) == {"@architectures", *default}
    for key, value in default.items():
        assert key == "name" or shown[key] == value


def test_the_optimizer_block_can_be_resolved():
    (text,) = [t for t in blocks(read("optimizer.md"), "ini") if "Adam" in t]
    text = text.replace("[training]\n", "[training]\nmax_steps = 10\n")
    text = text.replace("${paths.encoder}", '"encoder"')
    settings = registry.resolve(Config().from_str(text)["training"])
    groups = [group.name for group in settings["optimizer"].groups]
    assert groups == ["encoder", "default"]
    assert settings["optimizer"].learn_rate == 1e-3


def test_the_section_of_a_run_shows_every_setting_with_its_default():
    config = parse(block("runs.md", "[spacy_ner_ext]"))
    assert read_settings(config) == RunSettings()
    known = {field.name for field in fields(RunSettings)}
    assert set(config["spacy_ner_ext"]) == known
    check_rows("runs.md", known)


def test_the_block_of_the_logger_shows_every_setting_with_its_default():
    (text,) = [
        text
        for text in blocks(read("logging.md"), "ini")
        if text.startswith('[training.logger]\n@loggers = "spacy_ner_ext.Logger.v1"')
    ]
    shown = parse(text)["training"]["logger"]
    assert shown == {
        **defaults(registry.loggers.get(shown["@loggers"])),
        "@loggers": "spacy_ner_ext.Logger.v1",
    }


def test_the_reader_block_shows_every_setting_with_its_default():
    (text,) = blocks(read("formats.md"), "ini")
    shown = parse(text)["corpora"]["train"]
    default = defaults(registry.readers.get(shown.pop("@readers")))
    del default["path"], shown["path"]
    assert shown == default


@pytest.mark.parametrize("name", ["Shards", "Mixture", "Sampler"])
def test_the_sampling_blocks_show_every_setting_with_its_default(name):
    reader = f'[corpora.train]\n@readers = "spacy_ner_ext.{name}.v1"'
    shown = parse(block("sampling.md", reader))["corpora"]["train"]
    default = defaults(registry.readers.get(shown.pop("@readers")))
    required = {"path", "corpora", "corpus"} & set(shown)
    assert set(shown) == set(default)
    for key, value in default.items():
        assert key in required or shown[key] == value


def test_the_readers_of_the_documentation_can_be_made():
    for text in blocks(read("sampling.md"), "ini"):
        config = parse(text)
        if "corpora" in config:
            resolved = Config({"paths": {"train": "t.spacy"}, **config}).interpolate()
            for corpus in registry.resolve(resolved["corpora"]).values():
                assert callable(corpus)


def test_every_format_is_in_the_documentation():
    formats = read("formats.md")
    for name in (*READERS, *WRITERS):
        assert f"`{name}`" in formats or f"|{name}" in formats, name
