"""Encoders: precisions, frozen and cached, nested and shared; filtered span markers."""

import pytest

from spacy_ner_ext.util.weights import iter_weights
from tests.gpu.trained import grouped_adam, trained
from tests.helpers.fake_gpu.compare import assert_equal_on_gpu
from tests.helpers.pipelines import crf, listener, span_marker, tagger
from tests.helpers.training_runs import TRANSFORMER
from tests.span_marker.test_component import fit_spancat

OWN_LISTENER = {
    **listener("tok2vec"),
    "@architectures": "spacy_ner_ext.Tok2VecListener.v1",
    "width": 32,
}


def nested(**settings):
    return {"crf_ner": crf({**TRANSFORMER, **settings})}


PIPES = {
    "half frozen, small passes": nested(freeze=1, max_batch_pieces=20),
    "several layers": nested(layers=[-1, -2], layer_mix="learned", pooling="first"),
    "cached on the CPU": nested(freeze=True, embedding_cache="cpu"),
    "recomputed": nested(gradient_checkpointing=True, pooling="sum"),
    "shared": {
        "tok2vec": {"model": TRANSFORMER},
        "crf_tagger": tagger(OWN_LISTENER),
        "crf_ner": crf(OWN_LISTENER),
    },
    "filtered": {"span_marker_ner": span_marker(candidates="filtered")},
    "markers and text": {"span_marker_ner": span_marker(head="markers+text")},
}


@pytest.mark.parametrize("name", PIPES)
def test_an_encoder_trains_and_predicts(name):
    assert_equal_on_gpu(lambda: trained(PIPES[name], grouped_adam))


# Half precision rounds the sums of attention, whose order is not the same.
@pytest.mark.parametrize(
    "make,precision", [(nested, "fp16"), (nested, "bf16"), (span_marker, "fp16")]
)
def test_half_precision(make, precision):
    made = make(precision=precision)
    pipes = made if make is nested else {"span_marker_ner": made}
    assert_equal_on_gpu(lambda: trained(pipes, grouped_adam)[0], 0.05)


def test_a_span_categorizer():
    def categorized():
        nlp = fit_spancat("spancat", steps=3)
        weights = {
            weight.path: weight.array
            for weight in iter_weights(nlp)
            if not weight.path.endswith("key.bias")
        }
        doc = nlp("New York Times")
        group = doc.spans["sc"]
        return weights, list(map(str, group)), group.attrs["scores"]

    assert_equal_on_gpu(categorized)
