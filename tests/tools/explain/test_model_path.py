"""Integrated gradients through the models of components."""

import sys

import numpy
import pytest
import torch
from spacy.tokens import Doc, Span
from thinc.api import Adam, fix_random_seed

from spacy_ner_ext import explain
from spacy_ner_ext.tools.explain.components import entity_target
from spacy_ner_ext.tools.explain.model_path import ModelPath
from tests.helpers.encoders import KINDS
from tests.helpers.explained import (
    TRIGGER,
    WET,
    examples_of,
    shared,
    trained,
    transformer,
)
from tests.helpers.pipelines import TEXTS, build, crf, weights

ENTITIES = ("nested", "per_label", "lstm", "span_marker", "all_spans")
CATS = ("textcat", "textcat_multilabel")
TEXT = TEXTS[0]
LONG = " ".join(TEXTS[:3]) + " and " + " ".join(TEXTS[:3])
METHOD = "integrated_gradients"


def explain_one(nlp, doc, *args, **settings):
    [explanation] = explain(nlp, doc, *args, **settings)
    return explanation


def explain_any(nlp, **settings):
    """Explain an entity, or a category where the pipeline has categories."""
    if "ner" not in nlp.pipe_names[-1]:
        return explain_one(nlp, WET[0], category="wet", **settings)
    doc = nlp(TEXT)
    return explain_one(nlp, doc, Span(doc, 0, 2, label="PER"), **settings)


def check_complete(explanation):
    assert explanation.method == METHOD
    assert explanation.converged and not explanation.notes
    total = sum(explanation.scores)
    difference = explanation.value - explanation.baseline_value
    assert abs(total - difference) <= max(2e-2 * abs(difference), 1e-3)
    assert explanation.delta == pytest.approx(total - difference)


def state_of(nlp):
    """State that is not saved: forward functions, gradients, modes of torch modules."""
    state = []
    for _, component in nlp.pipeline:
        for node in component.model.walk():
            grads = [name for name in node.param_names if node.has_grad(name)]
            state.append((node._func, node.name, grads))
            for module in (shim._model for shim in node.shims):
                state += [part.training for part in module.modules()]
                state += [weight.grad is None for weight in module.parameters()]
    return state


@pytest.mark.parametrize("name", ENTITIES)
def test_scores_of_entities_add_up(name):
    nlp = shared(name)
    doc = nlp(TEXT)
    span = doc.ents[0] if doc.ents else Span(doc, 2, 5, label="PER")
    explanation = explain_one(nlp, doc, span)
    check_complete(explanation)
    if doc.ents:
        assert numpy.exp(explanation.value) == pytest.approx(span._.score, rel=1e-4)


@pytest.mark.parametrize("name", CATS)
def test_scores_of_categories_add_up(name):
    """And the word that decides has the largest."""
    nlp = shared(name)
    doc = nlp(WET[0])
    explanation = explain_one(nlp, doc, category="wet")
    check_complete(explanation)
    assert numpy.exp(explanation.value) == pytest.approx(doc.cats["wet"], rel=1e-4)
    assert explanation.tokens[numpy.argmax(explanation.scores)] == TRIGGER


@pytest.mark.parametrize("name", ["nested", "span_marker"])
def test_the_temperature_is_part_of_the_value(name):
    nlp = trained(name)
    nlp.get_pipe(nlp.pipe_names[-1]).cfg["temperature"] = 2.0
    doc = nlp(TEXT)
    explanation = explain_one(nlp, doc, doc.ents[0], steps=2, max_steps=2)
    assert numpy.exp(explanation.value) == pytest.approx(doc.ents[0]._.score, rel=1e-4)


