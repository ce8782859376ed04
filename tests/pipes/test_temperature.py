"""The `temperature` setting of the components."""

import json

import numpy
import pytest
import spacy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_ner_ext.crf.marginals import entity_probabilities, tag_marginals
from spacy_ner_ext.crf.objectives import OBJECTIVES
from tests.helpers.pipelines import TEXTS, fitted, output, subject
from tests.helpers.uncertain import KINDS, pipeline, read, scores

temperatures = st.floats(-6.9, 6.9).map(lambda x: float(numpy.exp(x)))


def entities(outputs):
    return [
        ([e[:3] for e in ents], {key: [s[:3] for s in g] for key, g in groups.items()})
        for ents, groups in outputs
    ]


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
def test_the_temperature_does_not_change_entities(
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
    assert cold.min() > 0.99, "all probability is on the best entities"
    assert hot.max() < 0.6 and hot.max() < one.max()


def test_overlapping_entities_are_chosen_at_temperature_1():
    """At other temperatures their order of probabilities would differ."""
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


def test_temperature_1_changes_nothing():
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


def test_the_temperature_divides_the_logits_of_span_markers():
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


def test_the_temperature_changes_scores_of_tags_but_not_tags():
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


def test_pipelines_saved_without_a_temperature_have_temperature_1(tmp_path):
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
