"""Errors of a GPU in `predict`: out of memory, and a GPU that is lost."""

import pytest
import torch
from spacy.language import Language

from spacy_ner_ext import UserError
from spacy_ner_ext.tools.predict import worker
from spacy_ner_ext.util.errors import Place


class Content(str):
    """A text as an item of the input."""

    content = property(lambda self: str(self))
    place = Place("texts.txt", 3)
    error = ""


def fail_at(monkeypatch, word, error):
    def predict(nlp, texts, batch_size):
        if any(word in text for text in texts):
            raise error
        return [{"text": text, "entities": []} for text in texts]

    monkeypatch.setattr(worker, "predict", predict)


def test_a_text_that_does_not_fit_into_memory(monkeypatch):
    fail_at(monkeypatch, "long", torch.OutOfMemoryError("CUDA out of memory"))
    items = list(map(Content, ["a", "long", "b"]))
    found = worker.annotate(Language(), items)
    assert [result["entities"] for result in found] == [[], None, []]
    assert "--max-length" in found[1]["error"]


def test_a_lost_gpu_ends_the_run(monkeypatch):
    error = torch.AcceleratorError if hasattr(torch, "AcceleratorError") else None
    text = "CUDA error: an illegal memory access was encountered"
    fail_at(monkeypatch, "bad", RuntimeError(text) if error is None else error(text))
    with pytest.raises(UserError, match="repeat the command"):
        worker.annotate(Language(), [Content("a"), Content("bad")])
