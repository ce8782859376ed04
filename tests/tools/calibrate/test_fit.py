"""Fitting a temperature and thresholds."""

import itertools
import math
from functools import cache

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc
from spacy.training import Example

from spacy_ner_ext.pipes.predictions import Predictions
from spacy_ner_ext.scorers.reliability import log_loss
from spacy_ner_ext.tools.calibrate.evidence import Evidence, collect
from spacy_ner_ext.tools.calibrate.fit import calibrate, check_evidence, fit_thresholds
from spacy_ner_ext.tools.calibrate.temperature import fit_temperature, minimize
from spacy_ner_ext.util.errors import UserError
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
    subject,
)

OVERCONFIDENT = 3.0


class Logits(Evidence):
    """Entities whose probabilities follow from one number each."""

    def __init__(self, logits, correct, labels=None):
        labels = ["A"] * len(logits) if labels is None else labels
        spans = [(0, i, i + 1, label) for i, label in enumerate(labels)]
        found_ = Predictions(spans, lambda t: 1 / (1 + numpy.exp(-logits / t)))
        everything = numpy.arange(len(logits))
        super().__init__(
            _found=[found_],
            _counted=[everything],
            _correct=list(correct),
            _labels=list(labels),
        )
        self.gold.update(labels)


@settings(max_examples=30, deadline=None)
@given(st.floats(-1.2, 1.2), st.integers(0, 100))
def test_the_temperature_undoes_a_factor_on_the_scores(log_factor, seed):
    rng = numpy.random.default_rng(seed)
    logits = rng.normal(0.5, 1.5, 4000)
    correct = rng.random(4000) < 1 / (1 + numpy.exp(-logits))
    factor = math.exp(log_factor)
    fitted_ = fit_temperature(Logits(logits * factor, correct))
    assert fitted_ == pytest.approx(factor, rel=0.15)
    evidence = Logits(logits * factor, correct)
    best = log_loss(evidence.scores(fitted_), correct)
    for other in (0.5, 0.9, 1.1, 2.0):
        assert best <= log_loss(evidence.scores(fitted_ * other), correct)


@given(st.floats(-3, 3), st.floats(0.01, 10))
def test_the_minimum_is_found(place, width):
    at = minimize(lambda x: (x - place) ** 2 / width, -2.3, 2.3)
    assert at == pytest.approx(min(2.3, max(-2.3, place)), abs=2e-3)


# --- A corpus that a model itself has drawn --------------------------------------


@cache
def drawn():
    """A pipeline, and texts with entities drawn from its own distribution: to them its
    probabilities are exact."""
    nlp = build({"crf_ner": crf()})
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    component = subject(nlp)
    rng = numpy.random.default_rng(0)
    layer = component.model.get_ref("output_layer")
    layer.set_param("W", rng.normal(0, 0.6, layer.get_param("W").shape).astype("f"))
    splits = [], []
    for text in (f"{a} {b}" for a, b in itertools.permutations("uvwxyz", 2)):
        entities, weights = distribution(component, nlp.make_doc(text))
        for split in splits:
            chosen = rng.choice(len(entities), size=24, p=weights)
            split += [(text, entities[number]) for number in chosen]
    return nlp.to_bytes(), splits


def distribution(component, doc):
    """All annotations of two words, and their probabilities."""
    tags, lattice = component.tags, component.model.predict([doc])
    entities, scores = [], []
    for path in itertools.product(range(tags.n_tags), repeat=2):
        legal = (
            tags.allowed_transitions.start[path[0]]
            and tags.allowed_transitions.end[path[1]]
        )
        if legal and tags.allowed_transitions.transitions[path]:
            entities.append(tags.decode(numpy.array(path)[:, None]))
            score = lattice.emissions[range(2), path].sum()
            score += lattice.transitions[0][path]
            score += lattice.start[0, path[0]] + lattice.end[0, path[1]]
            scores.append(float(score))
    weights = numpy.exp(numpy.array(scores) - max(scores))
    return entities, weights / weights.sum()


def overconfident():
    """The same pipeline with all scores times a factor, dev and test."""
    data, splits = drawn()
    nlp = build({"crf_ner": crf()}).from_bytes(data)
    model = subject(nlp).model
    for node in (model.get_ref("output_layer"), model.get_ref("crf")):
        for name in node.param_names:
            node.set_param(name, node.get_param(name) * OVERCONFIDENT)
    return nlp, *(make_examples(nlp, split) for split in splits)


def test_calibrating_undoes_what_made_a_model_overconfident():
    nlp, dev, test = overconfident()
    component = subject(nlp)
    before = collect(nlp, component, test, 500)
    texts = [example.x.text for example in test[::24]]
    entities = [found(doc) for doc in nlp.pipe(texts)]
    result = calibrate(nlp, dev, batch_size=500)
    assert result.temperature == pytest.approx(OVERCONFIDENT, rel=0.2)
    assert result.after.log_loss < result.before.log_loss
    assert result.after.ece < result.before.ece / 2
    assert [found(doc) for doc in nlp.pipe(texts)] == entities
    plain, tempered = before.scores(1.0), before.scores(result.temperature)
    assert log_loss(tempered, before.correct) < log_loss(plain, before.correct)
    gap = abs(tempered.mean() - before.correct.mean())
    assert gap < 0.04 < abs(plain.mean() - before.correct.mean())