def check_gradient(nlp, doc, span):
    """Compare the gradient to finite differences, the value to that of a prediction;
    one point must not affect another."""
    target = entity_target(nlp, span, None)
    path = ModelPath(nlp, target, doc, None)
    points = torch.tensor([[0.7], [1.0]]).repeat(1, len(doc)).requires_grad_()
    values = path.value(points)
    (gradient,) = torch.autograd.grad(values[0], points)
    direction = gradient[0] / gradient[0].norm()
    with torch.no_grad():
        around = [
            path.value((points[0] + step * direction)[None]) for step in (5e-3, -5e-3)
        ]
    slope = float(around[0] - around[1]) / 1e-2
    assert float(gradient[0].norm()) == pytest.approx(slope, rel=2e-2)
    assert not gradient[1].any()
    assert float(values[1].detach()) == pytest.approx(target.values([doc])[0], abs=1e-4)
    return path


def updated_once(**settings):
    fix_random_seed(0)
    nlp = build({"crf_ner": crf(transformer(**settings))})
    examples = examples_of(nlp)
    nlp.initialize(lambda: examples)
    nlp.update(examples, sgd=Adam(0.01))
    return nlp


# Compiles functions.
MODERNBERT = pytest.param("modernbert", marks=pytest.mark.slow)


@pytest.mark.parametrize("kind", [*sorted({*KINDS} - {"modernbert"}), MODERNBERT])
def test_encoders_of_all_kinds_in_several_windows(kind):
    nlp = updated_once(kind=kind)
    doc = nlp(LONG)
    path = check_gradient(nlp, doc, Span(doc, 4, 6, label="LOC"))
    assert path.baseline == ("pad" if kind == "t5" else "mask")


@pytest.mark.parametrize(
    "settings",
    [
        {"freeze": True, "embedding_cache": "cpu"},
        {"layers": [-1, 1], "layer_mix": "learned", "pooling": "first"},
        {"gradient_checkpointing": True},
    ],
)
def test_settings_of_the_encoder(settings):
    nlp = updated_once(**settings)
    doc = nlp(TEXT)
    check_gradient(nlp, doc, Span(doc, 4, 6, label="LOC"))


@pytest.mark.parametrize("name", ["shared", "lstm", "independent"])
def test_the_gradient_is_that_of_finite_differences(name):
    nlp = shared(name)
    doc = nlp(TEXT)
    check_gradient(nlp, doc, Span(doc, 0, 2, label="PER"))


@pytest.mark.parametrize("baseline", ["mask", "pad", "zero"])
def test_baselines(baseline):
    nlp = shared("nested")
    doc = nlp(TEXT)
    settings = {"steps": 2, "max_steps": 2, "baseline": baseline}
    assert explain_one(nlp, doc, doc.ents[0], **settings).baseline == baseline


def test_the_baseline_has_the_value_of_a_text_of_masks():
    """If each word is one piece."""
    nlp = shared("nested")
    texts = (["New", "York", "to", "Anna"], 4 * ["[MASK]"])
    docs = [nlp(Doc(nlp.vocab, words=words)) for words in texts]
    one, other = (
        explain_one(nlp, doc, Span(doc, 0, 2, label="LOC"), steps=2, max_steps=2)
        for doc in docs
    )
    assert one.baseline_value == pytest.approx(other.value, abs=1e-5)


