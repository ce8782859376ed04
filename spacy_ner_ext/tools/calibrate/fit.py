"""Calibrate a component: temperature and thresholds from annotated documents."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy
from spacy.language import Language
from spacy.training import Example

from ...pipes.entities import EntityPipe
from ...pipes.find import find_component
from ...pipes.temperature import check_temperature
from ...pipes.thresholds import Threshold, check_threshold
from ...scorers.reliability import brier_score, expected_calibration_error, log_loss
from ...scorers.thresholds import Point, curve, lowest_for_precision, split_by_label
from ...util.errors import UserError
from .evidence import Evidence, collect
from .temperature import fit_temperature


@dataclass(frozen=True)
class Quality:
    """How well probabilities tell how often entities are right.

    ece: The expected calibration error.
    brier: The Brier score.
    log_loss: The log loss.
    """

    ece: float
    brier: float
    log_loss: float


@dataclass(frozen=True)
class LabelThreshold:
    """The threshold of a label.

    threshold: The threshold; 0 if none reaches the precision.
    reached: Whether one does.
    kept: What is kept by it.
    best: The point of the highest precision that a threshold gives.
    without: What there is without a threshold.
    """

    threshold: float
    reached: bool
    kept: Point
    best: Point
    without: Point


@dataclass(frozen=True)
class Calibration:
    """What was fitted, and what it is good for on the same documents.

    component: The name of the component.
    temperature: The temperature.
    threshold: The threshold.
    old_temperature: The temperature that there was.
    old_threshold: The threshold that there was.
    found: The entities that are found without a threshold.
    correct: How many of them are right.
    gold: The entities that there are.
    skipped: Found entities that were left out, as gold says nothing of them.
    misaligned: Gold entities whose boundaries are not boundaries of tokens.
    before: The quality at temperature 1.
    after: The quality at the temperature.
    labels: For each label that was found its threshold; empty if no precision was asked
        for.
    unfound: Labels that were never found and have no threshold.
    """

    component: str
    temperature: float
    threshold: Threshold
    old_temperature: float
    old_threshold: Threshold
    found: int
    correct: int
    gold: int
    skipped: int
    misaligned: int
    before: Quality
    after: Quality
    labels: dict[str, LabelThreshold]
    unfound: list[str]

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the component."""
        return {"temperature": self.temperature, "threshold": self.threshold}

    def to_dict(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return asdict(self)


def calibrate(
    nlp: Language,
    examples: Iterable[Example],
    *,
    component: str | None = None,
    precision: float | None = None,
    batch_size: int | None = None,
) -> Calibration:
    """Fit the temperature of a component, and thresholds if a precision is asked for.

    It is fitted afresh, whatever temperature there is. The component and the config of
    the pipeline get the result, and `nlp.to_disk` saves it. Without a precision the
    threshold stays as it is, and the same entities are found where it is 0.

    nlp: The pipeline.
    examples: Documents that it was not trained on.
    component: The name of the component, if there are several.
    precision: The precision that each label shall have.
    batch_size: Documents a batch; that of the pipeline if None.
    RETURNS: The result.
    RAISES (UserError): If no component has probabilities, or the documents say nothing
        about them.
    """
    pipe = find_entity_pipe(nlp, component)
    evidence = collect(nlp, pipe, examples, batch_size or nlp.batch_size)
    check_evidence(pipe.name, evidence)
    result = fit(pipe, evidence, precision)
    pipe.cfg.update(result.settings)
    nlp.get_pipe_config(pipe.name).update(result.settings)
    return result


def find_entity_pipe(nlp: Language, name: str | None = None) -> EntityPipe:
    """Find the component to calibrate; see find_component."""
    return find_component(nlp, EntityPipe, name, "predicts probabilities of entities")


def check_evidence(name: str, evidence: Evidence) -> None:
    """Check that something can be learnt from what was found.

    name: The name of the component.
    RAISES (UserError): If not.
    """
    if not evidence.gold:
        raise UserError(
            f"the documents have no gold entity for '{name}' to be compared with: give "
            "annotated ones"
        )
    correct = evidence.correct
    if not len(correct):
        raise UserError(
            f"'{name}' finds no entity in the documents: train it first, or give others"
        )
    if correct.all() or not correct.any():
        what = "right" if correct.all() else "wrong"
        raise UserError(
            f"all {len(correct)} entities that '{name}' finds in the documents are "
            f"{what}, which no temperature fits: give more documents that it was not "
            "trained on"
        )


def fit(
    component: EntityPipe, evidence: Evidence, precision: float | None = None
) -> Calibration:
    """Fit temperature and thresholds to what a component found.

    component: The component, which stays as it is.
    precision: The precision that each label shall have.
    """
    old = {key: component.cfg[key] for key in ("temperature", "threshold")}
    temperature = round(fit_temperature(evidence), 4)
    threshold, labels = old["threshold"], {}
    if precision is not None:
        labels = fit_thresholds(evidence, temperature, precision)
        threshold = {label: each.threshold for label, each in labels.items()}
    unfound = [label for label in component.labels if label not in labels]
    return Calibration(
        component=component.name,
        temperature=check_temperature(component.name, temperature),
        threshold=check_threshold(component.name, threshold),
        old_temperature=old["temperature"],
        old_threshold=old["threshold"],
        found=len(evidence.correct),
        correct=int(evidence.correct.sum()),
        gold=sum(evidence.gold.values()),
        skipped=evidence.skipped,
        misaligned=evidence.misaligned,
        before=measure(evidence, 1.0),
        after=measure(evidence, temperature),
        labels=labels,
        unfound=[] if precision is None else unfound,
    )


def measure(evidence: Evidence, temperature: float) -> Quality:
    """Measure how well probabilities tell how often entities are right.

    evidence: What was found, and whether it is right.
    """
    scores, correct = evidence.scores(temperature).clip(0, 1), evidence.correct
    measures = expected_calibration_error, brier_score, log_loss
    return Quality(*(each(scores, correct) for each in measures))


def fit_thresholds(
    evidence: Evidence, temperature: float, precision: float
) -> dict[str, LabelThreshold]:
    """Find the lowest threshold of each label that reaches a precision.

    evidence: What was found, and whether it is right.
    temperature: The temperature of the probabilities.
    RETURNS: The threshold of each label that was found.
    """
    found = evidence.scores(temperature), evidence.correct, evidence.labels
    parts = split_by_label(*found, evidence.gold)
    return {label: _fit_threshold(part, precision) for label, part in parts.items()}


def _fit_threshold(
    part: tuple[numpy.ndarray, numpy.ndarray, int], precision: float
) -> LabelThreshold:
    points = curve(*part)
    best = max(points, key=lambda point: point.p)
    point = lowest_for_precision(points, precision)
    if point is None:
        return LabelThreshold(0.0, False, points[0], best, points[0])
    return LabelThreshold(point.threshold, True, point, best, points[0])
