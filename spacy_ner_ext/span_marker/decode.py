"""Scores of candidates to entities that do not overlap."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy
from spacy.tokens import Doc

from ..encoder.pieces import Ints
from ..pipes.predictions import DocSpan, Predictions
from ..pipes.spans import ENTS, blocked_tokens, read_spans
from .candidates import without_overlap
from .gold import OUTSIDE
from .scorer import Candidates, CandidateScores
from .windows import DocWords, words_before


def kept_words(
    docs: Sequence[Doc], words: DocWords, keys: Sequence[str]
) -> numpy.ndarray:
    """Whether each word is part of an entity in the span keys, or blocked."""
    kept = numpy.zeros(int(words.doc_starts[-1]), dtype=bool)
    for doc, offset in zip(docs, words.doc_starts.tolist()):
        spans = [(span.start, span.end) for span in read_spans(doc, keys)]
        if ENTS in keys:
            spans += [(i, i + 1) for i in blocked_tokens(doc)]
        before = words_before(doc)
        for start, end in spans:
            kept[offset + before[start] : offset + before[end]] = True
    return kept


def choose(ops: Any, scores: CandidateScores, bias: float) -> tuple[Ints, Ints]:
    """Choose the best label of each marked span, with `bias` added to the score of
    every label, but not to probabilities; and then, as SpanMarker, the indices of the
    most probable entity, the most probable that shares no word with it, and so on."""
    probabilities = ops.to_numpy(ops.softmax(scores.logits))
    biased = ops.to_numpy(scores.logits).copy()
    biased[:, OUTSIDE] -= bias
    labels = biased.argmax(axis=1)
    entities = numpy.flatnonzero(labels != OUTSIDE)
    spans = scores.candidates.spans[scores.chosen[entities]]
    ranks = probabilities[entities, labels[entities]]
    return labels, entities[without_overlap(spans, ranks)]


def bounds_of(
    candidates: Candidates, which: Any = slice(None)
) -> list[tuple[int, int, int]]:
    """The document, the first token and the end (exclusive) of some candidates."""
    words, spans = candidates.words, candidates.spans
    docs = words.sentence_docs[spans.sentences[which]]
    first, last = words.tokens[spans.first[which]], words.tokens[spans.last[which]]
    return list(zip(docs.tolist(), first.tolist(), (last + 1).tolist()))


def decode(
    ops: Any, scores: CandidateScores, labels: Sequence[str], bias: float
) -> Predictions:
    """Find the entities in the documents of some candidates; see `choose`."""
    numbers, best = choose(ops, scores, bias)
    return _with_probabilities(ops, scores, labels, best, numbers[best])


def decode_likely(
    ops: Any,
    scores: CandidateScores,
    labels: Sequence[str],
    temperature: float,
    minimum: float,
    given: set[DocSpan],
) -> Predictions:
    """Find the spans with at least a probability, see EntityPipe.find_likely."""
    found = ops.to_numpy(ops.softmax(scores.logits / temperature)) >= minimum
    bounds = bounds_of(scores.candidates, scores.chosen)
    place = {each: i for i, each in enumerate(bounds)}
    for doc, start, end, label in given:
        if (doc, start, end) in place:
            found[place[doc, start, end], 1 + labels.index(label)] = True
    found[:, OUTSIDE] = False
    likely = _with_probabilities(ops, scores, labels, *numpy.nonzero(found))
    return replace(likely, overlap=True)


def _with_probabilities(
    ops: Any, scores: CandidateScores, labels: Sequence[str], rows: Ints, columns: Ints
) -> Predictions:
    bounds = bounds_of(scores.candidates, scores.chosen[rows])
    names = [labels[number - 1] for number in columns.tolist()]
    entities = [(*each, label) for each, label in zip(bounds, names)]
    # Only these logits are kept, not those of the many other candidates.
    logits = scores.logits[ops.asarray1i(rows)]

    def probabilities(temperature: float) -> numpy.ndarray:
        by_label = ops.to_numpy(ops.softmax(logits / temperature))
        return by_label[numpy.arange(len(columns)), columns]

    return Predictions(entities, probabilities)
