"""Integrated gradients: complete, through listeners as through one model, and without
a trace in the pipeline."""

import sys

import numpy
import pytest
import torch
from spacy.tokens import Doc, Span
from thinc.api import Adam, fix_random_seed

from spacy_ner_ext import explain, explain_all
from spacy_ner_ext.tools.explain.choice import entity_target
from spacy_ner_ext.tools.explain.compute import Settings, compute
from spacy_ner_ext.tools.explain.graph import connected, find_readers
from spacy_ner_ext.tools.explain.untouched import untouched
from spacy_ner_ext.tools.explain.vectors import ModelPath
from tests.helpers.encoders import KINDS
from tests.helpers.explained import TRIGGER, WET, examples_of, trained, transformer
from tests.helpers.pipelines import TEXTS, build, crf, weights

ENTITIES = ("nested", "shared", "per_label", "marginal", "independent")
WORDS = ("lstm", "characters")
MARKED = ("span_marker", "all_spans")
CATS = ("textcat", "textcat_multilabel", "hashed")
TEXT = TEXTS[0]
LONG = " ".join(TEXTS[:3]) + " and " + " ".join(TEXTS[:3])
METHOD = "integrated_gradients"


def check_complete(influence):
    assert influence.method == METHOD
    assert influence.converged and not influence.notes
    difference = influence.value - influence.baseline_value
    assert abs(sum(influence.scores) - difference) <= max(2e-2 * abs(difference), 1e-3)
    assert influence.delta == pytest.approx(sum(influence.scores) - difference)


def state_of(nlp):
    """What is no weight: forward functions, gradients that wait, modes of torch."""
    state = []
    for _, component in nlp.pipeline:
        for node in component.model.walk():
            state.append(
                (node._func, [n for n in node.param_names if node.has_grad(n)])
            )
            for module in (shim._model for shim in node.shims):
                state += [part.training for part in module.modules()]
                state += [weight.grad is None for weight in module.parameters()]
    return state


@pytest.mark.parametrize("name", ENTITIES + WORDS)
def test_scores_of_entities_add_up(name):
    nlp = trained(name)
    doc = nlp(TEXT)
    for span in (*doc.ents[:1], Span(doc, 2, 5, label="PER")):
        influence = explain(nlp, doc, span)
        check_complete(influence)
        if span in doc.ents:
            assert numpy.exp(influence.value) == pytest.approx(span._.score, rel=1e-4)


@pytest.mark.parametrize("name", MARKED)
def test_scores_of_marked_spans_add_up(name):
    nlp = trained(name)
    doc = nlp(TEXT)
    influence = explain(nlp, doc, doc.ents[0])
    check_complete(influence)
    assert numpy.exp(influence.value) == pytest.approx(doc.ents[0]._.score, rel=1e-4)


@pytest.mark.parametrize("name", CATS)
def test_scores_of_categories_add_up(name):
    nlp = trained(name)
    doc = nlp(WET[0])
    for category, probability in doc.cats.items():
        influence = explain(nlp, doc, category=category)
        check_complete(influence)
        assert numpy.exp(influence.value) == pytest.approx(probability, rel=1e-4)


@pytest.mark.parametrize("name", CATS)
def test_a_word_that_decides_is_the_strongest(name):
    nlp = trained(name)
    for text in WET[:2]:
        influence = explain(nlp, text, category="wet")
        assert influence.tokens[numpy.argmax(influence.scores)] == TRIGGER


