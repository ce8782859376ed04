"""Entry points and registered names say the same."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
from spacy import registry
from spacy.language import Language

import spacy_ner_ext

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SOURCE = Path(spacy_ner_ext.__file__).parent
PREFIX = "spacy_ner_ext."
NAME = re.compile(r"spacy_ner_ext\.[A-Za-z][A-Za-z0-9_]*\.v[1-9][0-9]*")


def read_entry_points():
    """(Registry, name, "module:function") of all entry points for spaCy."""
    project = tomllib.loads((SOURCE.parent / "pyproject.toml").read_text("utf8"))
    return [
        # thinc's own registries have its name.
        (group.removeprefix("spacy_").removeprefix("thinc_"), name, value)
        for group, entries in project["project"]["entry-points"].items()
        for name, value in entries.items()
    ]


def find_registered():
    """(Registry, name, "module:function") of all decorators in the source."""
    found = []
    for path in SOURCE.rglob("*.py"):
        parts = path.relative_to(SOURCE.parent).with_suffix("").parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
            for decorator in getattr(node, "decorator_list", []):
                kind = registry_of(decorator)
                if kind is not None:
                    name = ast.literal_eval(decorator.args[0])
                    found.append((kind, name, f"{'.'.join(parts)}:{node.name}"))
    return found


def registry_of(decorator):
    """The registry that a decorator writes to: registry.NAME(..), Language.NAME(..)."""
    function = getattr(decorator, "func", None)
    owner = getattr(getattr(function, "value", None), "id", None)
    if owner == "registry":
        return function.attr
    if owner == "Language" and function.attr in ("factory", "component"):
        return "factories"
    return None


ENTRY_POINTS = read_entry_points()


def test_every_registered_name_is_an_entry_point_and_the_other_way_round():
    assert sorted(ENTRY_POINTS) == sorted(find_registered())


@pytest.mark.parametrize("kind,name,value", ENTRY_POINTS)
def test_an_entry_point_is_what_is_registered(kind, name, value):
    module, function = value.split(":")
    target = getattr(importlib.import_module(module), function)
    assert callable(target)
    if kind == "factories":
        name = Language.get_factory_name(name)
    assert getattr(registry, kind).get(name) is target


def test_names_carry_the_package_and_a_version():
    for kind, name, _ in ENTRY_POINTS:
        if kind == "factories":
            assert re.fullmatch("[a-z][a-z_]*", name), name
        else:
            assert NAME.fullmatch(name), name


def test_nothing_else_is_registered_under_the_package_name():
    for _, _, value in ENTRY_POINTS:
        importlib.import_module(value.split(":")[0])
    expected = sorted((kind, name) for kind, name, _ in ENTRY_POINTS)
    found = [
        (kind, name)
        for kind in registry.get_registry_names()
        for name in getattr(registry, kind).get_all()
        if name.startswith(PREFIX)
    ]
    factories = [pair for pair in expected if pair[0] == "factories"]
    assert sorted(found + factories) == expected


@pytest.mark.parametrize(
    "modules",
    [
        ["spacy_ner_ext"],
        sorted({value.split(":")[0] for *_, value in ENTRY_POINTS}),
        ["spacy_ner_ext.tools.app"],
    ],
    ids=["package", "entry points", "command line"],
)
def test_imports_stay_light(modules):
    """spaCy imports all entry points of an environment in spacy.blank()."""
    code = (
        f"import sys, {', '.join(modules)}\n"
        "heavy = {'transformers', 'datasets', 'spacy_transformers', 'matplotlib',"
        " 'tensorboard', 'optuna'}\n"
        "print(sorted(heavy.intersection(sys.modules)))"
    )
    assert run_python(code) == "[]\n"


def test_importing_the_package_imports_nothing():
    code = (
        "import sys; before = set(sys.modules); import spacy_ner_ext\n"
        "print(sorted(set(sys.modules) - before))"
    )
    assert run_python(code) == "['spacy_ner_ext']\n"


def test_spacy_finds_the_installed_package_by_itself():
    code = (
        "import spacy; nlp = spacy.blank('en')\n"
        "for name in ('text_cnn', 'crf_ner'): nlp.add_pipe(name)\n"
        "print(nlp.pipe_names, nlp.get_pipe('crf_ner').model.has_ref('crf'))"
    )
    assert run_python(code) == "['text_cnn', 'crf_ner'] True\n"


def run_python(code):
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, encoding="utf8"
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
