"""Command `calibrate`."""

import json
import re
import shutil

import pytest
import spacy
from spacy.tokens import DocBin

from spacy_ner_ext.tools.calibrate import store
from tests.helpers.pipelines import (
    CORPUS,
    TEXTS,
    build,
    crf,
    fit,
    make_examples,
    output,
    tagger,
)

# The model has learned others by heart, so that some of what it finds is wrong.
DEV = [
    *CORPUS,
    ("Anna Berg lives in New York .", [(0, 2, "PER")]),
    ("She met Tom Lee Ray in Rome .", [(2, 5, "LOC")]),
    ("New York", []),
]


@pytest.fixture(scope="module")
def trained():
    return fit({"crf_ner": crf()}, steps=12)


@pytest.fixture
def model(tmp_path, trained):
    trained.to_disk(tmp_path / "model")
    write(tmp_path / "dev.spacy", trained, DEV)
    return tmp_path / "model"


def write(path, nlp, corpus):
    docs = [example.reference for example in make_examples(nlp, corpus)]
    DocBin(docs=docs).to_disk(path)


def contents(folder):
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_the_printed_temperature_is_written_and_entities_do_not_change(
    run, model, tmp_path
):
    before, nlp = contents(model), spacy.load(model)
    done = run("calibrate", "model", "dev.spacy")
    assert done.returncode == 0, done.stderr
    temperature = float(re.search(r"Wrote temperature = ([\d.]+) of", done.stdout)[1])
    for measure in ("ECE", "Brier score", "log loss"):
        row = re.search(rf"{measure} +(\d\.\d{{4}}) +(\d\.\d{{4}})\n", done.stdout)
        assert row, done.stdout
    assert float(row[2]) < float(row[1])
    assert "entities only: it is reliable" in done.stdout
    after = contents(model)
    assert set(after) == set(before)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"config.cfg", "crf_ner/cfg"}
    loaded = spacy.load(model)
    assert loaded.config["components"]["crf_ner"]["temperature"] == temperature
    assert loaded.get_pipe("crf_ner").cfg["temperature"] == temperature
    assert json.loads(after["crf_ner/cfg"])["temperature"] == temperature
    for text in TEXTS:
        ents, same = output(nlp(text))[0], output(loaded(text))[0]
        assert [ent[:3] for ent in ents] == [ent[:3] for ent in same]
    assert {path.name for path in tmp_path.iterdir()} == {"model", "dev.spacy"}


def test_a_copy_gets_thresholds_and_the_model_does_not_change(call, model, tmp_path):
    before = contents(model)
    (tmp_path / "folder").mkdir()
    (tmp_path / "dev.spacy").rename(tmp_path / "folder" / "dev.spacy")
    options = "--precision", "0.7", "--output", "new/copy", "--report", "r.json"
    code, out, err = call("calibrate", "model", "folder", *options)
    assert code == 0, err
    assert contents(model) == before
    report = json.loads((tmp_path / "r.json").read_text())
    nlp = spacy.load(tmp_path / "new" / "copy")
    config = nlp.config["components"]["crf_ner"]
    assert config["threshold"] == report["threshold"]
    assert config["temperature"] == report["temperature"]
    for label, each in report["labels"].items():
        assert each["kept"]["p"] >= 0.7 or not each["reached"]
        row = rf"^{label} +{each['threshold']:g} +{100 * each['kept']['p']:.1f} "
        assert re.search(row, out, re.M)
    code, out, err = call("calibrate", "new/copy", "folder")
    assert code == 0, err
    assert f"It replaces temperature = {report['temperature']:g}" in out
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["copy"]


def test_an_interrupted_write_does_not_change_the_pipeline(
    call, model, tmp_path, monkeypatch
):
    nlp, names = spacy.load(model), set(tmp_path.rglob("*"))
    expected = [output(nlp(text)) for text in TEXTS]

    class Interrupted(store.Config):
        def to_disk(self, path, *, interpolate=True):
            path.write_text("[nlp]\n")
            raise KeyboardInterrupt

    monkeypatch.setattr(store, "Config", Interrupted)
    for options in ((), ("--output", "copy")):
        code, out, _ = call("calibrate", "model", "dev.spacy", *options)
        assert code != 0 and "Wrote" not in out
    monkeypatch.undo()
    assert set(tmp_path.rglob("*")) == names
    loaded = spacy.load(model)
    assert loaded.config == nlp.config
    assert [output(loaded(text)) for text in TEXTS] == expected


def test_labels_that_no_config_can_hold_are_refused(call, tmp_path):
    corpus = [
        (text, [(a, b, f"{label}=X") for a, b, label in spans]) for text, spans in DEV
    ]
    nlp = fit({"crf_ner": crf()}, corpus[:5], steps=12)
    nlp.to_disk(tmp_path / "model")
    write(tmp_path / "dev.spacy", nlp, corpus)
    before = contents(tmp_path / "model")
    code, _, err = call("calibrate", "model", "dev.spacy", "--precision", "0.5")
    assert code == 1
    assert re.search(r"the label '\w+=X' cannot be a name in a config.cfg", err)
    assert contents(tmp_path / "model") == before
    code, out, _ = call("calibrate", "model", "dev.spacy")
    assert code == 0 and "Wrote temperature" in out


def test_errors_are_one_line(call, model, tmp_path):
    nlp = build({"crf_tagger": tagger()})
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    nlp.to_disk(tmp_path / "tags")
    write(tmp_path / "none.spacy", spacy.load(model), [(text, []) for text in TEXTS])
    (tmp_path / "broken.spacy").write_text("no")
    shutil.copytree(model, tmp_path / "unlabelled")
    (tmp_path / "unlabelled" / "crf_ner" / "cfg").unlink()
    cases = [
        (("model", "none.spacy"), "no gold entity .* 'crf_ner'"),
        (("tags", "dev.spacy"), "no component .*are crf_tagger"),
        (("model", "dev.spacy", "--output", "tags"), "tags exists: .*--overwrite"),
        (("model", "dev.spacy", "--output", "model/new"), "is inside of model: choose"),
        (("model", "dev.spacy", "--output", "dev.spacy/a"), "dev.spacy is a file"),
        (("unlabelled", "dev.spacy"), "unlabelled cannot be calibrated: .*Labels"),
        (("model", "dev.spacy", "--component", "ner"), "no component 'ner'.*crf_ner"),
        (("model", "broken.spacy"), "broken.spacy: is not a .spacy file"),
        ((".", "dev.spacy"), "is not a pipeline that can be loaded"),
        (("model", "dev.spacy", "--gpu-id", "99"), "--gpu-id 99 cannot be used"),
        (("model", "dev.spacy", "--code", "a.py"), "--code a.py cannot be imported"),
        (("model", "dev.spacy", "--report", "a.txt"), "a.txt: .* end in .json"),
    ]
    before = contents(model)
    for arguments, message in cases:
        code, _, err = call("calibrate", *arguments)
        assert code == 1, arguments
        assert re.search(message, err), err
        assert len(err.strip().splitlines()) == 1, err
    assert contents(model) == before
