"""spacy_ner_ext.Logger.v1: the printed table and the files."""

import inspect
import json
import math
import re
import signal
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
from spacy import registry
from thinc.api import Adam, Config

import spacy_ner_ext
from spacy_ner_ext.training.logging.logger import format_duration
from tests.helpers.loggers import GROUPED, lines_of, read_log, read_table

NAME = "spacy_ner_ext.Logger.v1"
LOGGER = {"@loggers": NAME}
KEYS = {
    *("step", "epoch", "steps", "timestamp", "seconds", "words", "words_per_second"),
    *("remaining_seconds", "score", "scores", "losses", "rates", "gradient_norm"),
    *("gradient_norm_max", "gradient_spikes"),
    *("exchange_seconds", "exchange_wait_seconds", "exchange_bytes"),
}


def table_of(printed):
    """The rows of the console's table, by the names of its columns."""
    lines = printed.splitlines()
    (start,) = [number for number, line in enumerate(lines) if line.startswith("E  ")]
    header = re.split(r"  +", lines[start].strip())
    rows = [line.split() for line in lines[start + 2 :]]
    rows = [row for row in rows if len(row) == len(header) and row[1].isdigit()]
    return [dict(zip(header, row)) for row in rows]


@pytest.fixture(scope="module")
def grouped(run_training, tmp_path_factory):
    """The output folder of a run with parameter groups, and the printed text."""
    folder = tmp_path_factory.mktemp("grouped")
    return folder, run_training({**LOGGER, "log_weights": True}, folder, **GROUPED)


def test_prints_spacys_table_with_more_columns(grouped):
    rows = table_of(grouped[1])
    assert [row["#"] for row in rows] == ["0", "2", "4", "6"]
    assert list(rows[0]) == [
        *("E", "#", "LOSS CRF_NER", "ENTS_F", "ENTS_P", "ENTS_R", "SCORE", "WORDS/S"),
        *("RATE CRF", "RATE DEFAULT", "GRAD NORM", "LEFT"),
    ]
    assert [rows[-1]["RATE CRF"], rows[-1]["RATE DEFAULT"]] == ["5.00e-02", "1.00e-02"]
    assert all(float(row["GRAD NORM"]) > 0 for row in rows)
    assert rows[0]["LEFT"] == "-" and rows[-1]["LEFT"] == "0:00:00"


def test_the_table_and_the_log_agree_with_spacys_own(run_training, tmp_path):
    spacys = {"@loggers": "spacy.ConsoleLogger.v2", "output_file": tmp_path / "x.jsonl"}
    spacys["output_file"] = str(spacys["output_file"])
    theirs = table_of(run_training(spacys))
    ours = table_of(run_training(LOGGER, tmp_path / "out"))
    assert [{key: row[key] for key in theirs[0]} for row in ours] == theirs
    log = read_log(tmp_path / "out")
    for line, theirs in zip(log, map(json.loads, lines_of(spacys["output_file"]))):
        assert [line["step"], line["epoch"]] == [theirs["step"], theirs["epoch"]]
        assert line["losses"] == pytest.approx(theirs["losses"])
        assert line["scores"]["ents_f"] * 100 == pytest.approx(
            theirs["scores"]["ents_f"]
        )


def test_a_line_of_the_log_has_everything(grouped):
    log = read_log(grouped[0])
    assert all(set(line) == KEYS for line in log)
    assert [line["step"] for line in log] == [0, 2, 4, 6]
    assert [line["steps"] for line in log] == [1, 2, 2, 2]
    last = log[-1]
    assert last["rates"] == {"crf": 0.05, "default": 0.01}
    assert last["scores"]["ents_per_type"]["PER"]["f"] >= 0
    assert 0 < last["gradient_norm"] <= last["gradient_norm_max"]
    assert last["gradient_spikes"] == 0
    assert last["words"] == 7 * 23 and last["words_per_second"] > 0
    # Rounded: a few steps of a tiny pipeline take no tenth of a second.
    assert last["remaining_seconds"] == 0 <= log[1]["remaining_seconds"]
    assert datetime.fromisoformat(last["timestamp"]).tzinfo is not None
    seconds = [line["seconds"] for line in log]
    assert seconds == sorted(seconds) and seconds[0] > 0


