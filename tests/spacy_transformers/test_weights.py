"""Paths of the weights of a transformer of spacy-transformers."""

import pytest

from tests.helpers.encoders import encoder_folder
from tests.helpers.pipelines import crf
from tests.util.test_weights import check_paths, start

pytestmark = [
    # spacy-transformers 1.4 calls torch.cuda.amp, which torch 2.4 renamed.
    pytest.mark.filterwarnings("ignore:.*torch.cuda.amp.*:FutureWarning"),
]


def over_spacy_transformers(folder):
    model = {
        "@architectures": "spacy-transformers.TransformerModel.v3",
        "name": str(folder),
        "get_spans": {
            "@span_getters": "spacy-transformers.strided_spans.v1",
            "window": 6,
            "stride": 4,
        },
    }
    upstream = {
        "@architectures": "spacy-transformers.TransformerListener.v1",
        "grad_factor": 1.0,
        "pooling": {"@layers": "reduce_mean.v1"},
    }
    return {"transformer": {"model": model}, "crf_ner": crf(upstream)}


def test_every_weight_has_a_path_of_its_own_under_the_key_of_thinc():
    check_paths(*start(over_spacy_transformers(encoder_folder("bert"))))
