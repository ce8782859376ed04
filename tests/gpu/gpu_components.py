"""All components: training, prediction and saving are equal on the CPU and the GPU."""

import pytest
from thinc.api import Adam

from spacy_ner_ext.training.optimizer import make_adam
from spacy_ner_ext.util.weights import iter_weights
from tests.helpers.fake_gpu.plugin import assert_equal_on_gpu
from tests.helpers.pipelines import (
    PIPELINES,
    TEXTS,
    build,
    make_examples,
    output,
    train,
)


def trained(name, make_sgd):
    """Losses, weights and predictions of a pipeline after a few steps."""
    nlp = build(name)
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    sgd = make_sgd(nlp)
    losses = train(nlp, examples, 4, sgd=sgd)
    weights = {weight.path: weight.array for weight in iter_weights(nlp)}
    # Their gradient is zero but for rounding, which Adam divides by its own size.
    weights = {path: w for path, w in weights.items() if not path.endswith("key.bias")}
    again = build(name).from_bytes(nlp.to_bytes())
    docs = [output(doc) for doc in nlp.pipe(TEXTS)]
    return losses, weights, docs, [output(doc) for doc in again.pipe(TEXTS)]


def thinc_adam(nlp):
    return Adam(0.005)


def grouped_adam(nlp):
    settings = {"averages": 0.9, "spikes": "clip_mean", "spike_window": 2}
    made = make_adam(learn_rate=0.005, grad_max_norm=1.0, **settings)
    made.bind(nlp)
    return made


@pytest.mark.parametrize("make_sgd", [thinc_adam, grouped_adam])
@pytest.mark.parametrize("name", PIPELINES)
def test_a_component_trains_and_predicts(name, make_sgd):
    assert_equal_on_gpu(lambda: trained(name, make_sgd))
