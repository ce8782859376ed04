"""From the scores of candidates to entities without overlap."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy
from spacy.tokens import Doc

from ..encoder.pieces import Ints
from ..recognizer import ScoredSpan
from ..spans import ENTS, blocked_tokens, read_spans
from .candidates import Spans, without_overlap
from .gold import OUTSIDE
from .step import Scored
from .windows import Words
from .words import words_before


@dataclass(frozen=True)
class Candidates:
    """The candidate spans of some documents, and what the model says about them.

    words (Words): The words of the documents.
    spans (Spans): All candidates.
    scored (Scored): The scores.
    """

    words: Words
    spans: Spans
    scored: Scored


@dataclass(frozen=True)
class Chosen:
    """What the candidates are that were marked.

    labels (Ints): The number of the best label of each, shape (n_marked,); OUTSIDE for
        no entity.
    scores (NDArray): Its probability, same shape.
    best (Ints): The entities without overlap: their numbers among those marked.
    """

    labels: Ints
    scores: Any
    best: Ints


def taken_words(docs: Sequence[Doc], words: Words, places: Sequence[str]) -> Any:
    """Find the words of entities that are kept.

    docs (Sequence[Doc]): The documents.
    words (Words): Their words.
    places (Sequence[str]): Where entities are kept: "ents" and span groups.
    RETURNS (NDArray): Bools, shape (n_words,).
    """
    taken = numpy.zeros(int(words.doc_starts[-1]), dtype=bool)
    for doc, offset in zip(docs, words.doc_starts.tolist()):
        kept = [(span.start, span.end) for span in read_spans(doc, places)]
        if ENTS in places:
            kept += [(i, i + 1) for i in blocked_tokens(doc)]
        before = words_before(doc)
        for start, end in kept:
            taken[offset + before[start] : offset + before[end]] = True
    return taken


def choose(
    ops: Any, found: Candidates, taken: Any, bias: float, threshold: float
) -> Chosen:
    """Choose the best label of each candidate, and then as SpanMarker the most
    probable entity, the most probable that shares no word with it, and so on.

    ops (Ops): The backend of the logits.
    found (Candidates): The candidates, scored.
    taken (NDArray): Words that no entity may cover, bools; is added to.
    bias (float): Added to the score of every label, but not to probabilities.
    threshold (float): The lowest probability of an entity.
    RETURNS (Chosen): What the candidates are.
    """
    probabilities = ops.to_numpy(ops.softmax(found.scored.logits))
    biased = ops.to_numpy(found.scored.logits).copy()
    biased[:, OUTSIDE] -= bias
    labels = biased.argmax(axis=1)
    scores = numpy.take_along_axis(probabilities, labels[:, None], axis=1)[:, 0]
    labels[scores < threshold] = OUTSIDE
    entities = numpy.flatnonzero(labels != OUTSIDE)
    spans = found.spans[found.scored.chosen[entities]]
    best = entities[without_overlap(spans, scores[entities], taken)]
    return Chosen(labels, scores, best)


def write_entities(
    found: Candidates, chosen: Chosen, labels: Sequence[str], n_docs: int
) -> list[list[ScoredSpan]]:
    """Write entities as spans of tokens.

    found (Candidates): The candidates.
    chosen (Chosen): What they are.
    labels (Sequence[str]): The labels.
    n_docs (int): The number of documents.
    RETURNS (List[List[Tuple[int, int, str, float]]]): For each document, first token,
        end (exclusive), label and probability of its entities.
    """
    best, tokens = chosen.best, found.words.tokens
    spans = found.spans[found.scored.chosen[best]]
    columns = (
        found.words.sentence_docs[spans.sentences],
        tokens[spans.first],
        tokens[spans.last],
        chosen.labels[best],
        chosen.scores[best],
    )
    result: list[list[ScoredSpan]] = [[] for _ in range(n_docs)]
    for doc, first, last, number, score in zip(*(x.tolist() for x in columns)):
        result[doc].append((first, last + 1, labels[number - 1], score))
    return result
