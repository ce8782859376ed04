"""Pipelines saved by commit 818f9c3 load and predict the same.

`golden/make.py` wrote golden/*.zip, one saved pipeline each, with its predictions for
some texts in a .json file of the same name.
"""

import json
from pathlib import Path
from zipfile import ZipFile

import pytest
import spacy

GOLDEN = Path(__file__).parent / "golden"
NAMES = sorted(path.stem for path in GOLDEN.glob("*.zip"))


def describe(doc):
    """All that a pipeline wrote to a document; of its vectors every fifth value."""
    return {
        "text": doc.text,
        "ents": [[e.start, e.end, e.label_, e._.score] for e in doc.ents],
        "spans": {
            key: [
                [span.start, span.end, span.label_, float(score)]
                for span, score in zip(
                    group, group.attrs.get("scores", []), strict=True
                )
            ]
            for key, group in doc.spans.items()
        },
        "tags": [[t.tag_, float(t._.tag_score)] for t in doc if t.tag_],
        "tensor": doc.tensor.ravel()[::5].tolist(),
    }


def approximately(expected):
    """The same, with some tolerance for each number that is not whole."""
    if isinstance(expected, dict):
        return {key: approximately(value) for key, value in expected.items()}
    if isinstance(expected, list):
        return [approximately(value) for value in expected]
    if isinstance(expected, float):
        return pytest.approx(expected, rel=0, abs=1e-5)
    return expected


def test_each_pipeline_has_expected_predictions():
    assert NAMES
    assert sorted(path.stem for path in GOLDEN.glob("*.json")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_pipeline_predicts_the_same(name, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with ZipFile(GOLDEN / f"{name}.zip") as file:
        file.extractall(tmp_path)
    # No folder there has the name of an encoder.
    monkeypatch.chdir(tmp_path)
    nlp = spacy.load(tmp_path)
    expected = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    docs = [nlp(case["text"]) for case in expected]
    assert [describe(doc) for doc in docs] == approximately(expected)
