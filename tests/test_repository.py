"""The files around the package, which others read: GitHub, conda-forge, spaCy."""

import json
import re
import sys

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from rattler_build import Stage0Recipe, VariantConfig

import spacy_ner_ext
from scripts.matrix import ROWS
from tests.helpers.documents import ROOT, blocks, read

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]
UNIVERSE = json.loads((ROOT / "packaging/universe.json").read_text("utf8"))
# Packages that conda-forge has under another name.
CONDA_NAMES = {"torch": "pytorch"}
# Those of spaCy's universe for libraries.
CATEGORIES = {
    *("pipeline", "training", "conversational", "research", "scientific"),
    *("visualizers", "apis", "nonpython", "standalone", "models", "biomedical"),
}


def read_yaml(name):
    return yaml.safe_load((ROOT / name).read_text("utf8"))


@pytest.fixture(scope="module")
def recipe():
    variants = VariantConfig({"python_min": ["3.10"]})
    parsed = Stage0Recipe.from_file(ROOT / "packaging/conda/recipe.yaml")
    (rendered,) = parsed.render(variants)
    return rendered.recipe


def by_name(requirements):
    parsed = map(Requirement, requirements)
    return {found.name: found.specifier for found in parsed}


def test_the_recipe_requires_what_the_package_requires(recipe):
    found = by_name(recipe.requirements.run)
    assert found.pop("python") == SpecifierSet(PROJECT["requires-python"])
    expected = by_name(PROJECT["dependencies"])
    assert found == {CONDA_NAMES.get(name, name): expected[name] for name in expected}


def test_the_version_is_the_same_everywhere(recipe):
    assert str(recipe.package.version) == spacy_ner_ext.__version__
    assert read_yaml("CITATION.cff")["version"] == spacy_ner_ext.__version__


def test_the_example_of_the_universe_finds_its_entities(capsys):
    exec("\n".join(UNIVERSE["code_example"]), {})
    assert "('Ines Marlow', 'PERSON'" in capsys.readouterr().out


def test_the_universe_shows_the_example_of_the_readme():
    example = "\n".join(UNIVERSE["code_example"])
    assert [f"{example}\n"] == blocks(read("README.md"), "python")


def test_the_entry_of_the_universe_is_complete():
    assert set(UNIVERSE["category"]) <= CATEGORIES
    assert UNIVERSE["pip"] == UNIVERSE["id"] == PROJECT["name"]
    assert PROJECT["urls"]["Homepage"].endswith(UNIVERSE["github"])
    for name in ("title", "slogan", "description", "author", "code_language"):
        assert UNIVERSE[name]


def test_a_commit_runs_the_lint_target_alone():
    (repository,) = read_yaml(".pre-commit-config.yaml")["repos"]
    (hook,) = repository["hooks"]
    assert hook["entry"] == "make lint"
    assert hook["always_run"] and not hook["pass_filenames"]


def test_every_python_is_tested_on_every_system():
    tests = read_yaml(".github/workflows/ci.yml")["jobs"]["tests"]
    matrix = tests["strategy"]["matrix"]
    systems = [name.partition("-")[0] for name in matrix["os"]]
    assert systems == ["ubuntu", "macos", "windows"]
    allowed = SpecifierSet(PROJECT["requires-python"])
    pythons = list(allowed.filter(f"3.{minor}" for minor in range(8, 20)))
    assert matrix["row"] == pythons
    corners = [added["row"] for added in matrix["include"] if "row" in added]
    assert {*pythons, *corners} == set(ROWS)


def test_only_publishing_gets_more_than_reading():
    for name in ("ci", "publish"):
        workflow = read_yaml(f".github/workflows/{name}.yml")
        assert workflow["permissions"] == {}
        for job, settings in workflow["jobs"].items():
            expected = "id-token: write" if job == "publish" else "contents: read"
            assert settings["permissions"] == yaml.safe_load(expected), job


def test_contributing_names_files_that_exist():
    text = (ROOT / "CONTRIBUTING.md").read_text("utf8")
    names = re.findall(
        r"[`(]([\w./-]+/[\w./-]+|[\w-]+\.(?:py|md|yml|toml|txt))[`)]", text
    )
    written = [name for name in names if "NAME" not in name and ".venv" not in name]
    assert len(written) > 20
    folders = (".", "spacy_ner_ext", *map(str, (ROOT / "spacy_ner_ext").rglob("*/")))
    for name in written:
        assert any((ROOT / folder / name).exists() for folder in folders), name
