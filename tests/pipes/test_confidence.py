"""Temperature and thresholds of the components."""

import json
from functools import cache

import numpy
import pytest
import spacy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.cli.find_threshold import find_threshold
from spacy.tokens import DocBin

from spacy_ner_ext.crf.marginals import entity_probabilities, tag_marginals
from spacy_ner_ext.crf.objectives import OBJECTIVES
from spacy_ner_ext.tools.calibrate.store import store
from tests.helpers.pipelines import (
    CORPUS,
    TEXTS,
    annotate,
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

KINDS = ["flat", "per_label", "span_marker"]
ENTITIES = {"flat": "crf_ner", "per_label": "crf_ner", "span_marker": "span_marker_ner"}
temperatures = st.floats(-6.9, 6.9).map(lambda x: float(numpy.exp(x)))


@cache
def pipeline(kind):
    """A pipeline that finds a lot, with probabilities of all sizes."""
    if kind == "span_marker":
        return fit(kind, steps=14)
    nlp = build({"crf_ner": crf(structure=kind)})
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    layer = subject(nlp).model.get_ref("output_layer")
    shape = layer.get_param("W").shape
    layer.set_param("W", numpy.random.default_rng(0).normal(size=shape).astype("f"))
    return nlp


def read(nlp, kept=(), **cfg):
    """What is found with some settings: entities, groups, and their scores."""
    component = subject(nlp)
    before = dict(component.cfg)
    component.cfg.update(cfg)
    docs = [nlp.make_doc(text) for text in TEXTS]
    for doc in docs:
        annotate(doc, [span for span in kept if span[1] <= len(doc)])
    outputs = [output(component(doc))[:2] for doc in docs]
    component.cfg.update(before)
    return outputs


def entities(outputs):
    return [
        ([e[:3] for e in ents], {key: [s[:3] for s in g] for key, g in groups.items()})
        for ents, groups in outputs
    ]


def scores(outputs):
    return [score for ents, _ in outputs for *_, score in ents if score is not None]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(KINDS),
    temperatures,
    st.sampled_from([0.0, -1.5, 2.0]),
    st.sampled_from(["ents", ["ents", "sc", "*"]]),
    st.booleans(),
    st.sampled_from([[], [(0, 1, "PER")], [(1, 3, "OTHER")]]),
    st.sampled_from(sorted(OBJECTIVES)),
)
def test_no_temperature_changes_an_entity(
    kind, temperature, entity_bias, places, overwrite, kept, objective
):
    nlp = pipeline(kind)
    cfg = {"entity_bias": entity_bias, "annotate": places, "overwrite": overwrite}
    if kind != "span_marker":
        cfg["objective"] = objective
    expected = read(nlp, kept, **cfg)
    tempered = read(nlp, kept, **cfg, temperature=temperature)
    assert entities(tempered) == entities(expected)
    assert all(0 <= score <= 1 for score in scores(tempered))


@pytest.mark.parametrize("kind", KINDS)
def test_temperatures_make_probabilities_more_or_less_extreme(kind):
    nlp = pipeline(kind)
    one = numpy.array(scores(read(nlp)))
    assert len(one) > 3
    cold, hot = (numpy.array(scores(read(nlp, temperature=t))) for t in (0.001, 100))
    assert cold.min() > 0.99, "what is best is all that there is"
    assert hot.max() < 0.6 and hot.max() < one.max()


def test_the_best_of_overlapping_entities_is_that_of_temperature_1():
    """Their order would be another by the probabilities that are written."""
    nlp = pipeline("per_label")
    places = ["ents", "sc"]
    differ = 0
    for temperature in (0.2, 0.5, 2.0, 5.0, 50.0):
        tempered = read(nlp, annotate=places, temperature=temperature)
        for (ents, groups), (same, _) in zip(
            tempered, read(nlp, annotate=places), strict=True
        ):
            assert [ent[:3] for ent in ents] == [ent[:3] for ent in same]
            dropped = [span for span in groups["sc"] if span not in ents]
            differ += any(
                span[3] > ent[3] and span[0] < ent[1] and ent[0] < span[1]
                for span in dropped
                for ent in ents
            )
    assert differ


def marked(component, doc):
    """The spans that got markers, and their logits."""
    candidates = component.find_candidates([doc])
    scored = component.model.predict(candidates)
    return candidates.spans[scored.chosen], scored.logits