@pytest.mark.parametrize("name", ["nested", "span_marker"])
def test_a_temperature_is_part_of_the_value(name):
    nlp = trained(name)
    nlp.get_pipe(nlp.pipe_names[-1]).cfg["temperature"] = 2.0
    doc = nlp(TEXT)
    influence = explain(nlp, doc, doc.ents[0])
    check_complete(influence)
    assert numpy.exp(influence.value) == pytest.approx(doc.ents[0]._.score, rel=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_encoders_of_all_kinds(kind):
    """In several windows."""
    fix_random_seed(0)
    nlp = build({"crf_ner": crf(transformer(kind))})
    examples = examples_of(nlp)
    nlp.initialize(lambda: examples)
    nlp.update(examples, sgd=Adam(0.01))
    doc = nlp(LONG)
    influence = explain(nlp, doc, Span(doc, 4, 6, label="LOC"))
    check_complete(influence)
    assert influence.baseline == ("pad" if kind == "t5" else "mask")


@pytest.mark.parametrize("baseline", ["mask", "pad", "zero"])
def test_baselines(baseline):
    nlp = trained("nested")
    doc = nlp(TEXT)
    influence = explain(nlp, doc, doc.ents[0], baseline=baseline)
    check_complete(influence)
    assert influence.baseline == baseline
    if baseline == "mask":
        # As a text of masks, if each word is one piece.
        words = ["New", "York", "to", "Anna"]
        doc, masked = (
            nlp(Doc(nlp.vocab, words=each)) for each in (words, 4 * ["[MASK]"])
        )
        one, other = (
            explain(nlp, each, Span(each, 0, 2, label="LOC")) for each in (doc, masked)
        )
        assert one.baseline_value == pytest.approx(other.value, abs=1e-5)


def test_listeners_pass_gradients_on_as_one_model_does():
    """The same weights in three components and in one; the factor of a listener is for
    training alone."""
    shared, nested = trained("shared"), trained("nested")
    model = nested.get_pipe("crf_ner").model
    cnn = model.get_ref("tok2vec")
    parts = [
        (shared.get_pipe("tok2vec").model, cnn.layers[0]),
        (shared.get_pipe("text_cnn").model.layers[1], cnn.layers[1]),
        (shared.get_pipe("crf_ner").model.get_ref("output_layer"), None),
        (shared.get_pipe("crf_ner").model.get_ref("crf"), None),
    ]
    for (source, target), name in zip(parts, (None, None, "output_layer", "crf")):
        target = target or model.get_ref(name)
        target.from_bytes(source.to_bytes())
    docs = shared(TEXT), nested(TEXT)
    spans = [Span(doc, 4, 6, label="LOC") for doc in docs]
    one, other = (
        explain(nlp, span.doc, span) for nlp, span in zip((nested, shared), spans[::-1])
    )
    assert one.value == pytest.approx(other.value, abs=1e-5)
    numpy.testing.assert_allclose(one.scores, other.scores, rtol=1e-3, atol=1e-3)


def test_the_gradient_through_the_whole_model_is_that_of_finite_differences():
    nlp = trained("shared")
    doc = nlp(TEXT)
    target = entity_target(nlp, Span(doc, 0, 2, label="PER"), None)
    with connected(nlp, target.model) as nodes, untouched(nodes):
        path = ModelPath(target, find_readers(nodes, target.model, doc), doc, None)
        points = path.inputs[0].repeat(2, 1, 1, 1).requires_grad_()
        values = path.value(points)
        (gradient,) = torch.autograd.grad(values[1], points)
        direction = gradient[1] / gradient[1].norm()
        with torch.no_grad():
            around = [
                path.value((points[1] + step * direction)[None])
                for step in (5e-3, -5e-3)
            ]
    assert not gradient[0].any()
    slope = float(around[0] - around[1]) / 1e-2
    assert float(gradient[1].norm()) == pytest.approx(slope, rel=1e-2)


@pytest.mark.parametrize("name", ["per_label", "span_marker"])
def test_a_long_text_is_computed_in_parts(name, monkeypatch):
    """With as little memory as there can be, and the same result."""
    nlp = trained(name)
    doc = nlp(LONG)
    span = Span(doc, 4, 6, label="LOC")
    settings = {"steps": 4, "max_steps": 4}
    whole = explain(nlp, doc, span, **settings)
    limits = {"cpu": 1, "cuda": 1}
    monkeypatch.setattr(
        "spacy_ner_ext.tools.explain.embeddings.MAX_BATCH_PIECES_TRAINING", limits
    )
    parts = explain(nlp, doc, span, **settings)
    numpy.testing.assert_allclose(parts.scores, whole.scores, atol=1e-4)


@pytest.mark.parametrize("name", ["shared", "span_marker", "textcat", "lstm"])
def test_nothing_is_left_in_the_pipeline(name):
    nlp = trained(name)
    category = None if "ner" in nlp.pipe_names[-1] else "wet"
    # A prediction leaves torch's modules in the mode for it.
    nlp(TEXT)
    before, state = nlp.to_bytes(), state_of(nlp)
    explain_once(nlp, category)
    assert nlp.to_bytes() == before
    assert state_of(nlp) == state


def explain_once(nlp, category, **settings):
    if category is None:
        doc = nlp(TEXT)
        return explain(nlp, doc, Span(doc, 0, 2, label="PER"), **settings)
    return explain(nlp, WET[0], category=category, **settings)


@pytest.mark.parametrize("name", ["shared", "span_marker", "textcat"])
def test_training_goes_on_as_if_nothing_had_been(name):
    """Also with gradients that wait for the next step."""
    results = []
    for explains in (False, True):
        nlp = trained(name)
        category = None if "ner" in nlp.pipe_names[-1] else "wet"
        examples, sgd = examples_of(nlp), Adam(0.01)
        fix_random_seed(1)
        nlp.update(examples, sgd=False, drop=0.2)
        for method in ("auto", "occlusion") if explains else ():
            explain_once(nlp, category, method=method)
        for _, component in nlp.pipeline:
            component.finish_update(sgd)
        nlp.update(examples_of(nlp), sgd=sgd, drop=0.2)
        results.append([weights(component) for _, component in nlp.pipeline])
    for before, after in zip(*results):
        for one, other in zip(before, after):
            numpy.testing.assert_array_equal(one, other)


def test_more_steps_are_taken_where_they_are_needed():
    nlp = trained("nested")
    doc = nlp(TEXT)
    target = entity_target(nlp, doc.ents[0], None)
    few = compute(nlp, target, doc, Settings(steps=2, max_steps=2))
    assert few.steps == 2 and not few.converged
    assert "more than 2 %" in few.notes[0] and "raise max_steps" in few.notes[0]
    assert "raise max_steps" in few.to_html()
    enough = compute(nlp, target, doc, Settings(steps=2))
    assert enough.converged and enough.steps > 2


def test_without_captum(monkeypatch):
    nlp = trained("nested")
    monkeypatch.setitem(sys.modules, "captum", None)
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    for method in ("auto", METHOD):
        with pytest.raises(ValueError, match=r"\[explain\].*occlusion"):
            explain_all(nlp, TEXT, method=method)
    assert explain_all(nlp, TEXT, method="occlusion")
