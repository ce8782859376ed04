"""Predictions that do not fit into the memory of a GPU at once."""

import logging

import pytest
import torch

from spacy_ner_ext.encoder.layer import TokenEncoder
from spacy_ner_ext.encoder.torch_shim import LARGEST_PASS
from spacy_ner_ext.span_marker.network import SpanMarkerNetwork
from tests.helpers.encoders import encoder_folder
from tests.helpers.pipelines import TEXTS, crf, fit, fitted, output, subject

DOCS = [*TEXTS, "", *TEXTS]


@pytest.fixture
def warnings(caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("spacy"), "propagate", True)
    caplog.set_level(logging.WARNING, logger="spacy")
    return caplog


def predict(nlp):
    """The predictions without probabilities, which are rounded otherwise in smaller
    batches."""
    docs = [output(doc) for doc in nlp.pipe(DOCS, batch_size=8)]
    return [
        [[span[:3] for span in spans] for spans in (ents, *groups.values())]
        for ents, groups, _ in docs
    ]


def fail_if(is_too_large, owner, name, monkeypatch):
    """Make a function run out of memory if its arguments are too large."""
    own = getattr(owner, name)

    def limited(self, *args, **kwargs):
        if is_too_large(*args):
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return own(self, *args, **kwargs)

    monkeypatch.setattr(owner, name, limited)


@pytest.mark.parametrize("name", ["flat_biluo", "per_label", "tagger", "span_marker"])
def test_documents_are_predicted_in_halves(name, monkeypatch, warnings):
    nlp = fitted(name)
    expected = predict(nlp)
    pipe = subject(nlp)
    own = pipe._predict

    def limited(docs):
        if len(docs) > 3:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return own(docs)

    monkeypatch.setattr(pipe, "_predict", limited)
    assert predict(nlp) == expected
    assert pipe.max_docs == 2
    assert warnings.text.count("Out of GPU memory") == 1


def test_a_single_document_that_is_too_large_is_an_error(monkeypatch):
    nlp = fitted("flat_biluo")
    fail_if(lambda *args: True, type(subject(nlp)), "find", monkeypatch)
    with pytest.raises(ValueError, match=r"'crf_ner': a document of \d+ tokens .*CPU"):
        predict(nlp)


@pytest.fixture(scope="module")
def over_encoder():
    encoder = {"@architectures": "spacy_ner_ext.Transformer.v1", "window": 12}
    encoder = {**encoder, "name": str(encoder_folder("bert")), "stride": 8}
    return fit({"crf_ner": crf(encoder)}, steps=3)


def test_passes_of_an_encoder_are_halved(over_encoder, monkeypatch, warnings):
    nlp = over_encoder
    expected = predict(nlp)
    [shim] = [s for node in subject(nlp).model.walk() for s in node.shims]
    fail_if(lambda batch: len(batch.ids) > 1, TokenEncoder, "_run", monkeypatch)
    assert predict(nlp) == expected
    assert LARGEST_PASS >> shim.n_halved > shim.row_size // 2
    assert shim.max_batch_pieces(trains=False) < 2 * shim.row_size
    assert subject(nlp).max_docs is None
    assert warnings.text.count("Out of GPU memory") == 1


def test_a_row_that_is_too_large_is_the_document_s_error(over_encoder, monkeypatch):
    [shim] = [s for node in subject(over_encoder).model.walk() for s in node.shims]
    before = shim.n_halved
    fail_if(lambda batch: True, TokenEncoder, "_run", monkeypatch)
    with pytest.raises(ValueError, match="does not fit into the memory"):
        predict(over_encoder)
    assert shim.n_halved == before


def test_passes_of_markers_are_halved(monkeypatch, warnings):
    nlp = fitted("span_marker")
    expected = predict(nlp)
    fail_if(
        lambda texts, pairs, lookup: len(pairs) > 4,
        SpanMarkerNetwork,
        "_classify",
        monkeypatch,
    )
    assert predict(nlp) == expected
    assert subject(nlp).max_docs is None
    assert warnings.text.count("Out of GPU memory") == 1
