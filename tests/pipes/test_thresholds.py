"""The `threshold` setting of the components."""

import numpy
import pytest
import spacy
from spacy.cli.find_threshold import find_threshold
from spacy.tokens import DocBin

from spacy_ner_ext.tools.calibrate.store import store
from tests.helpers.pipelines import (
    CORPUS,
    TEXTS,
    build,
    crf,
    fit,
    fitted,
    found,
    make_examples,
    output,
    span_marker,
    subject,
)
from tests.helpers.uncertain import ENTITIES, KINDS, pipeline, read, scores


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_of_thresholds_drops_by_label(kind):
    nlp = pipeline(kind)
    cfg = {"annotate": "sc", "entity_bias": 2.0}
    spans = [span for _, g in read(nlp, **cfg) for span in g["sc"]]
    limit = float(numpy.median([s[3] for s in spans if s[2] == "LOC"]))
    kept = [s for _, g in read(nlp, **cfg, threshold={"LOC": limit}) for s in g["sc"]]
    assert kept == [s for s in spans if s[2] != "LOC" or s[3] >= limit]
    n_kept, n_spans = ([s[2] for s in each].count("LOC") for each in (kept, spans))
    assert 0 < n_kept < n_spans
    assert any(s[2] == "PER" for s in kept)
    both = {"PER": limit, "LOC": limit}
    by_label, one = read(nlp, **cfg, threshold=both), read(nlp, **cfg, threshold=limit)
    assert by_label == one


def test_thresholds_are_compared_with_the_written_probabilities():
    nlp = pipeline("flat")
    cfg = {"temperature": 3.0}
    every = scores(read(nlp, **cfg))
    limit = float(numpy.median(every))
    kept = scores(read(nlp, **cfg, threshold=limit))
    assert kept == [score for score in every if score >= limit]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "wrong,message",
    [
        ({"temperature": 0.0}, r"temperature of '\w+' is 0.0.*0.001 to 1000"),
        ({"temperature": -1}, r"temperature of '\w+' is -1"),
        ({"temperature": 1e9}, r"temperature of '\w+' is 1000000000.0"),
        ({"threshold": {"PER": 1.5}}, r"threshold of 'PER' in '\w+'.*is 1.5.*0 to 1"),
        ({"threshold": -0.5}, r"threshold of '\w+' is.*-0.5.*0 to 1"),
    ],
)
def test_an_invalid_temperature_or_threshold_is_an_error(kind, wrong, message):
    name = ENTITIES[kind]
    config = span_marker() if kind == "span_marker" else crf(structure=kind)
    with pytest.raises(ValueError, match=message):
        build({name: {**config, **wrong}})


def test_a_table_of_thresholds_lists_labels_of_the_component(tmp_path):
    message = "'crf_ner' lists the label 'PERSON'.*LOC, PER"
    with pytest.raises(ValueError, match=message):
        fit({"crf_ner": crf(threshold={"PERSON": 0.5})}, steps=1)
    fitted("flat_biluo").to_disk(tmp_path)
    store(tmp_path, "crf_ner", {"threshold": {"PERSON": 0.5}})
    with pytest.raises(ValueError, match=message):
        spacy.load(tmp_path)


@pytest.mark.parametrize("name", ["flat_biluo", "per_label", "span_marker"])
def test_temperature_and_threshold_are_saved(name, tmp_path):
    nlp = fitted(name)
    pipe = subject(nlp).name
    nlp.to_disk(tmp_path / "plain")
    chosen = {"temperature": 2.5, "threshold": {"PER": 0.25}}
    store(tmp_path / "plain", pipe, chosen)
    nlp = spacy.load(tmp_path / "plain")
    expected = [output(nlp(text)) for text in TEXTS]
    nlp.to_disk(tmp_path / "chosen")
    fresh = spacy.util.load_model_from_config(nlp.config).from_bytes(nlp.to_bytes())
    for loaded in (spacy.load(tmp_path / "chosen"), fresh):
        config = loaded.config["components"][pipe]
        assert {key: config[key] for key in chosen} == chosen
        assert {key: subject(loaded).cfg[key] for key in chosen} == chosen
        assert [output(loaded(text)) for text in TEXTS] == expected


def test_find_threshold_replaces_a_table_of_thresholds(tmp_path):
    nlp = fitted("flat_biluo")
    nlp.get_pipe_config("crf_ner")["threshold"] = {"PER": 0.5}
    nlp.to_disk(tmp_path / "model")
    docs = [example.reference for example in make_examples(nlp)]
    DocBin(docs=docs).to_disk(tmp_path / "dev.spacy")
    files = tmp_path / "model", tmp_path / "dev.spacy"
    where = "crf_ner", "threshold", "ents_f"
    _, best, _ = find_threshold(*files, *where, n_trials=3)
    assert best == 1.0
    assert found(nlp(TEXTS[0])) == CORPUS[0][1]
