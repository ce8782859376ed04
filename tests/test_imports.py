"""Who imports whom, read from the source."""

import ast
import sys
from pathlib import Path

import pytest

import spacy_ner_ext

ROOT = Path(spacy_ner_ext.__file__).parent
PACKAGE = ROOT.name
FILES = {
    path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf8"))
    for path in sorted(ROOT.rglob("*.py"))
}
FEATURES = (
    "prediction",
    *("crf", "span_marker", "text_cnn", "data", "encoder", "training", "sharing"),
    *("recipes", "calibration", "influence", "evaluation"),
)
# A folder that may use others, and which.
MAY_USE = {
    "training": {"encoder"},
    "span_marker": {"encoder"},
    "sharing": {"data"},
    "evaluation": {"calibration", "data"},
    "influence": {"crf", "encoder", "span_marker"},
    "calibration": {"data"},
    "prediction": {"data"},
}
# The files of these folders that know arrays and tags, but neither texts nor pipelines:
# all but those listed.
WITH_LAYERS = ("crf", "text_cnn")
NO_LAYERS = (
    *("__init__.py", "model.py", "base.py", "component.py", "gold.py", "checks.py"),
    *("tagger.py", "token_gold.py", "token_checks.py"),
)
LAYERS = tuple(
    path
    for path in FILES
    if path.split("/")[0] in WITH_LAYERS and path.split("/")[1] not in NO_LAYERS
)
# The torch side of the encoder.
ENCODER_LAYERS = (
    *("encoder/settings.py", "encoder/pieces.py", "encoder/layer.py"),
    "encoder/gradient_scaler.py",
)
# The same of the span marker.
SPAN_MARKER_LAYERS = tuple(
    f"span_marker/{name}.py"
    for name in ("attention", "candidates", "layer", "settings", "texts", "windows")
)
# From the bottom to the top: a file may import its own level and those below.
LEVELS = {"layer": 0, "model": 1, "component": 2, "tagger": 2}


def imported_names(path, tree):
    """Full names of all modules that a file imports, wherever in the file.

    For `from a import b` both `a` and `a.b`, since `b` may be a module.
    """
    here = [PACKAGE, *Path(path).parent.parts]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def own_files(path, tree):
    """The package's own files that a file imports."""
    for name in imported_names(path, tree):
        first, *inner = name.split(".")
        if first == PACKAGE:
            places = ("/".join(inner) + ".py", "/".join([*inner, "__init__.py"]))
            yield from (place for place in places if place in FILES)


IMPORTS = {path: set(own_files(path, tree)) for path, tree in FILES.items()}


def folder_of(path):
    return path.split("/")[0] if "/" in path else ""


def level_of(path):
    if path in LAYERS:
        return LEVELS["layer"]
    return LEVELS.get(Path(path).stem)


def test_the_walk_sees_imports():
    assert "text_cnn/layer.py" in IMPORTS["text_cnn/model.py"]
    assert "labels.py" in IMPORTS["crf/objectives.py"]
    assert "data/assets.py" in IMPORTS["cli/download.py"]
    assert "cli/__init__.py" in IMPORTS["__main__.py"]
    assert {"crf/lattice.py", "crf/layer.py", "text_cnn/layer.py"} <= set(LAYERS)


def test_components_import_models_and_models_import_layers():
    for path, imported in IMPORTS.items():
        if folder_of(path) not in FEATURES or level_of(path) is None:
            continue
        for other in imported:
            if folder_of(other) == folder_of(path) and level_of(other) is not None:
                assert level_of(other) <= level_of(path), f"{path} imports {other}"


@pytest.mark.parametrize("path", [*ENCODER_LAYERS, *SPAN_MARKER_LAYERS])
def test_the_layers_of_encoders_know_arrays_and_tensors_only(path):
    allowed = {PACKAGE, "numpy", "torch"} | sys.stdlib_module_names
    tops = {name.split(".")[0] for name in imported_names(path, FILES[path])}
    assert tops <= allowed, f"{path} imports {sorted(tops - allowed)}"


@pytest.mark.parametrize("path", LAYERS)
def test_layers_know_arrays_and_tags_only(path):
    own_folder = folder_of(path)
    for other in IMPORTS[path] - {"__init__.py", f"{own_folder}/__init__.py"}:
        assert other == "labels.py" or other in LAYERS, f"{path} imports {other}"
        assert folder_of(other) in ("", own_folder), f"{path} imports {other}"
    allowed = {PACKAGE, "numpy", "thinc"} | sys.stdlib_module_names
    tops = {name.split(".")[0] for name in imported_names(path, FILES[path])}
    assert tops <= allowed, f"{path} imports {sorted(tops - allowed)}"


def test_the_tag_schemes_import_numpy_only():
    tops = {n.split(".")[0] for n in imported_names("labels.py", FILES["labels.py"])}
    assert tops <= {"numpy"} | sys.stdlib_module_names


def test_features_do_not_import_each_other():
    for path, imported in IMPORTS.items():
        if folder_of(path) in FEATURES:
            folder = folder_of(path)
            others = {folder_of(other) for other in imported}
            fine = {"", folder} | MAY_USE.get(folder, set())
            assert others <= fine, f"{path} imports {sorted(others)}"


def test_every_folder_is_a_feature_or_the_command_line():
    """A new folder has to be added to the rules above."""
    assert {folder_of(path) for path in FILES} == {"", "cli", *FEATURES}


def test_the_command_line_imports_what_has_no_pipeline():
    for path, imported in IMPORTS.items():
        if folder_of(path) == "cli":
            for other in imported:
                folders = (
                    "prediction",
                    *("cli", "data", "encoder", "span_marker", "training"),
                    *("sharing", "recipes", "calibration", "influence"),
                    "evaluation",
                )
                fine = folder_of(other) in folders or other in (
                    *("__init__.py", "packaging.py", "errors.py", "loading.py"),
                )
                assert fine, f"{path} imports {other}"


def test_only_the_entry_of_the_package_imports_the_command_line():
    users = {
        path
        for path, imported in IMPORTS.items()
        if any(folder_of(other) == "cli" for other in imported)
    }
    assert {path for path in users if folder_of(path) != "cli"} == {"__main__.py"}


def test_shared_files_import_no_feature():
    for path, imported in IMPORTS.items():
        # What the package offers to Python is imported when it is asked for.
        if not folder_of(path) and path not in ("__main__.py", "__init__.py"):
            assert {folder_of(other) for other in imported} <= {""}, path


@pytest.mark.parametrize("path", FILES)
def test_nothing_unpickles(path):
    unsafe = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
    # The error that torch raises on weights that are more than tensors.
    fine = {"pickle.UnpicklingError"}
    names = set(imported_names(path, FILES[path]))
    used = {name for name in names - fine if name.split(".")[0] in unsafe}
    assert not used - {name.split(".")[0] for name in names & fine}


@pytest.mark.parametrize("path", FILES)
def test_no_error_is_caught_blindly(path):
    for node in ast.walk(FILES[path]):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"{path}, line {node.lineno}: bare except"
