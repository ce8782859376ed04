"""Predicted entities and their probabilities, before and after the threshold."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy

from .thresholds import Threshold, threshold_of

# Index of the document, first token, end (exclusive) and label.
DocSpan = tuple[int, int, int, str]


class ScoredSpan(NamedTuple):
    """A predicted entity. `rank_score`, its probability at temperature 1, decides
    between overlapping entities, so that the temperature does not change the choice."""

    start: int
    end: int  # exclusive
    label: str
    score: float  # probability at the temperature of the component
    rank_score: float


@dataclass(frozen=True)
class Predictions:
    """Entities of a batch of documents, before thresholding."""

    spans: list[DocSpan]
    probabilities: Callable[[float], numpy.ndarray]  # at a temperature
    overlap: bool = False  # whether some may overlap


def score_entities(
    found: Predictions, n_docs: int, temperature: float, threshold: Threshold
) -> list[list[ScoredSpan]]:
    """Compute the probabilities of entities, and list those of each document that reach
    the threshold."""
    scores = found.probabilities(temperature).tolist()
    rank_scores = scores
    if found.overlap and temperature != 1:
        rank_scores = found.probabilities(1.0).tolist()
    result: list[list[ScoredSpan]] = [[] for _ in range(n_docs)]
    for span, score, rank_score in zip(found.spans, scores, rank_scores):
        document, start, end, label = span
        if score >= threshold_of(threshold, label):
            result[document].append(ScoredSpan(start, end, label, score, rank_score))
    return result
