"""From the scores of candidates to entities without overlap."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy
from spacy.tokens import Doc

from ..encoder.pieces import Ints
from ..pipes.spans import ENTS, blocked_tokens, read_spans
from .candidates import Spans, without_overlap
from .gold import OUTSIDE
from .step import CandidateScores
from .windows import Words
from .words import words_before


@dataclass(frozen=True)
class Candidates:
    """The candidate spans of some documents, and what the model says about them.

    words: The words of the documents.
    spans: All candidates.
    scored: The scores.
    """

    words: Words
    spans: Spans
    scored: CandidateScores


@dataclass(frozen=True)
class Decoded:
    """What the candidates are that were marked.

    labels: The number of the best label of each, shape (n_marked,); OUTSIDE for no
        entity.
    scores: Its probability at temperature 1, same shape.
    best: The entities without overlap: their numbers among those marked.
    """

    labels: Ints
    scores: Any
    best: Ints


def taken_words(docs: Sequence[Doc], words: Words, places: Sequence[str]) -> Any:
    """Find the words of entities that are kept.

    places: Where entities are kept: "ents" and span groups.
    RETURNS: Bools, shape (n_words,).
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


def choose(ops: Any, found: Candidates, taken: Any, bias: float) -> Decoded:
    """Choose the best label of each candidate, and then as SpanMarker the most
    probable entity, the most probable that shares no word with it, and so on.

    ops: The backend of the logits.
    taken: Words that no entity may cover, bools; is added to.
    bias: Added to the score of every label, but not to probabilities.
    """
    by_label = ops.to_numpy(ops.softmax(found.scored.logits))
    biased = ops.to_numpy(found.scored.logits).copy()
    biased[:, OUTSIDE] -= bias
    labels = biased.argmax(axis=1)
    scores = numpy.take_along_axis(by_label, labels[:, None], axis=1)[:, 0]
    entities = numpy.flatnonzero(labels != OUTSIDE)
    spans = found.spans[found.scored.chosen[entities]]
    best = entities[without_overlap(spans, scores[entities], taken)]
    return Decoded(labels, scores, best)


def probabilities_of(
    ops: Any, found: Candidates, chosen: Decoded
) -> Callable[[float], Any]:
    """Make what gives the probabilities of the entities; it keeps nothing of the other
    candidates, which are many more.

    ops: The backend of the logits.
    RETURNS: From a temperature, by which logits are divided, to the probability of each
        entity, shape (n_entities,).
    """
    best = chosen.best
    scores, labels = chosen.scores[best], chosen.labels[best][:, None]
    logits = found.scored.logits[ops.asarray1i(best)]

    def probabilities(temperature: float) -> Any:
        if temperature == 1:
            return scores
        by_label = ops.to_numpy(ops.softmax(logits / temperature))
        return numpy.take_along_axis(by_label, labels, axis=1)[:, 0]

    return probabilities


def locate(
    found: Candidates, chosen: Decoded, labels: Sequence[str]
) -> list[tuple[int, int, int, str]]:
    """Find the entities in the documents.

    RETURNS: The document, first token, end (exclusive) and label of each.
    """
    best, tokens = chosen.best, found.words.tokens
    spans = found.spans[found.scored.chosen[best]]
    columns = (
        found.words.sentence_docs[spans.sentences],
        tokens[spans.first],
        tokens[spans.last],
        chosen.labels[best],
    )
    return [
        (doc, first, last + 1, labels[number - 1])
        for doc, first, last, number in zip(*(x.tolist() for x in columns))
    ]
