"""`spacy_ner_ext.calibrate` in Python."""

import itertools
import json
from functools import cache

import numpy
import pytest
import spacy
from spacy.tokens import DocBin

from spacy_ner_ext import calibrate
from spacy_ner_ext.scorers.reliability import log_loss
from spacy_ner_ext.tools.calibrate.calibrate import check_evidence
from spacy_ner_ext.tools.calibrate.evidence import collect
from spacy_ner_ext.util.errors import UserError
from tests.helpers.logits import Logits
from tests.helpers.pipelines import (
    TEXTS,
    build,
    crf,
    fitted,
    found,
    make_examples,
    output,
    subject,
)

OVERCONFIDENT = 3.0


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


def test_calibration_finds_the_factor_of_an_overconfident_model():
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


def test_an_earlier_temperature_has_no_effect():
    nlp, dev, _ = overconfident()
    first = calibrate(nlp, dev[::3])
    second = calibrate(nlp, dev[::3])
    assert second.old_temperature == first.temperature == second.temperature
    assert second.before == first.before


@pytest.fixture
def saved(tmp_path):
    """The folders of an overconfident pipeline and of its development corpus."""
    nlp, dev, _ = overconfident()
    nlp.to_disk(tmp_path / "model")
    (tmp_path / "corpus").mkdir()
    docs = [example.reference for example in dev[::3]]
    DocBin(docs=docs).to_disk(tmp_path / "corpus" / "dev.spacy")
    return tmp_path / "model", tmp_path / "corpus"


def temperature_of(folder):
    return spacy.load(folder).get_pipe("crf_ner").cfg["temperature"]


def test_a_saved_pipeline_is_changed_in_its_folder(saved, tmp_path):
    model, corpus = saved
    result = calibrate(str(model), str(corpus))
    assert temperature_of(model) == result.temperature != 1
    result.to_json(tmp_path / "report.json")
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["temperature"] == result.temperature
    assert set(report) == set(result.to_dict())


def test_a_copy_of_a_saved_pipeline_is_calibrated(saved, tmp_path):
    model, corpus = saved
    copy = tmp_path / "copy"
    result = calibrate(model, corpus / "dev.spacy", output=copy)
    assert (temperature_of(model), temperature_of(copy)) == (1, result.temperature)
    with pytest.raises(UserError, match=r"copy exists: .*--overwrite"):
        calibrate(model, corpus, output=copy)
    calibrate(model, corpus, output=copy, overwrite=True)
    assert temperature_of(copy) == result.temperature


def test_a_pipeline_in_memory_is_written_to_an_output(saved, tmp_path):
    nlp = spacy.load(saved[0])
    result = calibrate(nlp, saved[1], output=tmp_path / "copy")
    assert subject(nlp).cfg["temperature"] == result.temperature
    assert temperature_of(tmp_path / "copy") == result.temperature


def test_the_precision_is_a_probability(saved):
    with pytest.raises(UserError, match=r"precision is 90: use a value from 0 to 1"):
        calibrate(*saved, precision=90)


def test_predictions_that_determine_no_temperature_are_errors():
    nlp = fitted("flat_biluo")
    empty = [(text, []) for text in TEXTS]
    with pytest.raises(UserError, match=r"no gold entity .* 'crf_ner'"):
        calibrate(nlp, make_examples(nlp, empty))
    with pytest.raises(UserError, match=r"all 6 entities that 'crf_ner' finds.*right"):
        calibrate(nlp, make_examples(nlp))
    others = [(text, [(2, 3, "PER")]) for text in TEXTS[:3]]
    with pytest.raises(UserError, match=r"all .* entities that 'crf_ner' finds.*wrong"):
        calibrate(nlp, make_examples(nlp, others))
    with pytest.raises(UserError, match="'crf_ner' finds no entity in the documents"):
        calibrate(nlp, make_examples(nlp, [("It rains", [(0, 1, "PER")])]))
    assert subject(nlp).cfg["temperature"] == 1.0


def test_exactly_one_component_must_match():
    with pytest.raises(UserError, match=r"no component .* probabilities.*crf_tagger"):
        calibrate(fitted("tagger"), [])
    nlp = fitted("flat_biluo")
    with pytest.raises(UserError, match=r"no component 'ner'.*name one of crf_ner"):
        calibrate(nlp, [], component="ner")
    nlp = build({"a": {"factory": "crf_ner", **crf()}, "crf_ner": crf()})
    with pytest.raises(UserError, match=r"more than one component.*\(a, crf_ner\)"):
        calibrate(nlp, [])


def test_right_and_wrong_predictions_pass_the_check():
    check_evidence("crf_ner", Logits(numpy.array([1.0, 2.0]), [True, False]))
