"""All components: training, prediction and saving are equal on the CPU and the GPU."""

import pytest
from spacy.tokens import Doc

from tests.gpu.trained import grouped_adam, thinc_adam, trained
from tests.helpers.fake_gpu.compare import assert_equal_on_gpu
from tests.helpers.pipelines import (
    CORPUS,
    PIPELINES,
    annotate,
    fitted,
    output,
    words_of,
)


@pytest.mark.parametrize("make_sgd", [thinc_adam, grouped_adam])
@pytest.mark.parametrize("name", PIPELINES)
def test_a_component_trains_and_predicts(name, make_sgd):
    assert_equal_on_gpu(lambda: trained(name, make_sgd))


@pytest.mark.parametrize("name", ["flat_biluo", "flat_iob2", "per_label", "tagger"])
def test_annotations_are_kept(name):
    def predicted():
        nlp = fitted(name)
        docs = []
        for text, spans in CORPUS:
            words = words_of(text)
            tags = ["NAME", *[""] * (len(words) - 1)]
            docs.append(annotate(Doc(nlp.vocab, words=words, tags=tags), spans[:1]))
        return [output(doc) for doc in nlp.pipe(docs)]

    assert_equal_on_gpu(predicted)