def test_the_pipeline_and_its_config_have_the_result(tmp_path):
    nlp, dev, _ = overconfident()
    result = calibrate(nlp, dev[::3], precision=0.5)
    chosen = {"temperature": result.temperature, "threshold": result.threshold}
    assert set(result.threshold) == {"LOC", "PER"}
    for pipeline in (nlp, reloaded(nlp, tmp_path)):
        config = pipeline.config["components"]["crf_ner"]
        assert {key: config[key] for key in chosen} == chosen
        assert {key: subject(pipeline).cfg[key] for key in chosen} == chosen
    doc = dev[0].x
    assert output(nlp(doc.copy())) == output(reloaded(nlp, tmp_path)(doc.text))


def reloaded(nlp, folder):
    nlp.to_disk(folder)
    return nlp.from_config(nlp.config).from_disk(folder)


def test_a_pipeline_is_fitted_afresh():
    nlp, dev, _ = overconfident()
    first = calibrate(nlp, dev[::3])
    second = calibrate(nlp, dev[::3])
    assert second.old_temperature == first.temperature == second.temperature
    assert second.before == first.before


# --- What is counted ---------------------------------------------------------------


def test_evidence_is_what_the_component_finds():
    nlp = fitted("flat_biluo")
    wrong = [(TEXTS[0], [(0, 2, "PER"), (4, 5, "LOC")]), *CORPUS[1:]]
    evidence = collect(nlp, subject(nlp), make_examples(nlp, wrong), 2)
    assert evidence.labels.tolist() == ["PER", "LOC", "PER", "LOC", "LOC", "LOC"]
    assert evidence.correct.tolist() == [True, False, True, True, True, True]
    assert evidence.gold == {"PER": 2, "LOC": 4}
    scores = [ent._.score for doc in nlp.pipe(TEXTS) for ent in doc.ents]
    assert evidence.scores(1.0).tolist() == pytest.approx(scores, abs=1e-6)


def test_words_without_annotation_and_kept_entities_do_not_count():
    nlp = fitted("flat_biluo")
    ruler = nlp.add_pipe("entity_ruler", before="crf_ner")
    ruler.add_patterns([{"label": "PER", "pattern": "Tom Lee Ray"}])
    examples = make_examples(nlp)
    doc = examples[0].reference
    doc.set_ents([doc[0:2]], missing=[doc[4:6]], default="outside")
    doc.set_ents(list(doc.ents), missing=[doc[4:6]], default="unmodified")
    evidence = collect(nlp, subject(nlp), examples, 100)
    assert evidence.skipped == 1
    assert evidence.labels.tolist() == ["PER", "LOC", "LOC", "LOC"]


def test_gold_that_does_not_fit_the_tokens_is_missed():
    nlp = fitted("flat_biluo")
    reference = Doc(nlp.vocab, words=["Os", "lo"], spaces=[False, False])
    example = Example(nlp.make_doc("Oslo"), annotate(reference, [(0, 1, "LOC")]))
    evidence = collect(nlp, subject(nlp), [example], 10)
    assert (evidence.misaligned, evidence.gold["LOC"]) == (1, 1)


def test_thresholds_by_label_reach_the_precision_where_they_can():
    logits = numpy.array([3.0, 2.0, 1.0, 0.0, -1.0, 2.0, 1.0])
    correct = [True, True, False, True, False, False, True]
    evidence = Logits(logits, correct, ["A"] * 5 + ["B"] * 2)
    result = fit_thresholds(evidence, 1.0, 0.75)
    assert (result["A"].reached, result["A"].kept.kept, result["A"].kept.p) == (
        *(True, 4),
        0.75,
    )
    assert 1 / (1 + math.exp(1)) < result["A"].threshold <= 0.5
    assert (result["B"].reached, result["B"].threshold) == (False, 0.0)
    assert (result["B"].best.p, result["B"].kept.kept) == (0.5, 2)


# --- What cannot be calibrated -----------------------------------------------------


def test_what_cannot_be_calibrated_is_said():
    nlp = fitted("flat_biluo")
    empty = [(text, []) for text in TEXTS]
    with pytest.raises(UserError, match="no gold entity for 'crf_ner'"):
        calibrate(nlp, make_examples(nlp, empty))
    with pytest.raises(UserError, match=r"all 6 entities that 'crf_ner' finds.*right"):
        calibrate(nlp, make_examples(nlp))
    others = [(text, [(2, 3, "PER")]) for text in TEXTS[:3]]
    with pytest.raises(UserError, match=r"all .* entities that 'crf_ner' finds.*wrong"):
        calibrate(nlp, make_examples(nlp, others))
    with pytest.raises(UserError, match="'crf_ner' finds no entity in the documents"):
        calibrate(nlp, make_examples(nlp, [("It rains", [(0, 1, "PER")])]))
    assert subject(nlp).cfg["temperature"] == 1.0


def test_the_component_must_be_clear():
    with pytest.raises(UserError, match=r"no component .* probabilities.*crf_tagger"):
        calibrate(fitted("tagger"), [])
    nlp = fitted("flat_biluo")
    with pytest.raises(UserError, match=r"no component 'ner'.*name one of crf_ner"):
        calibrate(nlp, [], component="ner")
    nlp = build({"a": {"factory": "crf_ner", **crf()}, "crf_ner": crf()})
    with pytest.raises(UserError, match=r"more than one component.*\(a, crf_ner\)"):
        calibrate(nlp, [])


def test_the_check_passes_what_is_right_and_wrong():
    check_evidence("crf_ner", Logits(numpy.array([1.0, 2.0]), [True, False]))
    nlp = fit("flat_biluo", steps=1)
    assert collect(nlp, subject(nlp), [], 10).scores(1.0).tolist() == []
