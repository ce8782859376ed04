"""Panels of training runs, their images and the page."""

import base64
import json
import re
import sys
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import numpy as np
import pytest

from spacy_ner_ext.tools.plot.figures import has_wide_range
from spacy_ner_ext.tools.plot.page import write_plots
from spacy_ner_ext.tools.plot.panels import make_panels
from spacy_ner_ext.tools.plot.runs import read_runs
from spacy_ner_ext.util.errors import UserError

EVIL = "<script>alert('&')</script>_$x^"
PNG = b"\x89PNG\r\n"


def row(step, **values):
    return {
        "step": step,
        "epoch": 0,
        "steps": 10,
        "seconds": step * 2.0,
        "words": step * 100,
        "words_per_second": 50.0,
        "score": step / 100,
        "scores": {"ents_f": step / 100, "ents_p": 0.5, "ents_per_type": {"A": {}}},
        "losses": {"crf_ner": 20.0, "tok2vec": 0.0},
        "rates": {"encoder": 1e-5, "default": 1e-3},
        "gradient_norm": 1.0,
        "gradient_norm_max": 2.0,
        "gradient_spikes": 0,
        **values,
    }


@pytest.fixture
def make_run(tmp_path):
    def make(name, rows, weights=None):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        text = "".join(f"{json.dumps(each)}\n" for each in rows)
        (folder / "log.jsonl").write_text(text, encoding="utf8")
        if weights is not None:
            header = "step\tparameter\tmean\tstandard_deviation\tnorm\tlargest"
            (folder / "weights.tsv").write_text("\n".join([header, *weights, ""]))
        return folder

    return make


def panels_of(folders, **settings):
    panels = make_panels(read_runs(folders), **settings)
    return {(panel.plot, panel.title): panel for panel in panels}


def test_one_run(make_run):
    panels = panels_of([make_run("a", [row(step) for step in (0, 10, 20)])])
    assert list(panels) == [
        *(("loss", "crf_ner"), ("scores", "ents")),
        *(("rates", "encoder"), ("rates", "default")),
        *(("gradients", "mean of the steps"), ("gradients", "maximum of the steps")),
        ("speed", "training"),
    ]
    (loss,) = panels["loss", "crf_ner"].lines
    assert loss.y.tolist() == [2.0, 2.0, 2.0] and loss.x.tolist() == [0, 10, 20]
    lines = panels["scores", "ents"].lines
    assert [(line.label, line.best) for line in lines] == [
        *(("ents_f", 2), ("ents_p", None))
    ]
    rates = [panels["rates", group].lines[0].y[0] for group in ("encoder", "default")]
    assert rates == [1e-5, 1e-3]


def test_several_runs_share_panels(make_run):
    other = [row(step, scores={"cats_f": 0.5}, score=0.5) for step in (0, 5)]
    folders = [make_run("a", [row(0), row(10)]), make_run("b", other)]
    panels = panels_of(folders)
    labels = {key: [line.label for line in p.lines] for key, p in panels.items()}
    assert labels["loss", "crf_ner"] == ["a", "b"]
    assert labels["scores", "ents_f"] == ["a"] and labels["scores", "cats_f"] == ["b"]
    # No other score is that which decided in all trainings.
    assert labels["scores", "score"] == ["a", "b"]
    assert labels["rates", "encoder"] == ["a", "b"]
    lines = [line for panel in panels.values() for line in panel.lines]
    styles = {line.label: line.style for line in lines}
    assert styles == {"a": 0, "b": 1}


def test_the_horizontal_axis_can_be_words_and_time(make_run):
    rows = [row(0), row(10, seconds=7200.0), row(20, seconds=14400.0)]
    runs = read_runs([make_run("a", rows)])
    panels = [make_panels(runs, x)[0] for x in ("step", "words", "time")]
    assert [panel.x for panel in panels] == ["step", "words", "time (hours)"]
    xs = [panel.lines[0].x.tolist() for panel in panels]
    assert xs == [[0, 10, 20], [0, 1000, 2000], [0, 2, 4]]


def test_losses_with_a_wide_range_have_a_logarithmic_axis(make_run):
    rows = [row(0, losses={"a": 1.0}), row(1, losses={"a": 0.01})]
    assert has_wide_range(panels_of([make_run("a", rows)])["loss", "a"])
    rows[1]["losses"]["a"] = 0.9
    assert not has_wide_range(panels_of([make_run("b", rows)])["loss", "a"])


def test_missing_numbers_are_gaps(make_run):
    rows = [row(0), row(10, losses={"crf_ner": None}, score=None), row(20)]
    panels = panels_of([make_run("a", rows)])
    y = panels["loss", "crf_ner"].lines[0].y
    assert np.isnan(y).tolist() == [False, True, False]


def test_the_weights_that_changed_most_are_drawn(make_run):
    weights = [
        f"{step}\tp{number}\t0\t1\t{10 + number * step}\t1"
        for step in (0, 10)
        for number in range(12)
    ]
    folder = make_run("a", [row(0), row(10)], weights)
    panels = panels_of([folder])
    names = [line.label for line in panels["weights", "norm"].lines]
    assert names == [f"p{number}" for number in range(11, 4, -1)]
    assert panels["weights", "norm"].lines[0].y.tolist() == [10, 120]
    chosen = panels_of([folder], pattern="p[12]$")["weights", "norm"]
    assert [line.label for line in chosen.lines] == ["p2", "p1"]
    assert (
        panels_of([folder], pattern="none").keys()
        == panels_of([make_run("b", [row(0), row(10)])]).keys()
    )


