"""Occlusion: how much a quantity drops if a token is replaced by a neutral word
(Zeiler and Fergus 2014, Visualizing and Understanding Convolutional Networks)."""

from __future__ import annotations

from typing import Any

import numpy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import minibatch
from thinc.api import Model

from .embeddings import find_mask
from .model_path import find_encoders
from .targets import Target

# The neutral word for pipelines without an encoder.
NEUTRAL = "_"
# Texts that are processed together.
BATCH_SIZE = 64


def occlude(
    nlp: Language, target: Target, doc: Doc, neutral: str | None
) -> dict[str, Any]:
    """Replace one token after another, except white space, and run the pipeline up to
    the component of the target again.

    RETURNS: Fields of an Explanation.
    """
    neutral = neutral or find_neutral(nlp, target.name)
    words = [token.i for token in doc if not token.is_space]
    texts = (_replace_token(doc, i, neutral) for i in (None, *words))
    before = nlp.pipeline[: nlp.pipe_names.index(target.name)]
    values: list[float] = []
    for batch in minibatch(texts, BATCH_SIZE):
        for _, component in before:
            batch = [component(each) for each in batch]
        values.extend(target.values(batch).tolist())
    scores = numpy.zeros(len(doc))
    scores[words] = values[0] - numpy.array(values[1:])
    found = {"value": values[0], "scores": scores.tolist()}
    return {"method": "occlusion", "baseline": neutral, **found}


def _replace_token(doc: Doc, i: int | None, text: str) -> Doc:
    """Copy the words of a document, and its sentence boundaries, if it has them."""
    words = [text if token.i == i else token.text for token in doc]
    spaces = [bool(token.whitespace_) for token in doc]
    starts: list[bool | int | None] | None = None
    if doc.has_annotation("SENT_START"):
        starts = [bool(token.is_sent_start) for token in doc]
    return Doc(doc.vocab, words=words, spaces=spaces, sent_starts=starts)


def find_neutral(nlp: Language, name: str) -> str:
    """The mask piece of the encoder that a component uses, or "_"."""
    model = getattr(nlp.get_pipe(name), "model", None)
    for encoder in find_encoders(nlp, model) if isinstance(model, Model) else ():
        shim: Any = encoder.shims[0]
        return find_mask(shim.tokenizer) or NEUTRAL
    # The component of spacy-transformers.
    for _, component in nlp.pipeline:
        tokenizer = getattr(getattr(component, "model", None), "tokenizer", None)
        if tokenizer is not None:
            return getattr(tokenizer, "mask_token", None) or NEUTRAL
    return NEUTRAL
