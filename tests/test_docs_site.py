"""The site: what is made of docstrings and commands, and that it asks for nothing."""

import importlib.util
import inspect
import re

import griffe
import pytest
import yaml

from spacy_ner_ext import train
from spacy_ner_ext.tools.app import COMMANDS
from tests.helpers.documents import DOCS, PAGES, ROOT

# Arguments that every trainable component of spaCy has.
OF_SPACY = ("vocab", "model", "name", "scorer")
EXTENSIONS = DOCS / "extensions"


def load(name):
    spec = importlib.util.spec_from_file_location(name, EXTENSIONS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def site():
    return load("site")


@pytest.fixture(scope="module")
def package():
    return griffe.load(
        "spacy_ner_ext",
        search_paths=[str(ROOT)],
        docstring_parser="google",
        extensions=griffe.load_extensions(EXTENSIONS / "docstrings.py"),
    )


def sections(item):
    return {section.kind.value: section.value for section in item.docstring.parsed}


def test_the_parameters_of_a_docstring_are_those_of_the_function(package):
    found = sections(package["tools.train.api.train"])
    names = [parameter.name for parameter in found["parameters"]]
    assert names == list(inspect.signature(train).parameters)
    overrides = found["parameters"][names.index("overrides")]
    assert overrides.description.endswith('{"training.max_steps": 100}.')
    assert [str(error.annotation) for error in found["raises"]] == [
        *("UserError", "ValueError")
    ]


def test_the_fields_of_a_dataclass_are_attributes(package):
    found = sections(package["tools.train.api.Trained"])
    assert "parameters" not in found
    assert [item.name for item in found["attributes"]][:2] == ["nlp", "scores"]


def test_every_component_explains_every_argument(package):
    paths = ("crf.ner.CRFEntityRecognizer", "crf.tagger.CRFTagger")
    for path in (*paths, "span_marker.component.SpanMarkerRecognizer"):
        method = package[f"{path}.__init__"]
        names = [parameter.name for parameter in method.parameters]
        explained = {item.name for item in sections(method)["parameters"]}
        assert set(names) - {"self", *OF_SPACY} <= explained


def test_a_docstring_without_fields_stays_as_it_is():
    to_google = load("docstrings").to_google
    text = "A line.\n\nCode:\n    x = 1\n\nNote: more of it."
    assert to_google(text, {"x"}) == text


def test_fields_become_sections():
    text = (
        "Do it.\n\na, b: Two\n    numbers.\n*rest: More.\n"
        "YIELDS: Pairs.\nRAISES (ValueError): If not."
    )
    names = {"a", "b", "rest"}
    assert load("docstrings").to_google(text, names, returns="dict[str, int]") == (
        "Do it.\n\n\nArgs:\n    a: See `b`.\n    b: Two\n        numbers.\n"
        "    *rest: More.\n\nYields:\n    dict[str, int]: Pairs.\n\n"
        "Raises:\n    ValueError: If not."
    )


def test_the_page_of_commands_has_the_help_of_each(site):
    page = site.commands_page()
    for command in COMMANDS:
        name = command.__name__.replace("_", "-")
        assert f"\n## {name}\n" in page
        assert f"Usage: python -m spacy_ner_ext {name} " in page


def test_the_page_of_registered_names_has_all_of_them(site):
    text = (ROOT / "pyproject.toml").read_text(encoding="utf8")
    names = re.findall(r'^"(spacy_ner_ext\.[^"]+)" =', text, re.M)
    page = site.registered_page()
    shown = re.findall(r"^      heading: (.*)", page, re.M)
    assert sorted(shown) == sorted(names)
    headings = re.findall(r"^## (\w+)", page, re.M)
    assert len(headings) == len(set(headings))


def test_links_out_of_the_pages_lead_to_copies(site):
    assert "configs/eds_crf.cfg" in site.linked_names(DOCS)
    text = site.on_page_markdown("[a](../configs/a.cfg#b), [c](c.md)")
    assert text == "[a](repository/configs/a.cfg#b), [c](c.md)"


def test_every_page_is_in_the_navigation():
    config = yaml.load((ROOT / "mkdocs.yml").read_text("utf8"), yaml.BaseLoader)
    listed = re.findall(r"[\w-]+\.md", str(config["nav"]))
    assert set(listed) == {*PAGES, "commands.md", "registered.md"}
    assert len(listed) == len(set(listed))


def test_the_site_asks_nothing_of_other_hosts():
    text = (ROOT / "mkdocs.yml").read_text("utf8")
    assert "http" not in text
    assert "font: false" in text and "offline" in text
