"""Pipelines with probabilities of all sizes, and their predictions."""

from functools import cache

import numpy

from tests.helpers.pipelines import (
    TEXTS,
    annotate,
    build,
    crf,
    fit,
    make_examples,
    output,
    subject,
)

KINDS = ["flat", "per_label", "span_marker"]
ENTITIES = {"flat": "crf_ner", "per_label": "crf_ner", "span_marker": "span_marker_ner"}


@cache
def pipeline(kind):
    """A pipeline that predicts many entities, with any probabilities."""
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
    """The predictions with some settings: entities, groups, and their scores."""
    component = subject(nlp)
    before = dict(component.cfg)
    component.cfg.update(cfg)
    docs = [nlp.make_doc(text) for text in TEXTS]
    for doc in docs:
        annotate(doc, [span for span in kept if span[1] <= len(doc)])
    outputs = [output(component(doc))[:2] for doc in docs]
    component.cfg.update(before)
    return outputs


def scores(outputs):
    return [score for ents, _ in outputs for *_, score in ents if score is not None]
