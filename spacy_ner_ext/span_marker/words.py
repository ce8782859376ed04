"""From spaCy's documents to words, and back to tokens."""

from __future__ import annotations

from collections.abc import Sequence

import numpy
from spacy.attrs import IS_SPACE, SENT_START
from spacy.tokens import Doc

from ..encoder.pieces import Ints
from .windows import Words


def read_words(docs: Sequence[Doc], by_sentence: bool = True) -> Words:
    """Read the words and sentences of documents; white space is no word.

    by_sentence: Whether sentences are told apart, where the documents have them; if
        not, a document is one sentence.
    """
    texts, tokens, boundaries, doc_of = [], [], [], []
    offset = 0
    for i, doc in enumerate(docs):
        own = numpy.flatnonzero(doc.to_array(IS_SPACE) == 0).astype("int64")
        texts.append([doc[j].text for j in own.tolist()])
        tokens.append(own)
        begins = _first_words(doc, own, by_sentence)
        ends = [*begins[1:], len(own)]
        boundaries += [(offset + a, offset + b) for a, b in zip(begins, ends)]
        doc_of += [i] * len(begins)
        offset += len(own)
    return Words(
        texts,
        numpy.concatenate([numpy.zeros(0, dtype="int64"), *tokens]),
        numpy.array(boundaries, dtype="int64").reshape(-1, 2),
        numpy.array(doc_of, dtype="int64"),
    )


def _first_words(doc: Doc, tokens: Ints, by_sentence: bool) -> list[int]:
    """The first word of each sentence that has words."""
    if not len(tokens):
        return []
    if not by_sentence or not doc.has_annotation("SENT_START"):
        return [0]
    sentence = numpy.cumsum(doc.to_array(SENT_START) == 1)[tokens]
    return numpy.flatnonzero(numpy.diff(sentence, prepend=-1)).tolist()


def words_before(doc: Doc) -> Ints:
    """The number of words before each token, and of all, shape
    (n_tokens + 1,).
    """
    is_word = doc.to_array(IS_SPACE) == 0
    return numpy.concatenate([[0], numpy.cumsum(is_word)]).astype("int64")
