"""`predict`: plain values of a stream of texts."""

import math

import numpy
import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, SpanGroup

from spacy_ner_ext.tools.predict import predict as predicting
from spacy_ner_ext.tools.predict.predict import Words, describe, predict
from tests.helpers.pipelines import PIPELINES, TEXTS, build, fitted


def test_entities_are_those_of_the_pipeline_in_characters():
    nlp = fitted("flat_biluo")
    results = list(predict(nlp, iter(TEXTS), batch_size=2))
    assert [result["text"] for result in results] == TEXTS
    for doc, result in zip(nlp.pipe(TEXTS), results, strict=True):
        for found, ent in zip(result["entities"], doc.ents, strict=True):
            boundaries = found["start"], found["end"]
            assert boundaries == (ent.start_char, ent.end_char)
            assert found["label"] == ent.label_
            assert found["text"] == result["text"][found["start"] : found["end"]]
            assert found["score"] == pytest.approx(ent._.score, abs=1e-6)
    assert any(result["entities"] for result in results)


def test_span_groups_have_scores():
    nlp = fitted("group")
    [result] = predict(nlp, [TEXTS[0]])
    group = result["spans"]["sc"]
    assert result["entities"] == []
    assert [(found["text"], found["label"]) for found in group] == [
        ("Anna Berg", "PER"),
        ("New York", "LOC"),
    ]
    assert all(0 < found["score"] <= 1 for found in group)


def test_a_score_that_nobody_gave_is_none():
    nlp = spacy.blank("en")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "LOC", "pattern": "Oslo"}])
    [result] = predict(nlp, ["In Oslo"])
    found = {"start": 3, "end": 7, "label": "LOC", "text": "Oslo", "score": None}
    assert result == {"text": "In Oslo", "entities": [found]}


@pytest.mark.parametrize("scores", [[0.25, math.nan], [0.25]])
def test_scores_of_groups_are_aligned_or_left_out(scores):
    doc = Doc(build({}).vocab, words=["a", "b"])
    group = SpanGroup(doc, name="sc", spans=[doc[0:1], doc[1:2]])
    group.attrs["scores"] = numpy.array(scores)
    doc.spans["sc"] = group
    expected = [0.25, None] if len(scores) == 2 else [None, None]
    assert [found["score"] for found in describe(doc)["spans"]["sc"]] == expected


def test_categories_have_scores():
    nlp = spacy.blank("en")
    textcat = nlp.add_pipe("textcat")
    textcat.add_label("good")
    textcat.add_label("bad")
    nlp.initialize()
    [result] = predict(nlp, ["fine"])
    assert set(result["cats"]) == {"good", "bad"}
    assert sum(result["cats"].values()) == pytest.approx(1, abs=1e-5)


def test_offsets_count_characters_of_any_script():
    nlp = spacy.blank("xx")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "LOC", "pattern": "Ōsaka"}])
    text = "😂 é Ōsaka"
    [result] = predict(nlp, [text])
    assert [text[e["start"] : e["end"]] for e in result["entities"]] == ["Ōsaka"]


def test_of_documents_the_tokens_are_taken_and_nothing_else():
    nlp = fitted("flat_biluo")
    doc = Doc(nlp.vocab, words=["New", "York"], ents=["B-WRONG", "O"])
    [result, same] = predict(nlp, [doc, Words(["New", "York"], [True, True])])
    assert result == same
    assert [entity["label"] for entity in result["entities"]] == ["LOC"]
    assert [ent.label_ for ent in doc.ents] == ["WRONG"]


def test_results_come_when_their_batch_was_read():
    nlp = fitted("flat_biluo")
    taken = []

    def texts():
        for text in TEXTS:
            taken.append(text)
            yield text

    results = predict(nlp, texts(), batch_size=2)
    next(results)
    assert taken == TEXTS[:2]


@pytest.mark.parametrize("pipes", PIPELINES)
def test_forgetting_new_words_changes_nothing(pipes, monkeypatch):
    nlp = fitted(pipes)
    texts = [f"{text} New{number} York" for number in range(4) for text in TEXTS]
    kept = list(predict(nlp, texts, batch_size=4))
    monkeypatch.setattr(predicting, "KEPT_WORDS", 0)
    nlp = fitted(pipes)
    assert list(predict(nlp, texts, batch_size=4)) == kept
    assert list(predict(nlp, texts, batch_size=4)) == kept


def test_the_vocabulary_stops_growing(monkeypatch):
    nlp = fitted("flat_biluo")
    monkeypatch.setattr(predicting, "KEPT_WORDS", len(nlp.vocab) + 50)
    batches = [[f"word{i}x{j} ." for j in range(40)] for i in range(5)]
    sizes = []
    for batch in batches:
        list(predict(nlp, batch))
        sizes.append(len(nlp.vocab.strings))
    assert len(set(sizes[2:])) == 1
    assert "word0x0" in nlp.vocab.strings
    assert "word4x0" not in nlp.vocab.strings


def test_works_inside_a_memory_zone(monkeypatch):
    monkeypatch.setattr(predicting, "KEPT_WORDS", 0)
    nlp = fitted("flat_biluo")
    with nlp.memory_zone():
        [result] = predict(nlp, ["New York"])
    assert result["entities"][0]["text"] == "New York"


@Language.component("leaves_out_texts")
def leaves_out_texts(doc):
    if "Oslo" in doc.text:
        raise ValueError("no Oslo")
    return doc


def test_a_text_that_an_error_handler_leaves_out_is_an_error():
    nlp = spacy.blank("en")
    nlp.add_pipe("leaves_out_texts")
    nlp.set_error_handler(lambda *_: None)
    with pytest.raises(ValueError, match="of 3 texts the pipeline gave back 2"):
        list(predict(nlp, ["Rome", "Oslo", "Bergen"]))
