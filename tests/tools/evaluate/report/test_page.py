"""The HTML report."""

import copy
import re
import sys
from html.parser import HTMLParser

import pytest

from spacy_ner_ext.tools.evaluate.evaluate import Evaluation
from spacy_ner_ext.tools.evaluate.report.page import render_report, write_report
from spacy_ner_ext.util.errors import UserError
from tests.helpers.evaluation_results import (
    NO_SCORE,
    make_calibration,
    make_categories,
    make_comparison,
    make_entities,
    make_example,
    make_result,
    make_scores,
    make_thresholds,
)

EVIL = "<script>alert('&')</script>_$x^{0}"
# Elements without an end, and those whose end may be left out.
VOID = {"meta", "input", "br", "path", "use"}
SECTIONS = (
    *("summary", "labels", "metrics", "errors", "groups", "thresholds"),
    *("calibration", "examples", "categories", "comparison", "about"),
)


class Page(HTMLParser):
    """Reads a page, and checks that its elements are nested well."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.content = [], [], []
        self.sections, self.tables = {}, []
        self.feed(text)
        self.close()
        assert not self.open
        self.text = " ".join("".join(self.content).split())

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.elements.append((tag, attrs))
        if tag not in VOID:
            self.open.append((tag, attrs))
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop()[0] == tag

    def handle_data(self, data):
        if any(tag in ("style", "script") for tag, _ in self.open):
            return
        self.content.append(data)
        for tag, attrs in self.open:
            if tag == "section":
                key = attrs["id"]
                self.sections[key] = self.sections.get(key, "") + data
        if any(tag in ("td", "th") for tag, _ in self.open):
            self.tables[-1][-1][-1] += data

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]


def read(result):
    return Page(render_report(result))


@pytest.fixture(scope="module")
def text():
    return render_report(make_result(charts=True))


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


# --- Content ----------------------------------------------------------------------


def test_all_sections_are_there_and_in_the_contents(page):
    assert tuple(page.sections) == SECTIONS
    links = [attrs["href"] for attrs in page.all("a")]
    assert links == [f"#{key}" for key in SECTIONS]
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_the_summary_has_scores_and_weak_points(page):
    for text in (
        *("60.0", "57.0–63.0", "1,000 bootstrap resamples"),
        *("Outcome of 92 gold entities", "Weakest labels: VESSEL (F1 59.0"),
        *("Most frequent confusion: VESSEL predicted as PERSON (2 of 24)",),
        *("2 gold entities are misaligned", "p = 0.012"),
    ):
        assert text in " ".join(page.sections["summary"].split())


def test_numbers_of_tables_are_those_of_the_result(page):
    rows = {row[0]: row for table in page.tables for row in table if row}
    expected = ["60.0", "", "57.0–63.0", "65.0", "55.0", "100", "90"]
    assert rows["PERSON"][1:] != expected  # A later table has the same label.
    (labels, *_) = page.tables
    assert labels[1] == ["PERSON", *expected]
    assert [row[0] for row in labels[4:]] == ["micro", "macro", "weighted"]
    assert rows["strict: boundaries and label"][1:5] == ["55.0", "60.0", "50.0", "60"]
    assert rows["unseen"][1] == "40.0"
    assert rows["exact, micro"][1:] == [
        *("60.0", "50.0", "+10.0", "+2.0 to +18.0", "0.012"),
    ]


def test_the_page_loads_nothing(page, text):
    for _, attrs in page.elements:
        for name, value in attrs.items():
            if name in ("src", "srcset", "data", "action"):
                raise AssertionError(f"{name} = {value}")
            if name in ("href", "xlink:href"):
                assert value.startswith("#")
    assert not page.all("link") and not page.all("iframe")
    assert "url(http" not in text and "@import" not in text


def test_the_page_can_be_used_with_a_screen_reader(page):
    (html,) = page.all("html")
    assert html["lang"] == "en"
    assert all(attrs.get("scope") in ("row", "col") for attrs in page.all("th"))
    figures = page.all("figure")
    assert len(figures) == 6
    assert all(f["role"] == "img" and f["aria-label"] for f in figures)
    boxes = [a for a in page.all("div") if a.get("class") == "scroll"]
    assert len(boxes) == len(page.all("table"))
    assert all(box["tabindex"] == "0" and box["aria-label"] for box in boxes)


def test_charts_use_the_colors_of_the_page(text):
    drawings = "".join(re.findall("(?s)<svg.*?</svg>", text))
    assert "var(--ink-0)" in drawings and "var(--ink-2)" in drawings
    assert not re.findall("(?:fill|stroke): #(?!000000)[0-9a-f]{6}", drawings)
    defined = set(re.findall("--ink-[0-9]", text.split("</style>")[0]))
    assert set(re.findall("--ink-[0-9]", drawings)) <= defined


def test_examples_have_gold_above_predictions(page):
    text = " ".join(page.sections["examples"].split())
    start = text.index("missed, wrong boundary ·")
    assert text[start:].startswith(
        "missed, wrong boundary · document 0 · 'Dunmore' is VESSEL, as in training "
        "data, and was missed. goldInes MarlowPERSON sailed the DunmoreVESSEL. "
        "predictedInesPERSON 0.93 Marlow sailed the Dunmore."
    )
    (article, *_) = page.all("article")
    assert article["data-kinds"] == '["missed", "wrong boundary"]'
    assert article["data-labels"] == '["PERSON", "VESSEL"]'
    assert article["data-confidence"] == "0.93"
    assert "baseline" in page.sections["comparison"]


def marks(example):
    result = make_result()
    result["entities"]["examples"] = [example]
    text = render_report(result).split('id="entities-list"')[1].split("</article>")[0]
    return re.findall('<mark class="([^"]*)">([^<]*)<', text)


def test_differences_are_framed():
    example = make_example()
    example["predicted"].append(
        {"start": 23, "end": 30, "label": "VESSEL", "score": None}
    )
    assert marks(example) == [
        *(("c0 wrong", "Ines Marlow"), ("c2", "Dunmore")),
        *(("c0 wrong", "Ines"), ("c2", "Dunmore")),
    ]


@pytest.mark.parametrize("score", [None, 0.5])
def test_of_two_entities_of_a_label_only_the_missed_one_is_framed(score):
    example = make_example(text="Ines met Swift.")
    names = {"start": 0, "end": 4, "label": "PERSON"}, {"start": 9, "end": 14}
    example["gold"] = [names[0], {**names[1], "label": "PERSON"}]
    example["predicted"] = [
        {**names[0], "score": score},
        {**names[1], "label": "person", "score": score},
    ]
    framed = [(style.endswith("wrong"), text) for style, text in marks(example)]
    assert framed == [(False, "Ines"), (True, "Swift")] * 2
    example["gold"].append({"start": 0, "end": 8, "label": "PERSON"})
    result = make_result()
    result["entities"]["examples"] = [example]
    gold = render_report(result).split('id="entities-list"')[1].split("predicted<")[0]
    lines = re.findall(r'<i class="line ([^"]*)"[^>]*><small>([^<]*)', gold)
    assert len(lines) == 3
    assert sum(style.endswith("wrong") for style, _ in lines) == 2


def test_entities_that_overlap_are_drawn_below_the_text():
    example = make_example()
    example["gold"].append({"start": 5, "end": 22, "label": "PLACE"})
    result = make_result()
    result["entities"]["examples"] = [example]
    page = read(result)
    text = " ".join(page.sections["examples"].split())
    assert "Ines PERSON MarlowPLACE sailed the DunmoreVESSEL ." in text
    assert sum(a.get("class") == "stack" for a in page.all("span")) == 4


def test_a_cut_text_has_ellipses():
    example = {**make_example(), "cut_before": True, "cut_after": True}
    result = make_result()
    result["entities"]["examples"] = [example]
    assert "… Ines Marlow" in " ".join(read(result).sections["examples"].split())


# --- Odd results ------------------------------------------------------------------


def with_text(value, text):
    """A copy of a result in which all texts are another one."""
    if isinstance(value, dict):
        return {key: with_text(each, text) for key, each in value.items()}
    if isinstance(value, list):
        return [with_text(each, text) for each in value]
    return text if isinstance(value, str) else value


def test_texts_of_the_data_are_escaped():
    labels = (EVIL, '"', "b</style>")
    result = make_result(labels, charts=True)
    example = make_example(text=EVIL * 3, labels=labels)
    result["entities"]["examples"] = [example]
    for part in ("model", "corpus", "notes"):
        result[part] = with_text(result[part], EVIL)
    page = read(result)
    assert [attrs for attrs in page.all("script") if attrs] == []
    assert len(page.all("script")) == 1
    (article, *_) = page.all("article")
    assert "\\u003cscript" in article["data-labels"]
    assert f"{EVIL * 3}"[11:23] in page.text
    assert page.text.count(EVIL) > 10


def test_text_from_right_to_left():
    example = make_example(text="איינס מרלו הפליגה על הדנמור לברגן.")
    result = make_result()
    result["entities"]["examples"] = [example]
    text = render_report(result)
    drawn = text.split('id="entities-list"')[1].split("</article>")[0]
    assert drawn.count('<div dir="rtl">') == 2
    assert 'dir="ltr"' not in drawn


def test_an_empty_result():
    page = read({"format": 1, "entities": None, "categories": None, "comparison": None})
    assert set(page.sections) == {
        *("summary", "entities", "categories", "comparison", "about"),
    }
    assert "neither entities nor categories" in page.sections["summary"]
    assert "--baseline" in page.sections["comparison"]


def test_categories_alone():
    page = read(make_result(entities=None, comparison=None))
    assert "Empty: the pipeline predicts no entities" in page.sections["entities"]
    text = " ".join(page.sections["categories"].split())
    assert "Predicted by 'textcat': one category for each text." in text
    assert "goldletter predictedlogbook 0.91 textDear Ines" in text


def test_predictions_without_probabilities():
    entities = make_entities()
    for example in entities["examples"]:
        del example["predicted"][0]["score"]
    page = read(make_result(entities=entities, categories=None))
    for key in ("thresholds", "calibration"):
        assert "the predictions have no probabilities" in page.sections[key]
    assert not page.all("figure")
    assert "Probability from" not in page.sections["examples"]


def test_without_training_data_and_examples():
    entities = make_entities()
    entities["groups"]["seen"], entities["examples"] = None, []
    page = read(make_result(entities=entities))
    assert "--train CORPUS" in page.sections["groups"]
    assert "No errors." in page.sections["examples"]


def test_scores_that_are_not_defined_are_dashes():
    entities = make_entities(("A",))
    for scores in entities["metrics"].values():
        for average in ("micro", "macro", "weighted"):
            scores[average] = NO_SCORE
        scores["labels"] = {"A": NO_SCORE}
    entities["errors"] = {"labels": {}}
    result = make_result(("A",), entities=entities)
    result["comparison"]["differences"]["exact"]["micro"]["f"] = dict.fromkeys(
        ("ours", "baseline", "difference", "interval", "p_value")
    )
    page = read(result)
    assert page.tables[0][1] == ["A", "–", "", "–", "–", "–", "0", "0"]
    assert "The difference from models/older is not defined." in page.text


@pytest.mark.parametrize("n_labels", [1, 50])
def test_any_number_of_labels(n_labels):
    labels = tuple(f"LABEL_{i}" for i in range(n_labels))
    page = read(make_result(labels, charts=True))
    assert len(page.tables[0]) == n_labels + 4
    assert ("without 43 others" in page.text) == (n_labels == 50)


def test_the_same_result_gives_the_same_page(tmp_path):
    result = make_result(charts=True)
    before = copy.deepcopy(result)
    for name in ("a.html", "b.html"):
        write_report(result, tmp_path / name)
    first = (tmp_path / "a.html").read_bytes()
    assert first == (tmp_path / "b.html").read_bytes()
    assert result == before
    assert len(first) < 300_000


def test_a_hundred_long_examples_and_many_labels_stay_small():
    labels = tuple(f"LABEL_{i}" for i in range(30))
    text = "Ines Marlow sailed the Dunmore to Bergen and back again. " * 8
    entities = make_entities(labels)
    entities["examples"] = [make_example(i, text, labels) for i in range(100)]
    comparison = make_comparison(labels)
    example = comparison["changed"]["examples"][0]
    comparison["changed"]["examples"] = [example] * 100
    entities["calibration"] = make_calibration(labels)
    entities["thresholds"] = make_thresholds(labels)
    categories = make_categories(labels)
    categories.update(make_scores(labels))
    result = make_result(
        labels, entities=entities, comparison=comparison, categories=categories
    )
    assert len(render_report(result).encode()) < 1_000_000


def test_a_path_that_is_not_utf8(tmp_path):
    result = make_result()
    result["corpus"]["path"] = "caf\udce9.spacy"
    write_report(result, tmp_path / "report.html")
    assert "caf\\udce9.spacy" in (tmp_path / "report.html").read_text()


def test_a_missing_library_is_named_with_its_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UserError, match=r"matplotlib cannot .*ner-ext\[report\]"):
        Evaluation(make_result()).to_html(tmp_path / "report.html")
    assert not list(tmp_path.iterdir())
