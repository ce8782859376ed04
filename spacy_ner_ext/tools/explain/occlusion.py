"""What a number loses if a token is replaced by one that says nothing: occlusion
(Zeiler and Fergus 2014)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import minibatch
from thinc.api import Model

from ...encoder.torch_shim import TorchShim
from .embeddings import find_mask
from .graph import connected
from .targets import Target

# Where no encoder has a piece for it.
NEUTRAL = "_"
# Texts that are computed together.
AT_ONCE = 64


@dataclass(frozen=True)
class Occluded:
    """What occlusion gives.

    scores: Value of the text less that without a token, shape (n_tokens,); 0 for white
        space, which stays.
    value: The number for the text.
    neutral: What tokens were replaced by.
    """

    scores: numpy.ndarray
    value: float
    neutral: str


def occlude(nlp: Language, target: Target, doc: Doc, neutral: str | None) -> Occluded:
    """Replace one token after another, and let the pipeline up to the component of the
    target see the text again.

    neutral: What replaces a token; by default the mask piece of the encoder, or "_".
    """
    name = target.subject.component
    neutral = neutral or find_neutral(nlp, name)
    words = [token.i for token in doc if not token.is_space]
    texts = (replace_token(doc, i, neutral) for i in (None, *words))
    before = _components_before(nlp, name)
    values: list[float] = []
    for batch in minibatch(texts, AT_ONCE):
        for component in before:
            batch = [component(each) for each in batch]
        values.extend(target.values(batch).tolist())
    scores = numpy.zeros(len(doc))
    scores[words] = values[0] - numpy.array(values[1:])
    return Occluded(scores, values[0], neutral)


def _components_before(nlp: Language, name: str) -> list[Any]:
    names = nlp.pipe_names
    return [component for _, component in nlp.pipeline[: names.index(name)]]


def replace_token(doc: Doc, i: int | None, text: str) -> Doc:
    """Copy the words of a document, and its sentences if it has them.

    i: The token to be replaced.
    text: What it is replaced by.
    RETURNS: The copy, without any other annotation.
    """
    words = [text if token.i == i else token.text for token in doc]
    spaces = [bool(token.whitespace_) for token in doc]
    starts: list[bool | int | None] | None = None
    if doc.has_annotation("SENT_START"):
        starts = [bool(token.is_sent_start) for token in doc]
    return Doc(doc.vocab, words=words, spaces=spaces, sent_starts=starts)


def find_neutral(nlp: Language, name: str) -> str:
    """Find a word that says nothing to a component.

    name: The name of the component.
    RETURNS: The mask piece of the encoder that it uses, or "_".
    """
    model = getattr(nlp.get_pipe(name), "model", None)
    if not isinstance(model, Model):
        return NEUTRAL
    with connected(nlp, model) as nodes:
        for node in nodes:
            for shim in node.shims:
                if isinstance(shim, TorchShim):
                    return find_mask(shim.tokenizer) or NEUTRAL
    return _mask_of_spacy_transformers(nlp) or NEUTRAL


def _mask_of_spacy_transformers(nlp: Language) -> str | None:
    for _, component in nlp.pipeline:
        tokenizer = getattr(getattr(component, "model", None), "tokenizer", None)
        if tokenizer is not None:
            return getattr(tokenizer, "mask_token", None)
    return None
