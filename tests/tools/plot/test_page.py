"""The images and the page with all of them."""

import base64
import re
import sys
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import pytest

from spacy_ner_ext.tools.plot.page import write_plots
from spacy_ner_ext.tools.plot.runs import read_runs
from spacy_ner_ext.util.errors import UserError
from tests.tools.plot.conftest import row

EVIL = "<script>alert('&')</script>_$x^"
PNG = b"\x89PNG\r\n"


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


def test_long_runs_are_read_and_drawn(make_run, tmp_path):
    rows = [row(step) for step in range(20_000)]
    rows[12_345]["words_per_second"] = 1e6
    runs = read_runs([make_run("a", rows)])
    assert len(runs[0].column("step")) == 20_000
    *_, speed, _ = write_plots(runs, tmp_path / "plots", "svg")
    # The one that stands out is drawn, and most others are not.
    assert "1,000,000" in speed.read_text() and speed.stat().st_size < 200_000


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
    with pytest.raises(UserError, match=r'pip install "spacy-ner-ext\[plot\]"'):
        write_plots(read_runs([make_run("a", [row(0)])]), tmp_path / "plots")
    assert not (tmp_path / "plots").exists()
