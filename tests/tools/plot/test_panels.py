"""The panels of training runs."""

import numpy as np

from spacy_ner_ext.tools.plot.figures import has_wide_range
from spacy_ner_ext.tools.plot.panels import make_panels
from spacy_ner_ext.tools.plot.runs import read_runs
from tests.tools.plot.conftest import row


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
    # The main score, since the runs have different ones.
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
