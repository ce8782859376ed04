import shlex

import pytest
from spacy import util


def check_error(result, *parts):
    code, out, err = result
    assert (code, out) == (1, "")
    assert err.startswith("Error: ") and err.count("\n") == 1
    for part in parts:
        assert part in err


def test_writes_a_config_whose_first_line_writes_it_again(run, call, tmp_path):
    options = ["--pattern", "multinerd", "--encoder", "bert base", "--lang", "de"]
    done = run("init", "new/ner.cfg", *options, "--train", "a b.jsonl")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Wrote new/ner.cfg: crf_ner" in done.stdout
    config = util.load_config(tmp_path / "new" / "ner.cfg")
    assert config["nlp"]["lang"] == "de"
    assert config["paths"]["encoder"] == "bert base"
    assert config["paths"]["train"] == "a b.jsonl"
    text = (tmp_path / "new" / "ner.cfg").read_text()
    first = text.splitlines()[0].removeprefix("# python -m spacy_ner_ext")
    command = ["-" if part == "CONFIG" else part for part in shlex.split(first)]
    assert call(*command) == (0, text, "")


def test_a_config_is_replaced_with_overwrite_only(call, tmp_path):
    path = tmp_path / "ner.cfg"
    path.write_text("mine")
    check_error(call("init", "ner.cfg", "--pattern", "flair"), "ner.cfg", "--overwrite")
    assert path.read_text() == "mine"
    assert call("init", "ner.cfg", "--pattern", "flair", "--overwrite")[0] == 0
    assert path.read_text().startswith("# python -m spacy_ner_ext init")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "options, parts",
    [
        (["--component", "ner"], ["--component ner", "crf_ner", "crf_tagger"]),
        (["--pattern", "bert"], ["--pattern bert", "eds", "multinerd"]),
        (
            ["--component", "span_marker_ner", "--pattern", "eds"],
            ["eds trains crf_ner and crf_tagger", "spanmarker or multinerd"],
        ),
        (["--lang", "klingon"], ["--lang klingon"]),
    ],
)
def test_a_wrong_option_is_an_error_of_one_line(call, tmp_path, options, parts):
    check_error(call("init", "ner.cfg", *options), *parts)
    assert not list(tmp_path.iterdir())


def test_a_config_ends_in_cfg(call, tmp_path):
    check_error(call("init", "ner.txt", "--pattern", "flair"), "ner.txt", ".cfg")
