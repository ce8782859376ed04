"""Texts over spaCy's limit: windows that give what the whole text would."""

import random

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import SpanGroup

from spacy_ner_ext import predict
from spacy_ner_ext.tools.predict import long
from tests.helpers.pipelines import TEXTS, fitted

SIZE = 400


@pytest.fixture
def small_windows(monkeypatch):
    monkeypatch.setattr(long, "SIZE", SIZE)
    monkeypatch.setattr(long, "MARGIN", 80)


def long_text(n_sentences=60, seed=0):
    draw = random.Random(seed)
    gaps = [" ", "  ", "\n", " \n\n"]
    return "".join(
        draw.choice(TEXTS[:3]) + draw.choice(gaps) for _ in range(n_sentences)
    )


def whole_and_in_windows(nlp, text):
    [whole] = predict(nlp, [text])
    nlp.max_length = SIZE
    assert len(text) > 3 * SIZE
    results = list(predict(nlp, ["New York", text, "Oslo"], batch_size=3))
    assert [result["text"] for result in results] == ["New York", text, "Oslo"]
    return whole, results[1]


def without_scores(result):
    return [{**entity, "score": None} for entity in result["entities"]]


@pytest.mark.parametrize(
    "context",
    [
        {"context": "none"},
        {"context": "sentences", "max_prev_context": 1, "max_next_context": 1},
    ],
)
def test_by_sentence_windows_are_exact(small_windows, context):
    nlp = fitted("span_marker")
    nlp.add_pipe("sentencizer", first=True)
    nlp.get_pipe("span_marker_ner").cfg.update(context)
    whole, found = whole_and_in_windows(nlp, long_text())
    assert without_scores(found) == without_scores(whole)
    assert len(whole["entities"]) > 20
    # But for rounding, which depends on the sentences of a batch.
    scores = [entity["score"] for entity in found["entities"]]
    assert scores == pytest.approx([e["score"] for e in whole["entities"]], abs=1e-5)


@pytest.mark.parametrize("pipes", ["flat_biluo", "per_label", "group", "listening"])
def test_a_crf_finds_the_same_in_windows(small_windows, pipes):
    nlp = fitted(pipes)
    whole, found = whole_and_in_windows(nlp, long_text())
    assert set(found) == set(whole)
    assert without_scores(found) == without_scores(whole)
    if "sc" in whole.get("spans", {}):
        # Within a window, they are in the order of the component.
        groups = [result["spans"]["sc"] for result in (whole, found)]
        first, second = ([(s["start"], s["label"]) for s in g] for g in groups)
        assert sorted(second) == sorted(first)


def test_texts_up_to_the_limit_are_not_cut(monkeypatch):
    monkeypatch.setattr(long, "predict_windows", None)
    nlp = fitted("flat_biluo")
    nlp.max_length = len(TEXTS[0])
    [result] = predict(nlp, [TEXTS[0]])
    assert len(result["entities"]) == 2


def test_categories_are_the_mean_of_windows(small_windows):
    nlp = spacy.blank("en")

    @spacy.Language.component("share_of_a")
    def share_of_a(doc):
        doc.cats = {"A": doc.text.count("a ") * 2 / len(doc.text)}
        doc.spans["empty"] = SpanGroup(doc)
        return doc

    nlp.add_pipe("share_of_a")
    text = "a " * 400 + "b " * 400
    whole, found = whole_and_in_windows(nlp, text)
    assert found["cats"]["A"] == pytest.approx(whole["cats"]["A"], abs=0.1)
    assert found["spans"] == {"empty": []}


def test_a_component_that_skips_texts_is_an_error(small_windows):
    nlp = fitted("flat_biluo")
    nlp.max_length = SIZE

    @spacy.Language.component("fails")
    def fails(doc):
        raise RuntimeError("no")

    nlp.add_pipe("fails")
    nlp.set_error_handler(lambda *args: None)
    with pytest.raises(ValueError, match="skips texts"):
        list(predict(nlp, [long_text()]))


@settings(deadline=None, max_examples=60)
@given(
    st.text(st.sampled_from("ab. \n\u3000"), min_size=1, max_size=300),
    st.integers(1, 60),
    st.booleans(),
)
def test_every_entity_is_found_once_at_its_place(text, limit, has_sentences):
    nlp = spacy.blank("en")
    if has_sentences:
        nlp.add_pipe("sentencizer")
    patterns = [{"label": "X", "pattern": [{"LOWER": "ab"}]}]
    nlp.add_pipe("entity_ruler").add_patterns(patterns)
    wanted = [(ent.start_char, ent.end_char) for ent in nlp(text).ents]
    nlp.max_length = limit
    [result] = predict(nlp, [text])
    found = [(entity["start"], entity["end"]) for entity in result["entities"]]
    assert all(text[start:end] == "ab" for start, end in found)
    assert found == sorted(set(found))
    # Runs without white space that do not fit a window are cut.
    if max(map(len, text.split()), default=0) <= limit // 8:
        assert found == wanted
