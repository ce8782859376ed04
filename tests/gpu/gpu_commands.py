"""The commands give the same results with --gpu-id 0 as on the CPU."""

import json
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest
from spacy.tokens import Doc, DocBin
from thinc.api import require_cpu

from spacy_ner_ext.tools.app import main
from tests.helpers.fake_gpu.compare import assert_close
from tests.helpers.pipelines import CORPUS, TEXTS, annotate, build, words_of

GOLDEN = Path(__file__).parent.parent / "golden"
PIPES = ["crf_text_cnn", "span_marker_filtered"]
TEXT = "Anna Berg lives in New York ."


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two trained pipelines, documents and texts."""
    made = tmp_path_factory.mktemp("commands")
    for name in PIPES:
        ZipFile(GOLDEN / f"{name}.zip").extractall(made / name)
    # Calibration needs an entity that is wrong.
    gold = [*CORPUS, (CORPUS[0][0], [])]
    vocab = build({}).vocab
    docs = [annotate(Doc(vocab, words_of(text)), spans) for text, spans in gold]
    DocBin(docs=docs, store_user_data=True).to_disk(made / "dev.spacy")
    (made / "texts.txt").write_text("\n".join(TEXTS))
    return made


COMMANDS = {
    "evaluate": ("{model}", "{folder}/dev.spacy", "--output", "{out}"),
    "calibrate": (
        *("{model}", "{folder}/dev.spacy", "--output", "{out}/model"),
        *("--precision", "0.5", "--report", "{out}/report.json"),
    ),
    "explain": (
        *("{model}", TEXT, "--entity", "New York", "--label", "LOC", "--steps", "8"),
        *("--report", "{out}/report.json"),
    ),
    "predict": ("{model}", "{folder}/texts.txt", "--output", "{out}/found.jsonl"),
}
# Curves have a point for each score, and equal scores may differ in their last digit.
LEFT_OUT = {"seconds", "speed", "words_per_second", "curves"}


def comparable(value):
    if isinstance(value, dict):
        return {k: comparable(v) for k, v in value.items() if k not in LEFT_OUT}
    return [comparable(v) for v in value] if isinstance(value, list) else value


def read(out):
    """The results in a folder: JSON, or JSON lines."""
    found = {}
    for path in sorted(out.glob("*.json*")):
        text = path.read_text()
        lines = text.splitlines() if path.suffix == ".jsonl" else [text]
        found[path.name] = [comparable(json.loads(line)) for line in lines]
    return json.loads(json.dumps(found).replace(str(out), "out"))


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("model", PIPES)
def test_a_command(model, command, folder, tmp_path, monkeypatch, capsys):
    reports = []
    for gpu_id in ("-1", "0"):
        require_cpu()
        out = tmp_path / f"on{gpu_id}"
        out.mkdir()
        names = {"model": folder / model, "folder": folder, "out": out}
        given = [part.format(**names) for part in COMMANDS[command]]
        arguments = ["spacy_ner_ext", command, *given, "--gpu-id", gpu_id]
        monkeypatch.setattr(sys, "argv", arguments)
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 0, capsys.readouterr()
        reports.append(read(out))
    assert reports[0]
    assert_close(*reports)
