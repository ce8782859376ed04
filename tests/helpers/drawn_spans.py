"""Spans drawn by hypothesis, and documents of them as in the evaluation."""

from hypothesis import strategies as st

from spacy_ner_ext.tools.evaluate.entities import (
    DocEntities,
    ScoredDoc,
    ScoredEntity,
)

LENGTH = 8
LABELS = ["A", "B", "C"]


@st.composite
def flat_spans(draw):
    """Spans that do not overlap."""
    boundaries = sorted(draw(st.sets(st.integers(0, LENGTH), min_size=2)))
    labels = [draw(st.sampled_from([None, *LABELS])) for _ in boundaries[1:]]
    pairs = zip(boundaries, boundaries[1:], labels)
    return [(start, end, label) for start, end, label in pairs if label]


@st.composite
def any_spans(draw, unique=True):
    """Spans that may overlap."""
    span = st.tuples(
        st.integers(0, LENGTH - 1), st.integers(1, LENGTH), st.sampled_from(LABELS)
    ).map(lambda each: (each[0], min(LENGTH, each[0] + each[1]), each[2]))
    return draw(st.lists(span, max_size=6, unique=unique))


def documents(spans, max_size=6):
    """Lists of gold and predicted spans of some documents."""
    return st.lists(st.tuples(spans, spans), max_size=max_size)


def scored(gold, predicted, index=0, scores=None):
    """A document without an example."""
    scores = scores or [None] * len(predicted)
    entities = DocEntities(
        index,
        LENGTH,
        tuple(entity(*span) for span in sorted(set(gold))),
        tuple(entity(*span, score=s) for span, s in zip(predicted, scores)),
    )
    return ScoredDoc(entities, None)


def entity(start, end, label, score=None, text="", sentence_length=LENGTH):
    return ScoredEntity(start, end, label, text, score, sentence_length)