def test_the_table_of_losses_has_means_of_a_step(grouped):
    log, table = read_log(grouped[0]), read_table(grouped[0] / "loss.tsv")
    for line, row in zip(log, table, strict=True):
        mean = line["losses"]["crf_ner"] / line["steps"]
        assert float(row["loss_crf_ner"]) == pytest.approx(mean, rel=1e-5)
        assert float(row["ents_r"]) == pytest.approx(line["scores"]["ents_r"], rel=1e-5)
        assert row["rate_crf"] == "0.05" and row["timestamp"] == line["timestamp"]
        assert float(row["gradient_norm"]) > 0
        assert "ents_per_type" not in row


def test_an_optimizer_that_spacy_hides_leaves_its_columns_out(run_training, tmp_path):
    run_training(LOGGER, tmp_path / "first", **GROUPED)
    printed = run_training(LOGGER, tmp_path / "second")
    assert "RATE" not in printed and "GRAD" not in printed
    assert all(line["rates"] == {} for line in read_log(tmp_path / "second"))
    (header, *_) = lines_of(tmp_path / "second" / "loss.tsv")
    assert "rate" not in header and "gradient" not in header


def test_without_a_folder_nothing_is_written_and_a_line_says_so(
    run_training, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    printed = run_training(LOGGER)
    assert printed.count("No log files are written: use --output") == 1
    assert list(tmp_path.iterdir()) == []


def test_output_dir_is_where_the_files_are(run_training, tmp_path):
    folder = tmp_path / "logs" / "a"
    settings = {**LOGGER, "output_dir": str(folder), "console_output": False}
    printed = run_training(settings, tmp_path / "out")
    assert {path.name for path in folder.iterdir()} == {"log.jsonl", "loss.tsv"}
    assert not (tmp_path / "out" / "log.jsonl").exists()
    assert "LOSS" not in printed and str(folder) in printed.replace("\n", "")


def test_output_dir_that_is_a_file_is_an_error(run_training, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"output_dir = .* is a file"):
        run_training({**LOGGER, "output_dir": str(tmp_path / "file")})


def test_the_progress_bar_is_not_in_files(run_training, tmp_path):
    with_bar = run_training({**LOGGER, "progress_bar": True}, tmp_path / "a")
    assert [row["#"] for row in table_of(with_bar)] == ["0", "2", "4", "6"]


@pytest.mark.parametrize("name", ["crf_cpu.cfg", "crf_trf.cfg"])
def test_the_block_of_the_shipped_configs_has_the_defaults(name):
    path = Path(spacy_ner_ext.__file__).parents[1] / "configs" / name
    block = Config().from_disk(path, interpolate=False)["training"]["logger"]
    signature = inspect.signature(registry.loggers.get(block.pop("@loggers")))
    assert block == {key: p.default for key, p in signature.parameters.items()}


def test_other_optimizers_have_one_rate(start):
    started = start(NAME).log(0, optimizer=Adam(0.25))
    (line,) = read_log(started.output)
    assert line["rates"] == {"default": 0.25}
    assert table_of(started.printed)[0]["RATE"] == "2.50e-01"


def test_each_line_is_on_disk_at_once(start):
    started = start(NAME, log_weights=True)
    for number, step in enumerate((0, 2, 4), 1):
        started.log(step)
        assert len(read_log(started.output)) == number
        assert len(read_table(started.output / "loss.tsv")) == number


def test_a_resumed_run_continues_its_files(start):
    start(NAME, log_weights=True).log(0, 2, 4, 6).finalize()
    resumed = start(NAME, log_weights=True).log(6, 8, first=5)
    # Steps 5 and 6 came again.
    assert [line["step"] for line in read_log(resumed.output)] == [0, 2, 4, 6, 8]
    rows = read_table(resumed.output / "loss.tsv")
    assert [row["step"] for row in rows] == ["0", "2", "4", "6", "8"]
    line = read_log(resumed.output)[3]
    assert line["words_per_second"] is None
    assert lines_of(resumed.output / "weights.tsv") == [
        "step\tparameter\tmean\tstandard_deviation\tnorm\tlargest"
    ]


def test_lines_between_a_checkpoint_and_the_next_evaluation_are_removed(start):
    """Those of an attempt that evaluated more often."""
    start(NAME).log(0, 4, 5, 6, 7).finalize()
    resumed = start(NAME).log(8, first=5)
    assert [line["step"] for line in read_log(resumed.output)] == [0, 4, 8]


def test_the_mean_loss_after_a_stop_is_that_of_all_steps_of_the_row(start):
    start(NAME).log(0, 4).finalize()
    checkpoints = [(0.0, 0), (0.04, 4), (0.08, 8)]
    resumed = start(NAME).log(8, first=6, checkpoints=checkpoints)
    assert read_log(resumed.output)[-1]["steps"] == 4
    assert read_table(resumed.output / "loss.tsv")[-1]["loss_crf_ner"] == "0.75"


def test_time_continues_if_the_loop_knows_it(start):
    resumed = start(NAME).log(8, first=6, seconds=1000)
    assert 1000 <= read_log(resumed.output)[0]["seconds"] < 1010


def test_an_incomplete_line_of_a_killed_process_is_removed(start):
    start(NAME).log(0, 2).finalize()
    output = start(NAME).output
    with (output / "log.jsonl").open("a") as stream:
        stream.write('{"step": 3, "epo')
    with (output / "loss.tsv").open("a") as stream:
        stream.write("3\t0")
    start(NAME).log(4, first=3)
    assert [line["step"] for line in read_log(output)] == [0, 2, 4]
    assert [row["step"] for row in read_table(output / "loss.tsv")] == ["0", "2", "4"]


def test_a_new_run_replaces_the_files(start):
    started = start(NAME, log_weights=True).log(0, 2)
    started.finalize()
    assert (started.output / "weights.tsv").exists()
    start(NAME).log(0).finalize()
    assert [line["step"] for line in read_log(started.output)] == [0]
    assert not (started.output / "weights.tsv").exists()


def test_a_training_whose_first_step_is_not_evaluated_is_new(start):
    start(NAME).log(0, 2).finalize()
    started = start(NAME).log(4)
    assert [line["step"] for line in read_log(started.output)] == [4]


def test_a_score_that_comes_later_gets_a_column(start):
    scores = {"ents_f": 0.5, "ents_r": 0.25}
    started = (
        start(NAME).log(0, other_scores={"ents_f": 0.5}).log(2, other_scores=scores)
    )
    started.log(4, other_scores={"ents_f": 0.5})
    rows = read_table(started.output / "loss.tsv")
    assert [row["ents_r"] for row in rows] == ["", "0.25", ""]


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_nan_and_infinity_are_shown_and_the_log_is_valid_json(start, number):
    bad = {"losses": {"crf_ner": number}, "score": number}
    started = start(NAME).configure(score_weights={"ents_f": 1.0})
    started.log(0).log(2, other_scores={"ents_f": number, "speed": None}, **bad)
    row = table_of(started.printed)[-1]
    assert row["SCORE"] == row["ENTS_F"] == f"{number:.2f}"

    def fail(text):
        raise AssertionError(text)

    line = json.loads(lines_of(started.output / "log.jsonl")[-1], parse_constant=fail)
    assert line["losses"] == {"crf_ner": None} and line["score"] is None
    assert line["scores"] == {"ents_f": None}
    row = read_table(started.output / "loss.tsv")[-1]
    assert row["loss_crf_ner"] == row["ents_f"] == row["score"] == "nan"


def test_the_remaining_time_without_an_end_is_unknown(start):
    started = start(NAME).configure(max_steps=0).log(0, 8, epoch=0).log(16, epoch=1)
    assert [row["LEFT"] for row in table_of(started.printed)] == ["-", "-", "-"]


@pytest.mark.parametrize(
    "seconds,shown",
    [(None, "-"), (0.4, "0:00:00"), (3723, "1:02:03"), (183600, "2d 03h")],
)
def test_durations_are_short(seconds, shown):
    assert format_duration(seconds) == shown


@pytest.mark.slow
def test_a_killed_process_leaves_whole_lines(tmp_path):
    root = Path(__file__).parents[3]
    code = (
        f"import os, signal, sys; sys.path[:0] = [{str(root)!r}]\n"
        "from pathlib import Path\n"
        "from tests.helpers.loggers import Started\n"
        f"Started({NAME!r}, {{}}, Path({str(tmp_path)!r})).log(0, 2, 4)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -signal.SIGKILL
    assert [line["step"] for line in read_log(tmp_path)] == [0, 2, 4]
    assert len(read_table(tmp_path / "loss.tsv")) == 3
