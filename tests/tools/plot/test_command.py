import json

import pytest


@pytest.fixture
def runs(tmp_path):
    """Folders of two training runs."""
    for name, best in (("first", 0.5), ("second", 0.75)):
        rows = [
            {
                "step": step,
                "epoch": 0,
                "steps": 10,
                "seconds": step + 1.0,
                "words": 100 * step,
                "words_per_second": 100.0,
                "score": score,
                "scores": {"ents_f": score},
                "losses": {"crf_ner": 1.0},
                "rates": {"default": 0.001},
            }
            for step, score in ((0, 0.0), (10, best), (20, 0.25))
        ]
        (tmp_path / name).mkdir()
        text = "".join(f"{json.dumps(row)}\n" for row in rows)
        (tmp_path / name / "log.jsonl").write_text(text)
    return ["first", "second"]


def check_error(result, *parts):
    code, out, err = result
    assert (code, out) == (1, "")
    assert err.startswith("Error: ") and err.count("\n") == 1
    for part in parts:
        assert part in err


def test_plots_of_one_run_are_in_its_folder(run, runs, tmp_path):
    done = run("plot", runs[1])
    assert (done.returncode, done.stderr) == (0, "")
    written = {path.name for path in (tmp_path / "second" / "plots").iterdir()}
    assert written == {"loss.png", "scores.png", "rates.png", "speed.png", "plots.html"}
    (row,) = [line for line in done.stdout.splitlines() if line.startswith("second ")]
    assert row.split() == [
        "second",
        "0.7500",
        "10",
        "0:00:11",
        "3",
        "20",
        *row.split()[6:],
    ]
    assert "second/plots/plots.html" in done.stdout


def test_several_runs_share_plots(call, runs, tmp_path):
    code, _, err = call(
        *("plot", *runs, "--output", "both", "--format", "svg", "--x", "time")
    )
    assert (code, err) == (0, "")
    page = (tmp_path / "both" / "plots.html").read_text()
    assert "first" in page and "second" in page
    assert (tmp_path / "both" / "loss.svg").exists()


def test_several_runs_need_an_output_folder(call, runs):
    check_error(call("plot", *runs), "--output")


def test_damaged_input_is_an_error_of_one_line(call, runs, tmp_path):
    check_error(call("plot", "nowhere"), "nowhere is not a folder")
    check_error(call("plot", "first", "--weights", "("), "--weights '('")
    (tmp_path / "file").touch()
    check_error(call("plot", "first", "--output", "file"), "file is a file")
    with (tmp_path / "first" / "log.jsonl").open("a") as stream:
        stream.write("{}\n")
    check_error(call("plot", "first"), "log.jsonl, line 4")
    assert not (tmp_path / "first" / "plots").exists()
