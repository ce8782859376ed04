"""The gradient of a batch in parts equals that of the whole."""

import numpy
import pytest
from spacy.tokens import Span
from spacy.training import Example
from thinc.api import Adam, fix_random_seed

from tests.helpers.encoders import encoder_folder
from tests.helpers.pipelines import build, crf, make_examples, span_marker, step
from tests.helpers.weights import gradients_of, transformer

WITH_GAPS = "Tom Lee met Anna in Bergen ."


def over_encoder(**settings):
    return {"crf_ner": crf(transformer(encoder_folder("bert")), **settings)}


MAKERS = {
    **{
        f"{structure}-{objective}": lambda structure=structure, objective=objective: {
            "crf_ner": crf(structure=structure, objective=objective)
        }
        for structure in ("flat", "per_label")
        for objective in ("joint", "marginal", "independent")
    },
    "encoder": over_encoder,
    "all": lambda: {"span_marker_ner": span_marker(candidates="all")},
    "filtered": lambda: {"span_marker_ner": span_marker(candidates="filtered")},
}


def start(pipes):
    """A pipeline with documents of which some have gaps, no words or no gold."""
    fix_random_seed(0)
    nlp = build(pipes)
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    # Nothing passes through emissions that are zero.
    step(nlp, examples, Adam(0.01))
    gaps = nlp.make_doc(WITH_GAPS)
    gaps.set_ents([Span(gaps, 0, 2, "PER")], missing=[gaps[2:5]])
    for reference in (nlp.make_doc("no gold at all"), nlp.make_doc(""), gaps):
        examples.insert(2, Example(nlp.make_doc(reference.text), reference))
    return nlp, examples


def divide(examples, n_parts):
    return [examples[i::n_parts] for i in range(n_parts)]


def learn(pipes, n_parts, whole=True):
    """Loss and gradients of all weights after a batch in parts."""
    nlp, examples = start(pipes)
    component = nlp.pipeline[-1][1]
    losses = {}
    settings = {"denominators": component.count_gold(examples)} if whole else {}
    for part in divide(examples, n_parts):
        nlp.update(
            part, sgd=False, losses=losses, component_cfg={component.name: settings}
        )
    return losses[component.name], gradients_of(nlp)


@pytest.mark.parametrize("n_parts", [1, 2, 3, 5])
@pytest.mark.parametrize("pipes", MAKERS)
def test_parts_add_up_to_the_batch(pipes, n_parts):
    loss, expected = learn(MAKERS[pipes](), 1, whole=False)
    found_loss, found = learn(MAKERS[pipes](), n_parts)
    assert loss > 0.1 and found_loss == pytest.approx(loss, rel=1e-5)
    assert found.keys() == expected.keys()
    largest = max(numpy.abs(gradient).max() for gradient in expected.values())
    for path, gradient in expected.items():
        difference = numpy.abs(found[path] - gradient).max()
        assert difference <= 1e-6 * max(1, largest), path


@pytest.mark.parametrize("pipes", ["flat-joint", "filtered"])
def test_each_batch_is_one_by_itself_outside(pipes):
    loss, _ = learn(MAKERS[pipes](), 1, whole=False)
    three_losses, _ = learn(MAKERS[pipes](), 3, whole=False)
    assert three_losses > 1.5 * loss
    nlp, examples = start(MAKERS[pipes]())
    component = nlp.pipeline[-1][1]
    component.count_gold(examples * 2)
    losses = nlp.update(examples, sgd=False)
    assert losses[component.name] == pytest.approx(loss, rel=1e-6)


@pytest.mark.parametrize("pipes", ["flat-joint", "all", "filtered"])
def test_a_batch_may_have_nothing_to_learn_from(pipes):
    nlp, _ = start(MAKERS[pipes]())
    empty = Example(nlp.make_doc(""), nlp.make_doc(""))
    unknown = Example(nlp.make_doc("no gold"), nlp.make_doc("no gold"))
    component = nlp.pipeline[-1][1]
    counts = component.count_gold([empty, unknown])
    losses = {}
    for example in (empty, unknown):
        settings = {component.name: {"denominators": counts}}
        nlp.update([example], sgd=False, losses=losses, component_cfg=settings)
    assert losses[component.name] == 0
