"""Reading log files, and errors of damaged ones."""

import pytest

from spacy_ner_ext.tools.plot.runs import read_runs, read_weights
from spacy_ner_ext.util.errors import UserError
from tests.tools.plot.conftest import row


def check_error(error, *parts):
    message = str(error.value)
    assert len(message.splitlines()) == 1
    for part in parts:
        assert part in message


def test_runs_in_folders_of_the_same_name_have_distinct_names(make_run):
    folders = [make_run(name, [row(0)]) for name in ("x/out", "y/out", "z")]
    runs = read_runs([*folders, folders[0]])
    assert [run.name for run in runs] == ["x/out", "y/out", "z"]


def test_a_folder_without_a_log_is_an_error(tmp_path):
    for folder, what in (
        (tmp_path, "has no log.jsonl"),
        (tmp_path / "x", "is not a folder"),
    ):
        with pytest.raises(UserError) as error:
            read_runs([folder])
        check_error(error, str(folder), what, "spacy_ner_ext.Logger.v1")


def test_an_empty_log_is_an_error(make_run):
    folder = make_run("a", [])
    with pytest.raises(UserError) as error:
        read_runs([folder])
    check_error(error, f"{folder}/log.jsonl is empty")
    # So is one with half a line.
    (folder / "log.jsonl").write_text('{"step": 1')
    with pytest.raises(UserError):
        read_runs([folder])


@pytest.mark.parametrize(
    "line",
    [
        *("{", "[1]", "7", '"a"', "null", "", '{"epoch": 1}', '{"step": null}'),
        *('{"step": "many"}', '{"step": 1, "losses": [1]}', '{"step": {}}', "\x00"),
    ],
)
def test_a_damaged_row_is_named(make_run, line):
    folder = make_run("a", [row(0)])
    with (folder / "log.jsonl").open("a") as stream:
        stream.write(f"{line}\n")
    with pytest.raises(UserError) as error:
        read_runs([folder])
    check_error(error, f"{folder}/log.jsonl, line 2")


def test_an_incomplete_last_line_is_skipped(make_run):
    folder = make_run("a", [row(0), row(1)])
    with (folder / "log.jsonl").open("a") as stream:
        stream.write('{"step": 2, "sco')
    assert read_runs([folder])[0].column("step").tolist() == [0, 1]


@pytest.mark.parametrize(
    "line", ["1\tp", "x\tp\t1\t1\t1\t1", "1\tp\t1\t1\t1\t1\t1", ""]
)
def test_a_damaged_line_of_weights_is_named(make_run, line):
    folder = make_run("a", [row(0)], weights=["0\tp\t1\t1\t1\t1", line])
    with pytest.raises(UserError) as error:
        read_weights(folder)
    check_error(error, f"{folder}/weights.tsv, line 3")
