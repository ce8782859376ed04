"""What pipelines compute in a few steps of training, to be compared."""

from thinc.api import Adam

from spacy_ner_ext.training.optimizer import make_adam
from spacy_ner_ext.util.weights import iter_weights
from tests.helpers.pipelines import TEXTS, build, make_examples, output, train


def trained(pipes, make_sgd):
    """Losses, weights and predictions of a pipeline, before and after it is saved."""
    nlp = build(pipes)
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    losses = train(nlp, examples, 4, sgd=make_sgd(nlp))
    # Their gradient is zero but for rounding, which Adam divides by its own size.
    weights = {
        weight.path: weight.array
        for weight in iter_weights(nlp)
        if not weight.path.endswith("key.bias")
    }
    again = build(pipes).from_bytes(nlp.to_bytes())
    docs = [output(doc) for doc in nlp.pipe(TEXTS)]
    return losses, weights, docs, [output(doc) for doc in again.pipe(TEXTS)]


def thinc_adam(nlp):
    return Adam(0.005)


def grouped_adam(nlp):
    settings = {"averages": 0.9, "spikes": "clip_mean", "spike_window": 2}
    made = make_adam(learn_rate=0.005, grad_max_norm=1.0, **settings)
    made.bind(nlp)
    return made
