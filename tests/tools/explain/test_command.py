"""`explain` on the command line."""

import json
import shutil

import pytest
import spacy

from tests.helpers.explained import TRIGGER, WET, shared
from tests.helpers.pipelines import TEXTS

TEXT = TEXTS[0]
FAST = ("--method", "occlusion")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "nested"
    shared("nested").to_disk(path)
    return path


@pytest.fixture(scope="module")
def categories(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "hashed"
    shared("hashed").to_disk(path)
    return path


def check_error(result, *parts):
    code, out, err = result
    assert (code, out) == (1, "")
    assert err.startswith("Error: ") and err.count("\n") == 1
    for part in parts:
        assert part in err


def test_all_entities_with_files(run, model, tmp_path):
    files = ("--output", "out/page.html", "--report", "out/numbers.json")
    done = run("explain", model, TEXT, *files)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "[Anna Berg]PER lives in New York ." in done.stdout
    assert "integrated gradients" in done.stdout and "\x1b[" not in done.stdout
    numbers = json.loads((tmp_path / "out/numbers.json").read_text())
    assert [each["entity"]["text"] for each in numbers] == ["Anna Berg", "New York"]
    for each in numbers:
        total = sum(token["score"] for token in each["tokens"])
        difference = each["value"] - each["baseline_value"]
        assert total == pytest.approx(difference, rel=2e-2, abs=1e-3)
    page = (tmp_path / "out/page.html").read_text()
    assert page.count("<mark") == 2


def test_one_entity(call, model):
    code, out, _ = call("explain", model, TEXT, "--entity", "New York", *FAST)
    assert code == 0 and "New York: LOC" in out and "Anna Berg: " not in out
    named = ("--entity", "19:27", "--label", "PER")
    code, out, _ = call("explain", model, TEXT, *named, *FAST)
    assert code == 0 and "[New York]PER" in out


def test_a_category(call, categories):
    code, out, _ = call("explain", categories, WET[0], "--category", "wet")
    assert code == 0 and "The text: wet" in out
    rows = [line.split() for line in out.splitlines() if line.endswith("+")]
    assert rows[0][0] == TRIGGER


def test_names_that_are_not_spans(call, model):
    def name(entity, *options, text=TEXT):
        return call("explain", model, text, "--entity", entity, *options, *FAST)

    check_error(name("Ann"), "--entity Ann", "the tokens are 'Anna'")
    check_error(name("Oslo"), "'Oslo' is not in the text")
    check_error(name("5:99"), "5:99", "29 characters")
    check_error(name("8:8"), "8:8")
    check_error(name("4:5"), "--entity 4:5", "name some tokens")
    check_error(name("in", text="in Rome in Oslo"), "2 times", "0:2, 8:10")
    check_error(name("lives"), "'lives' is not a predicted", "--label", "LOC, PER")
    check_error(name("lives", "--label", "X"), "does not know 'X'", "LOC, PER")


def test_what_cannot_be_explained(call, model, categories):
    nothing = call("explain", model, "It rains again today .", *FAST)
    check_error(nothing, "no entity in this text", "--entity")
    check_error(call("explain", model, " "), "the text is empty")
    check_error(call("explain", "none", TEXT), "none")
    check_error(call("explain", model, TEXT, "--label", "PER"), "--entity")
    both = ("--entity", "Anna", "--category", "wet")
    check_error(call("explain", model, TEXT, *both), "choose one")
    check_error(call("explain", model, TEXT, "--category", "a"), "no categories")
    check_error(call("explain", categories, TEXT, "--category", "a"), "dry, wet")
    check_error(call("explain", model, TEXT, "--gpu-id", "0"), "--gpu-id 0")
    check_error(call("explain", model, TEXT, "--output", "a.txt"), "a.txt", ".html")


def test_components_that_find_no_entities(call, categories, tmp_path):
    spacy.blank("xx").to_disk(tmp_path / "blank")
    for options in ((), ("--entity", "Anna")):
        blank = call("explain", "blank", TEXT, *options)
        check_error(blank, "finds no entities that can be explained: it has nothing")
    check_error(call("explain", categories, TEXT), "name a category, one of dry, wet")
    name = spacy.load(categories).pipe_names[-1]
    asked = call("explain", categories, TEXT, "--component", name)
    check_error(asked, f"'{name}' finds no entities", "one of dry, wet")


def test_a_pipeline_that_lost_its_labels_is_named(call, model, tmp_path):
    shutil.copytree(model, tmp_path / "model")
    (tmp_path / "model" / "crf_ner" / "cfg").unlink()
    check_error(call("explain", "model", TEXT), "model cannot be explained", "Labels")


def test_help_shows_an_example(call):
    code, out, _ = call("explain", "--help")
    assert code == 0 and "python -m spacy_ner_ext explain training/model-best" in out
