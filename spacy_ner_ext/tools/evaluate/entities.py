"""Gold and predicted entities of documents, kept without the documents."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy
from spacy.tokens import Doc, Span
from spacy.training import Example

from ...crf.tags import LabelledSpan
from ...pipes.annotations import get_score
from ...pipes.gold import missing_tokens, read_gold
from ...scorers.ner import compare
from .span_keys import SpanKeys


@dataclass(frozen=True)
class ScoredEntity:
    """An entity on the tokens of the gold document.

    end: The end, exclusive.
    score: The probability of a predicted entity, None if it has none.
    sentence_length: Words in the sentence in which the entity starts, or in the
        document if gold has no sentences.
    """

    start: int
    end: int
    label: str
    text: str
    score: float | None = None
    sentence_length: int = 0

    @property
    def key(self) -> LabelledSpan:
        """Boundaries and label, which identify an entity."""
        return self.start, self.end, self.label


@dataclass(frozen=True)
class DocEntities:
    """The entities of a document.

    index: The number of the document in the corpus, from 0.
    n_tokens: Tokens of the gold document.
    gold: Distinct gold entities.
    predicted: Predictions that count as right or wrong.
    missing: Tokens without annotation.
    unjudged: Predictions over such tokens, neither right nor wrong.
    unaligned: Predictions over white space that gold does not have.
    misaligned: Gold entities with a boundary inside a token of the pipeline.
    """

    index: int
    n_tokens: int
    gold: tuple[ScoredEntity, ...]
    predicted: tuple[ScoredEntity, ...]
    missing: int = 0
    unjudged: int = 0
    unaligned: int = 0
    misaligned: int = 0


@dataclass(frozen=True)
class ScoredDoc:
    """A document on its way through the collectors, which may keep its entities but not
    the example, whose memory is freed."""

    entities: DocEntities
    example: Example


def read_entities(index: int, example: Example, keys: SpanKeys) -> DocEntities:
    """Copy gold and predicted entities of an example."""
    target, annotate = keys.target, keys.annotate
    reference = example.reference
    compared = compare(example, target, annotate)
    lengths = _sentence_lengths(reference)
    scores = _group_scores(example.predicted, annotate)
    gold = {_key(span) for span in compared.gold}
    predicted = [
        ((start, end, span.label_), _score(span, scores))
        for start, end, span in compared.predicted
    ]
    return DocEntities(
        index=index,
        n_tokens=len(reference),
        gold=tuple(_entity(reference, key, None, lengths) for key in sorted(gold)),
        predicted=tuple(
            _entity(reference, key, score, lengths)
            for key, score in sorted(
                predicted,
                key=lambda each: (each[0], -1.0 if each[1] is None else -each[1]),
            )
        ),
        missing=int(missing_tokens(reference, target).sum()),
        unjudged=compared.unjudged,
        unaligned=compared.unaligned,
        misaligned=len(read_gold(example, target).misaligned) if gold else 0,
    )


def _key(span: Span) -> LabelledSpan:
    return span.start, span.end, span.label_


def _entity(
    doc: Doc, key: LabelledSpan, score: float | None, lengths: numpy.ndarray
) -> ScoredEntity:
    start, end, label = key
    length = int(lengths[start]) if start < len(lengths) else 0
    return ScoredEntity(start, end, label, doc[start:end].text, score, length)


def _score(span: Span, scores: dict[LabelledSpan, float]) -> float | None:
    own = get_score(span)
    return scores.get(_key(span)) if own is None else own


def _group_scores(doc: Doc, keys: Sequence[str]) -> dict[LabelledSpan, float]:
    """The scores that spaCy's span categorizers store in attributes of span groups."""
    scores: dict[LabelledSpan, float] = {}
    for key in keys:
        group: Any = doc.spans.get(key, ())
        found = group.attrs.get("scores", ()) if len(group) else ()
        if len(found) == len(group):
            pairs = zip(group, found, strict=True)
            scores.update((_key(s), float(p)) for s, p in pairs if numpy.isfinite(p))
    return scores


def _sentence_lengths(doc: Doc) -> numpy.ndarray:
    """For each token, the words of its sentence."""
    lengths = numpy.zeros(len(doc), dtype=int)
    sentences = doc.sents if doc.has_annotation("SENT_START") else [doc[:]]
    for sentence in sentences:
        n_words = sum(not token.is_space for token in sentence)
        lengths[sentence.start : sentence.end] = n_words
    return lengths
