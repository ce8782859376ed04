"""What the documents show works as it stands there."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from spacy_ner_ext.cli import app

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"


def read(name):
    return (DOCS / name).read_text(encoding="utf8")


def blocks(text, language):
    return re.findall(rf"```{language}\n(.*?)```", text, re.S)


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
    assert re.search(r"^11 steps, and the training ended: \w+", shown, re.M)
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


@pytest.mark.parametrize("name", ["training.md", "sharing.md"])
def test_links_and_commands_are_there(name):
    text = read(name)
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (DOCS / target).exists(), target
    commands = get_command(app).commands
    used = re.findall(r"python -m spacy_ner_ext ([a-z-]+)", text)
    assert used and set(used) <= set(commands)


@pytest.mark.parametrize("command", ["card", "sweep"])
def test_every_option_of_sharing_and_sweeping_is_in_the_documents(command):
    text = read("sharing.md")
    for parameter in get_command(app).commands[command].params:
        for option in parameter.opts:
            if option.startswith("--") and option != "--help":
                assert f"`{option}`" in text or f"{option} " in text, option
