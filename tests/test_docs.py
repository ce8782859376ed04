"""What the documents show works as it stands there."""

import re
import shutil
import subprocess
import sys
from urllib.parse import urlsplit

import pytest
from typer.main import get_command

from spacy_ner_ext.tools.app import app
from tests.helpers.documents import DOCS, PAGES, ROOT, blocks, read

ALL = ("README.md", *PAGES)
COMMANDS = get_command(app).commands
# Tests have no internet: whether what is linked is there is not checked.
HOSTS = {"github.com", "spacy.io"}
HOMEPAGE = "https://github.com/spacy-ner-ext/spacy-ner-ext"
RAW = HOMEPAGE.replace("github.com", "raw.githubusercontent.com") + "/main/"


def test_the_tour_of_training_runs_from_top_to_bottom(tmp_path):
    shutil.copytree(ROOT / "assets" / "demo", tmp_path / "assets" / "demo")
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    found = blocks(read("training.md"), "python")
    (tmp_path / "tour.py").write_text("\n".join(found), encoding="utf8")
    done = subprocess.run(
        [sys.executable, "-W", "error", "tour.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        encoding="utf8",
    )
    assert done.returncode == 0, done.stderr[-3000:]
    shown = done.stdout
    assert "train 730 documents" in shown
    assert re.search(r"^11 steps; training ended: \w+", shown, re.M)
    first, second = re.findall(r"^F (0\.\d+) after step (\d+)", shown, re.M)
    assert float(first[0]) > 0.2 and int(first[1]) <= 40
    assert float(second[0]) >= float(first[0]) and int(second[1]) <= 60
    assert re.search(r"^[01]\.\d\d [A-Z]+ ", shown, re.M)
    assert (
        shown.rstrip().splitlines()[-1].startswith("['tok2vec', 'text_cnn', 'crf_ner']")
    )
    run = tmp_path / "training" / "notebook"
    assert (run / "score.png").stat().st_size > 1000
    # Nothing but the folders that the tour names.
    assert {path.name for path in tmp_path.iterdir()} == {
        *("assets", "configs", "corpus", "training", "tour.py"),
    }


@pytest.mark.slow
def test_the_loop_of_suggest_and_train_improves(tmp_path):
    shutil.copytree(ROOT / "assets" / "demo", tmp_path / "assets" / "demo")
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    (code,) = blocks(read("suggest.md"), "python")
    (tmp_path / "loop.py").write_text(code, encoding="utf8")
    done = subprocess.run(
        [sys.executable, "-W", "error", "loop.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        encoding="utf8",
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = re.findall(r"^(\d+) documents: F (0\.\d+)$", done.stdout, re.M)
    assert [int(n) for n, _ in found] == [50, 90, 130, 170, 210, 250]
    assert float(found[-1][1]) > float(found[0][1]) + 0.1


@pytest.mark.parametrize("name", ALL)
def test_python_can_be_compiled(name):
    for text in blocks(read(name), "python"):
        compile(text, name, "exec")


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_to_files_and_known_hosts(name):
    for target in links(name):
        if "://" not in target:
            assert is_there((DOCS / target.partition("#")[0]).resolve()), target
        else:
            parts = urlsplit(target)
            assert parts.scheme == "https" and parts.netloc in HOSTS, target


def test_links_of_the_readme_work_on_pypi():
    """They are absolute, and lead to files of this repository and their headings."""
    found = links("README.md")
    assert len(found) > 30
    for target in found:
        prefix = RAW if target.endswith(".png") else f"{HOMEPAGE}/blob/main/"
        assert target.startswith(prefix), target
        path, _, heading = target.removeprefix(prefix).partition("#")
        assert (ROOT / path).is_file(), target
        if heading:
            text = (ROOT / path).read_text(encoding="utf8")
            assert heading in map(anchor, re.findall(r"^#+ (.*)", text, re.M)), target


def links(name):
    text = re.sub(r"```.*?```|`[^`]+`", "", read(name), flags=re.S)
    return re.findall(r"\]\(([^)]+)", text)


def anchor(heading):
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def is_there(path):
    # Written when the site is built.
    return path.exists() or path in (DOCS / "commands.md", DOCS / "registered.md")


@pytest.mark.parametrize("name", ALL)
def test_commands_and_their_options_are_there(name):
    text = read(name).replace("\\\n", " ")
    used = re.findall(r"python -m spacy_ner_ext ([a-z-]+)([^`\n]*)", text)
    for command, rest in used:
        assert command in COMMANDS, command
        known = {option for p in COMMANDS[command].params for option in p.opts}
        for option in re.findall(r"(?<!\S)(--[a-z-]+)(?![a-z.-])", rest):
            assert option in known, f"{command} {option}"


@pytest.mark.parametrize("command", ["card"])
def test_every_option_of_card_is_in_the_documents(command):
    text = read("sharing.md")
    for parameter in COMMANDS[command].params:
        for option in parameter.opts:
            if option.startswith("--") and option != "--help":
                assert f"`{option}`" in text or f"{option} " in text, option


def test_every_configs_and_benchmark_that_is_named_is_there():
    for name in ALL:
        for path in re.findall(r"\b((?:configs|benchmarks)/\w+\.\w+)", read(name)):
            assert (ROOT / path).exists(), f"{path} in {name}"