def test_listeners_give_the_scores_of_one_model():
    """The same weights in three components and in one; the gradient factor of a
    listener is for training alone."""
    listening, nested = shared("shared"), trained("nested")
    model = nested.get_pipe("crf_ner").model
    cnn = model.get_ref("tok2vec")
    parts = [
        (listening.get_pipe("tok2vec").model, cnn.layers[0]),
        (listening.get_pipe("text_cnn").model.layers[1], cnn.layers[1]),
        *(
            (listening.get_pipe("crf_ner").model.get_ref(name), model.get_ref(name))
            for name in ("output_layer", "crf")
        ),
    ]
    for source, target in parts:
        target.from_bytes(source.to_bytes())
    one, other = (
        explain_one(nlp, doc, Span(doc, 4, 6, label="LOC"), steps=16, max_steps=16)
        for nlp, doc in ((nested, nested(TEXT)), (listening, listening(TEXT)))
    )
    assert one.value == pytest.approx(other.value, abs=1e-5)
    numpy.testing.assert_allclose(one.scores, other.scores, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", ["per_label", "span_marker"])
def test_a_long_text_is_computed_in_parts(name, monkeypatch):
    """With the smallest batches, and the same result."""
    nlp = shared(name)
    doc = nlp(LONG)
    span = Span(doc, 4, 6, label="LOC")
    settings = {"steps": 4, "max_steps": 4}
    whole = explain_one(nlp, doc, span, **settings)
    limits = {"cpu": 1, "cuda": 1}
    monkeypatch.setattr(
        "spacy_ner_ext.tools.explain.embeddings.MAX_BATCH_PIECES_TRAINING", limits
    )
    parts = explain_one(nlp, doc, span, **settings)
    numpy.testing.assert_allclose(parts.scores, whole.scores, atol=1e-4)


@pytest.mark.parametrize("name", ["shared", "span_marker", "textcat", "lstm"])
def test_the_pipeline_stays_as_it_is(name):
    nlp = trained(name)
    # A prediction puts torch modules into evaluation mode.
    nlp(TEXT)
    before, state = nlp.to_bytes(), state_of(nlp)
    explain_any(nlp, steps=2, max_steps=2)
    assert nlp.to_bytes() == before
    assert state_of(nlp) == state


@pytest.mark.parametrize("name", ["shared", "span_marker"])
def test_training_continues_as_without_an_explanation(name):
    """Also with gradients that wait for the next step."""
    results = []
    for methods in ((), ("auto", "occlusion")):
        nlp = trained(name)
        examples, sgd = examples_of(nlp), Adam(0.01)
        fix_random_seed(1)
        nlp.update(examples, sgd=False, drop=0.2)
        for method in methods:
            explain_any(nlp, method=method, steps=2, max_steps=2)
        for _, component in nlp.pipeline:
            component.finish_update(sgd)
        nlp.update(examples_of(nlp), sgd=sgd, drop=0.2)
        results.append([weights(component) for _, component in nlp.pipeline])
    for before, after in zip(*results):
        for one, other in zip(before, after):
            numpy.testing.assert_array_equal(one, other)


def test_more_steps_are_taken_where_they_are_needed():
    nlp = shared("nested")
    doc = nlp(TEXT)
    few = explain_one(nlp, doc, doc.ents[0], steps=2, max_steps=2)
    assert few.steps == 2 and not few.converged
    assert "more than 2 %" in few.notes[0] and "raise max_steps" in few.notes[0]
    assert "raise max_steps" in few.to_html()
    enough = explain_one(nlp, doc, doc.ents[0], steps=2)
    assert enough.converged and enough.steps > 2


def test_a_model_that_reads_the_text_past_the_encoder():
    """The other way has no gradient, so the whole is occluded."""
    bag = {"@architectures": "spacy.TextCatBOW.v3", "exclusive_classes": True}
    bag |= {"length": 1024, "ngram_size": 1, "no_output_layer": True}
    ensemble = {"@architectures": "spacy.TextCatEnsemble.v2", "linear_model": bag}
    nlp = build({"textcat": {"model": {**ensemble, "tok2vec": transformer()}}})
    examples = examples_of(nlp)
    nlp.initialize(lambda: examples)
    model = nlp.get_pipe("textcat").model
    [linear] = [node for node in model.walk() if node.name == "sparse_linear"]
    rng = numpy.random.default_rng(0)
    linear.set_param("W", rng.normal(size=linear.get_param("W").shape).astype("f"))
    for node in model.walk():
        if node.name == "softmax":
            node.set_param("W", rng.normal(size=node.get_param("W").shape).astype("f"))
    explanation = explain_one(nlp, WET[0], category="wet")
    assert explanation.method == "occlusion"
    assert "does not read the text by the encoder alone" in explanation.notes[0]


def test_without_captum(monkeypatch):
    nlp = shared("nested")
    monkeypatch.setitem(sys.modules, "captum", None)
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    for method in ("auto", METHOD):
        with pytest.raises(ValueError, match=r"\[explain\]"):
            explain(nlp, TEXT, method=method)
    assert explain(nlp, TEXT, method="occlusion")