def test_temperature_1_gives_the_bits_of_the_model():
    nlp = pipeline("flat")
    component = subject(nlp)
    for text in TEXTS:
        doc = nlp.make_doc(text)
        [spans] = component.predict([doc])
        tags, lattice = component.tags, component.model.predict([doc])
        rows = [(0, s.start, s.end, tags.locate(s.label)[1]) for s in spans]
        expected = entity_probabilities(lattice, tags, numpy.array(rows))
        assert [span.score for span in spans] == expected.tolist()
    nlp = pipeline("span_marker")
    component = subject(nlp)
    doc = nlp.make_doc(TEXTS[0])
    [entities_] = component.predict([doc])
    spans, logits = marked(component, doc)
    rows = component.model.ops.softmax(logits)
    assert entities_
    for start, end, label, score, _ in entities_:
        [row] = rows[(spans.first == start) & (spans.last == end - 1)]
        assert score == float(row[1 + component.labels.index(label)])


def test_span_markers_divide_logits():
    nlp = pipeline("span_marker")
    component = subject(nlp)
    doc = nlp.make_doc(TEXTS[1])
    spans, logits = marked(component, doc)
    expected = torch.softmax(torch.tensor(logits) / 2.5, -1).numpy()
    component.cfg["temperature"] = 2.5
    [found_] = component.predict([doc])
    component.cfg["temperature"] = 1.0
    assert found_
    for start, end, label, score, _ in found_:
        [row] = expected[(spans.first == start) & (spans.last == end - 1)]
        assert score == pytest.approx(row[1 + component.labels.index(label)], abs=1e-6)


def test_the_scores_of_tags_are_tempered_and_tags_are_not():
    nlp = fitted("tagger")
    component = subject(nlp)
    plain = output(nlp(TEXTS[0]))[1]["tag"]
    component.cfg["temperature"] = 3.0
    doc = nlp(TEXTS[0])
    tempered = output(doc)[1]["tag"]
    assert [row[:3] for row in tempered] == [row[:3] for row in plain]
    lattice = component.model.predict([doc]).scaled(1 / 3)
    marginals = tag_marginals(lattice, component.tags.allowed_transitions)[:, 0]
    chosen = [component.labels.index(row[2]) for row in tempered]
    expected = marginals[range(len(doc)), chosen]
    assert [row[3] for row in tempered] == pytest.approx(expected.tolist(), abs=1e-6)


# --- Thresholds by label -------------------------------------------------------


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


def test_thresholds_are_compared_with_the_probabilities_that_are_written():
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
def test_a_wrong_setting_is_named(kind, wrong, message):
    name = ENTITIES[kind]
    config = span_marker() if kind == "span_marker" else crf(structure=kind)
    with pytest.raises(ValueError, match=message):
        build({name: {**config, **wrong}})


def test_a_table_of_thresholds_lists_labels_that_there_are(tmp_path):
    message = "'crf_ner' lists the label 'PERSON'.*LOC, PER"
    with pytest.raises(ValueError, match=message):
        fit({"crf_ner": crf(threshold={"PERSON": 0.5})}, steps=1)
    fitted("flat_biluo").to_disk(tmp_path)
    store(tmp_path, "crf_ner", {"threshold": {"PERSON": 0.5}})
    with pytest.raises(ValueError, match=message):
        spacy.load(tmp_path)


# --- Saved pipelines -----------------------------------------------------------


@pytest.mark.parametrize("name", ["flat_biluo", "per_label", "span_marker"])
def test_settings_survive_files_bytes_and_configs(name, tmp_path):
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


def test_pipelines_of_before_have_temperature_1(tmp_path):
    nlp = fitted("flat_biluo")
    expected = [output(nlp(text)) for text in TEXTS]
    nlp.to_disk(tmp_path)
    text = (tmp_path / "config.cfg").read_text()
    assert "temperature = 1.0\n" in text
    (tmp_path / "config.cfg").write_text(text.replace("temperature = 1.0\n", ""))
    saved = json.loads((tmp_path / "crf_ner" / "cfg").read_text())
    del saved["temperature"]
    (tmp_path / "crf_ner" / "cfg").write_text(json.dumps(saved))
    loaded = spacy.load(tmp_path)
    assert [output(loaded(text)) for text in TEXTS] == expected


def test_spacy_finds_a_threshold_in_the_place_of_a_table(tmp_path):
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
