"""Weights of pipelines, their gradients, and steps of an optimizer."""

import numpy
import torch
from thinc.api import fix_random_seed

from spacy_ner_ext.util.weights import as_tensor, iter_weights
from tests.helpers.pipelines import build, make_examples

# Token vectors of a torch module in thinc's wrapper.
LSTM = {
    "@architectures": "spacy.Tok2Vec.v2",
    "embed": {
        "@architectures": "spacy.MultiHashEmbed.v2",
        "width": 16,
        "attrs": ["NORM"],
        "rows": [50],
        "include_static_vectors": False,
    },
    "encode": {
        "@architectures": "spacy.TorchBiLSTMEncoder.v1",
        "width": 16,
        "depth": 1,
        "dropout": 0.0,
    },
}


def transformer(folder, **settings):
    return {
        "@architectures": "spacy_ner_ext.Transformer.v1",
        "name": str(folder),
        "window": 16,
        "stride": 10,
        **settings,
    }


def start(pipes, seed=0):
    """An initialized pipeline and its examples."""
    fix_random_seed(seed)
    nlp = build(pipes)
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    return nlp, examples


def nodes(nlp):
    return [node for _, pipe in nlp.pipeline for node in pipe.model.walk()]


def arrays(node):
    return [name for name in node.param_names if node.has_param(name)]


def values_of(nlp):
    """Copies of all weights, by path."""
    return {w.path: as_tensor(w.array).numpy().copy() for w in iter_weights(nlp)}


def set_gradients(nlp, draw):
    for node in nodes(nlp):
        for name in arrays(node):
            node.set_grad(name, draw(node.get_param(name).shape).astype("float32"))
        for shim in node.shims:
            for weight in shim._model.parameters():
                weight.grad = torch.from_numpy(draw(weight.shape).astype("float32"))


def apply(nlp, optimizer):
    """Update all weights, and advance to the next learning rates."""
    for _, pipe in nlp.pipeline:
        pipe.finish_update(optimizer)
    optimizer.step_schedules()


def signs(seed=0):
    rng = numpy.random.default_rng(seed)
    return lambda shape: rng.choice([-1.0, 1.0], size=shape)


def normals(scale=1.0, seed=0):
    rng = numpy.random.default_rng(seed)
    return lambda shape: rng.normal(size=shape) * scale


def away_from_zero(scale, seed=0):
    rng = numpy.random.default_rng(seed)
    return lambda shape: (
        rng.choice([-scale, scale], size=shape) * rng.uniform(0.5, 2, size=shape)
    )


def gradients_of(nlp):
    """The gradients of all weights, by path; zeros for those that have none."""
    return {
        weight.path: numpy.zeros(weight.shape, "float32")
        if weight.gradient is None
        else as_tensor(weight.gradient).numpy().copy()
        for weight in iter_weights(nlp)
    }
