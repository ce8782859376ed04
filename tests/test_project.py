"""The spaCy project, from its demo corpus to a wheel in a fresh environment."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import srsly

ROOT = Path(__file__).parent.parent
SOURCES = ("LICENSE", "README.md", "constraints.txt", "project.yml", "pyproject.toml")
FOLDERS = ("assets/demo", "configs", "scripts", "spacy_ner_ext")


@pytest.fixture
def project(tmp_path):
    """A copy of the project whose training takes seconds."""
    for name in SOURCES:
        shutil.copy(ROOT / name, tmp_path / name)
    for name in FOLDERS:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    config = tmp_path / "configs" / "crf_cpu.cfg"
    quick = re.sub(r"(?m)^max_steps = \d+", "max_steps = 200", config.read_text())
    config.write_text(quick)
    return tmp_path


def run(project, *args):
    command = [sys.executable, "-m", "spacy", "project", *args]
    return subprocess.run(command, cwd=project, capture_output=True, text=True)


@pytest.mark.slow
def test_all_runs_from_corpus_to_installed_wheel(project):
    done = run(project, "run", "all", ".", "--vars.config", "crf_cpu")
    assert done.returncode == 0, done.stdout + done.stderr
    scores = srsly.read_json(project / "metrics" / "demo-crf_cpu.json")
    assert scores["ents_f"] > 0.5
    report = project / "metrics" / "demo-crf_cpu"
    metrics = srsly.read_json(report / "metrics.json")["entities"]["metrics"]
    assert metrics["exact"]["micro"]["f"] == pytest.approx(scores["ents_f"], abs=1e-9)
    assert "</html>" in (report / "report.html").read_text(encoding="utf8")
    wheels = list((project / "packages").rglob("*.whl"))
    assert [wheel.name for wheel in wheels] == ["en_ner_demo-0.1.0-py3-none-any.whl"]
    found = re.findall(r"^  (.+?)\s+([A-Z]+)\s+([01]\.\d{3})$", done.stdout, re.M)
    assert len(found) >= 3
    assert all(0 <= float(score) <= 1 for _, _, score in found)
    assert (project / "smoke" / "venv" / "bin").exists() or sys.platform == "win32"


def test_a_missing_asset_that_cannot_be_downloaded_is_one_sentence(project):
    project_file = project / "project.yml"
    text = project_file.read_text()
    project_file.write_text(text.replace("https://raw.", "http://127.0.0.1:9/raw."))
    done = run(project, "run", "download", ".", "--vars.corpus", "wnut17")
    assert done.returncode == 1
    errors = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1
    assert "put it at assets/wnut17/train.conll" in errors[0]
    assert "c213127d9438fb2c64fe0fabe8644489" in errors[0]
    assert not (project / "assets" / "wnut17").exists()


def test_every_command_names_what_it_reads_and_writes():
    project = srsly.read_yaml(ROOT / "project.yml")
    for command in project["commands"]:
        script = " ".join(command["script"])
        outputs = command.get("outputs", []) + command.get("outputs_no_cache", [])
        assert command["deps"], command["name"]
        used = re.findall(r"(?:corpus|configs|metrics|packages|training)/\S+", script)
        listed = [*command["deps"], *outputs]
        for path in used:
            assert any(
                entry.startswith(path) or path.startswith(entry) for entry in listed
            ), (command["name"], path)


SENTENCE = "Anna had anemia in Oslo ."
CASES = {
    "ncbi_disease": "SpecificDisease",
    "multinerd": "LOC",
    "docs_issues": None,
    "my_corpus": "LOC",
}


def write_assets(folder, corpus):
    """A few texts in the format of each corpus, under the names of its files."""
    if corpus == "ncbi_disease":
        for part in ("train", "devel", "test"):
            (folder / part).mkdir(parents=True)
            (folder / part / "1.txt").write_text(SENTENCE, encoding="utf8")
            line = "T1\tSpecificDisease 9 15\tanemia\nN1\tReference T1 MeSH:D1\n"
            (folder / part / "1.ann").write_text(line, encoding="utf8")
        return
    folder.mkdir(parents=True)
    tags = [0, 0, 0, 0, 3, 0]
    rows = [
        {"tokens": SENTENCE.split(), "ner_tags": tags, "lang": lang}
        for lang in ("en", "de")
    ]
    cats = [
        {"text": f"{SENTENCE} {i}", "cats": {"DOCS": i % 2, "OTHER": 1 - i % 2}}
        for i in range(20)
    ]
    spans = [{"start": 19, "end": 23, "label": "LOC"}]
    files = {
        "multinerd": dict.fromkeys(["train", "validation", "test"], rows),
        "docs_issues": dict.fromkeys(
            ["docs_issues_training", "docs_issues_eval"], cats
        ),
        "my_corpus": {
            "all": [{"text": f"{SENTENCE} {i}", "spans": spans} for i in range(20)]
        },
    }
    for name, values in files[corpus].items():
        srsly.write_jsonl(folder / f"{name}.jsonl", values)
    if corpus == "multinerd":
        names = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
        srsly.write_json(folder / "labels.json", names)


@pytest.mark.slow
@pytest.mark.parametrize("corpus", CASES)
def test_the_data_of_each_corpus(project, corpus):
    write_assets(project / "assets" / corpus, corpus)
    done = run(project, "run", "data", ".", "--vars.corpus", corpus)
    assert done.returncode == 0, done.stdout + done.stderr
    found = srsly.read_json(project / "metrics" / f"{corpus}-corpus.json")
    train, dev, test = found["splits"]
    label = CASES[corpus]
    if label is None:
        assert train["cats"].keys() == {"DOCS", "OTHER"}
        assert [train["docs"], dev["docs"], test["docs"]] == [17, 3, 20]
    else:
        assert all(split["labels"].keys() == {label} for split in found["splits"])
        assert all(split["entities"] == split["docs"] for split in found["splits"])
    if corpus == "multinerd":
        assert train["docs"] == 1
