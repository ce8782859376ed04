"""Which file may import which, read from the source.

An import counts wherever it stands: in a function and under TYPE_CHECKING too.
"""

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
COMPONENTS = {"crf", "encoder", "span_marker", "text_cnn"}
# What the files of a room may import besides their own room.
MAY_IMPORT = {
    "util": set(),
    "pipes": {"util"},
    "scorers": {"pipes", "util"},
    "crf": {"pipes", "scorers", "util"},
    "text_cnn": {"pipes", "util"},
    "encoder": {"pipes", "util"},
    "span_marker": {"encoder", "pipes", "scorers", "util"},
    "data": {"pipes", "util"},
    "training": {"data", "encoder", "pipes", "util"},
    "tools": {*COMPONENTS, "data", "pipes", "scorers", "training", "util"},
}
# The two places that look a module up by its name when it is asked for.
BY_NAME = {"__init__.py"}
LEVELS = {"layer": 0, "model": 1, "component": 2, "ner": 2, "tagger": 2}
# The mathematics: files that know arrays or tensors, but no texts and no pipelines.
ARRAY_FILES = (
    *(
        f"crf/{name}.py"
        for name in (
            *("tags", "lattice", "forward_backward", "log_space", "viterbi"),
            "likely",
            *(
                "objectives",
                "marginals",
                "layer",
                "packing",
                "device",
                "blocks",
                "rewards",
            ),
        )
    ),
)
TENSOR_FILES = ("encoder/pieces.py", "encoder/layer.py", "span_marker/attention.py")
STANDARD = set(sys.stdlib_module_names)


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
    """The package's own files that a file imports, without the packages they are in."""
    for name in imported_names(path, tree):
        first, *inner = name.split(".")
        if first == PACKAGE and inner:
            places = ("/".join(inner) + ".py", "/".join([*inner, "__init__.py"]))
            yield from (place for place in places if place in FILES)


IMPORTS = {path: set(own_files(path, tree)) for path, tree in FILES.items()}


def room_of(path):
    return path.split("/")[0] if "/" in path else ""


def tool_of(path):
    """The folder of a command; empty for what all commands share."""
    parts = path.split("/")
    return parts[1] if parts[0] == "tools" and len(parts) > 2 else ""


def outside(path):
    """The packages of others that a file imports."""
    names = imported_names(path, FILES[path])
    return {name.split(".")[0] for name in names} - STANDARD - {PACKAGE}


def test_the_walk_sees_imports():
    assert "text_cnn/layer.py" in IMPORTS["text_cnn/model.py"]
    assert "crf/tags.py" in IMPORTS["crf/objectives.py"]
    assert "tools/app.py" in IMPORTS["__main__.py"]
    assert outside("crf/forward_backward.py") >= {"numpy"}


def test_every_room_has_a_rule():
    assert {room_of(path) for path in FILES} == {"", *MAY_IMPORT}


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_the_rooms_below_it(room):
    for path, imported in IMPORTS.items():
        if room_of(path) == room:
            rooms = {room_of(other) for other in imported} - {room}
            # The version of the package is known at its top.
            assert rooms - {""} <= MAY_IMPORT[room], f"{path} imports {sorted(rooms)}"


def test_a_command_does_not_import_another():
    for path, imported in IMPORTS.items():
        if tool_of(path):
            others = {tool_of(other) for other in imported} - {"", tool_of(path)}
            assert not others, f"{path} imports tools/{', tools/'.join(sorted(others))}"


def test_only_the_app_imports_commands():
    for path, imported in IMPORTS.items():
        commands = {p for p in imported if tool_of(p) and not tool_of(path)}
        if commands:
            assert path in ("__init__.py", "tools/app.py"), f"{path}: {commands}"


def test_components_import_models_and_models_import_layers():
    for path, imported in IMPORTS.items():
        level = LEVELS.get(Path(path).stem)
        if room_of(path) not in COMPONENTS or level is None:
            continue
        for other in imported:
            if room_of(other) == room_of(path):
                assert LEVELS.get(Path(other).stem, 0) <= level, f"{path} <- {other}"


def test_util_knows_no_spacy():
    for path in FILES:
        if room_of(path) == "util":
            assert not outside(path) & {"spacy", "spacy_transformers"}, path


@pytest.mark.parametrize("path", ARRAY_FILES)
def test_the_crf_is_array_code(path):
    assert outside(path) <= {"numpy", "thinc"}
    assert {room_of(other) for other in IMPORTS[path]} <= {"crf", "pipes"}
    assert IMPORTS[path] <= {*ARRAY_FILES, "pipes/overlap.py"}


@pytest.mark.parametrize("path", TENSOR_FILES)
def test_the_layers_of_encoders_know_tensors_only(path):
    assert outside(path) <= {"numpy", "torch"}


def test_nothing_imports_in_a_circle():
    done, active = set(), []

    def visit(path):
        if path in active:
            circle = [*active[active.index(path) :], path]
            pytest.fail(" -> ".join(circle))
        if path not in done:
            active.append(path)
            for other in sorted(IMPORTS[path]):
                visit(other)
            active.pop()
            done.add(path)

    for path in FILES:
        # It looks its functions up when they are asked for.
        if path != "__init__.py":
            visit(path)


def test_no_import_is_hidden_in_a_string():
    for path, tree in FILES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func).split(".")[-1]
                if name in ("import_module", "__import__"):
                    own = "__package__" in ast.unparse(node) or PACKAGE in ast.unparse(
                        node
                    )
                    assert not own or path in BY_NAME, f"{path}, line {node.lineno}"


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


def test_no_file_is_long():
    for path in FILES:
        n_lines = len((ROOT / path).read_text(encoding="utf8").splitlines())
        assert n_lines <= 350, f"{path} has {n_lines} lines"