def test_weights_of_several_runs_share_panels(make_run):
    def weights(factor):
        return [
            f"{step}\tp{number}\t0\t1\t{10 + factor * number * step}\t1"
            for step in (0, 10)
            for number in range(12)
        ]

    folders = [
        make_run(n, [row(0), row(10)], weights(f)) for n, f in (("a", 1), ("b", 2))
    ]
    folders.append(make_run("without", [row(0), row(10)]))
    panels = panels_of(folders)
    names = [line.label for line in panels["weights", "norm"].lines]
    assert names == [
        f"p{number} ({name})" for number in (11, 10, 9) for name in ("a", "b")
    ]
    assert panels["weights", "norm"].lines[1].y.tolist() == [10, 230]


def test_runs_in_folders_of_the_same_name_have_distinct_names(make_run):
    folders = [make_run(name, [row(0)]) for name in ("x/out", "y/out", "z")]
    runs = read_runs([*folders, folders[0]])
    assert [run.name for run in runs] == ["x/out", "y/out", "z"]


def test_long_runs_are_read_and_drawn(make_run, tmp_path):
    rows = [row(step) for step in range(20_000)]
    rows[12_345]["words_per_second"] = 1e6
    runs = read_runs([make_run("a", rows)])
    assert len(runs[0].column("step")) == 20_000
    *_, speed, _ = write_plots(runs, tmp_path / "plots", "svg")
    # The one that stands out is drawn, and most others are not.
    assert "1,000,000" in speed.read_text() and speed.stat().st_size < 200_000


def check_error(error, *parts):
    message = str(error.value)
    assert len(message.splitlines()) == 1
    for part in parts:
        assert part in message


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
        make_panels(read_runs([folder]))
    check_error(error, f"{folder}/weights.tsv, line 3")


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.images, self.cells, self._open = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self._open.append(tag)
        for name, value in attrs:
            assert name != "href"
            if name in ("src", "srcset"):
                self.images.append(value)

    def handle_endtag(self, tag):
        while self._open.pop() != tag:
            pass

    def handle_data(self, data):
        if self._open and self._open[-1] in ("td", "th"):
            self.cells.append(data)


@pytest.mark.parametrize("image_format,start", [("png", PNG), ("svg", b"<?xml")])
def test_the_page_has_all_images_and_works_alone(
    make_run, tmp_path, image_format, start
):
    runs = read_runs([make_run("a", [row(0), row(40), row(20)])])
    files = write_plots(runs, tmp_path / "plots", image_format)
    names = ("loss", "scores", "rates", "gradients", "speed")
    expected = [*(f"{name}.{image_format}" for name in names), "plots.html"]
    assert [file.name for file in files] == expected
    assert sorted(p.name for p in (tmp_path / "plots").iterdir()) == sorted(expected)
    images = [file.read_bytes() for file in files[:-1]]
    assert all(image.startswith(start) for image in images)
    text = files[-1].read_text(encoding="utf8")
    page = Page(text)
    assert "script" not in page.tags and "link" not in page.tags
    assert not re.search(r"@import|url\(", text)
    embedded = [base64.b64decode(i.partition(",")[2]) for i in page.images]
    assert embedded == images
    assert page.cells[8:] == [
        *("a", "0.4000", "40", "0:01:20", "3", "20", "0:00:40", "50")
    ]


def test_names_are_neither_markup_nor_formulas(make_run, tmp_path):
    name = EVIL.replace("/", "")
    folders = [make_run(name, [row(0)]), make_run("_b$\\frac$", [row(0)])]
    files = write_plots(read_runs(folders), tmp_path / "plots", "svg")
    page = Page(files[-1].read_text(encoding="utf8"))
    assert "script" not in page.tags
    assert name in page.cells and "_b$\\frac$" in page.cells
    for file in files[:-1]:
        ElementTree.parse(file)


def test_names_in_any_script_and_length_can_be_drawn(make_run, tmp_path):
    folders = [make_run(name, [row(0)]) for name in ("訓練", "a" * 200, "عربي")]
    assert write_plots(read_runs(folders), tmp_path / "plots")


def test_images_are_the_same_each_time(make_run, tmp_path):
    runs = read_runs([make_run("a", [row(0), row(10)])])
    first, second = (write_plots(runs, tmp_path / x, "svg") for x in "xy")
    assert [f.read_bytes() for f in first] == [f.read_bytes() for f in second]


def test_a_run_without_numbers_can_be_drawn(make_run, tmp_path):
    nothing = {"losses": {"a": None}, "score": None, "scores": {}, "rates": {}}
    nothing |= {"words_per_second": None, "gradient_norm": None}
    nothing |= {"gradient_norm_max": None, "gradient_spikes": None}
    runs = read_runs([make_run("a", [row(0, **nothing)])])
    (page,) = write_plots(runs, tmp_path / "plots")
    assert Page(page.read_text()).cells[8:12] == ["a", "-", "-", "-"]


def test_without_matplotlib_the_error_says_what_to_install(
    make_run, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for module in ("util.figures", "tools.plot.figures"):
        monkeypatch.delitem(sys.modules, f"spacy_ner_ext.{module}", raising=False)
    with pytest.raises(UserError) as error:
        write_plots(read_runs([make_run("a", [row(0)])]), tmp_path / "plots")
    check_error(error, 'pip install "spacy-ner-ext[plot]"')
    assert not (tmp_path / "plots").exists()
