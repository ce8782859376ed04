"""From what a component finds to probabilities: temperature and thresholds."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Union

import numpy

# One for all labels, or by label.
Threshold = Union[float, dict[str, float]]
# Beyond these every probability is 0, 1 or that of chance, and scores overflow.
MIN_TEMPERATURE, MAX_TEMPERATURE = 1e-3, 1e3


class ScoredSpan(NamedTuple):
    """An entity that was found.

    start: The first token.
    end: The end (exclusive).
    label: The label.
    score: The probability, at the temperature of the component.
    rank_score: What overlapping ones are chosen by: the probability at temperature 1,
        so that no temperature changes the choice.
    """

    start: int
    end: int
    label: str
    score: float
    rank_score: float


@dataclass(frozen=True)
class Predictions:
    """The entities of some documents, before any is dropped.

    spans: The document, the first token, the end (exclusive) and the label of each.
    probabilities: Their probabilities at a temperature.
    overlap: Whether some of them may overlap.
    """

    spans: list[tuple[int, int, int, str]]
    probabilities: Callable[[float], numpy.ndarray]
    overlap: bool = False


def score_entities(
    found: Predictions, n_docs: int, temperature: float, threshold: Threshold
) -> list[list[ScoredSpan]]:
    """Give entities their probabilities, and drop those below the threshold.

    temperature: The temperature of the probabilities.
    """
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


def threshold_of(threshold: Threshold, label: str) -> float:
    """The threshold of a label; 0 if a table does not list it."""
    return threshold.get(label, 0.0) if isinstance(threshold, Mapping) else threshold


def check_temperature(name: str, temperature: float) -> float:
    """Check a temperature.

    name: The name of the component.
    temperature: What probabilities shall be divided by, in log space.
    RAISES (ValueError): If it is not above 0, or far from 1.
    """
    inside = MIN_TEMPERATURE <= temperature <= MAX_TEMPERATURE
    if not (math.isfinite(temperature) and inside):
        raise ValueError(
            f"The temperature of '{name}' is {temperature}: set temperature to a value "
            f"from {MIN_TEMPERATURE:g} to {MAX_TEMPERATURE:g}, or to 1.0 to leave "
            "probabilities as they are."
        )
    return float(temperature)


def check_threshold(name: str, threshold: Threshold) -> Threshold:
    """Check a threshold.

    name: The name of the component.
    threshold: One, or one by label.
    RAISES (ValueError): If a value is no probability.
    """
    by_label = isinstance(threshold, Mapping)
    values = dict(threshold) if isinstance(threshold, Mapping) else {"": threshold}
    for label, value in values.items():
        if not 0 <= value <= 1:
            of = f"'{label}' in '{name}'" if by_label else f"'{name}'"
            raise ValueError(
                f"The threshold of {of} is a probability, but is {value}: set "
                "threshold to a value from 0 to 1."
            )
    floats = {label: float(value) for label, value in values.items()}
    return floats if by_label else floats[""]


def check_thresholds(name: str, threshold: Threshold, labels: Sequence[str]) -> None:
    """Check that thresholds are of labels that there are.

    name: The name of the component.
    threshold: One, or one by label.
    labels: The labels of the component.
    RAISES (ValueError): If a table lists another label.
    """
    listed = threshold if isinstance(threshold, Mapping) else {}
    for label in listed:
        if label not in labels:
            raise ValueError(
                f"The threshold of '{name}' lists the label '{label}', which it does "
                f"not have: use some of {', '.join(labels)}."
            )
