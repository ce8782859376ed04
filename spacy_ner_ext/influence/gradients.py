"""Integrated gradients (Sundararajan et al. 2017, Axiomatic Attribution for Deep
Networks), by captum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy
import torch
from torch import Tensor

from ..errors import UserError

# How much of the difference of the values may be unaccounted for.
TOLERANCE = 0.02
# What float32 leaves unaccounted for.
ROUNDING = 1e-4
# Points of one section of the path.
POINTS = 16


class Path(Protocol):
    """The straight line from a baseline to a text, and a number on all of it.

    inputs, baselines (Tuple[Tensor, ...]): Its end and its start, each of shape
        (1, ...).
    baseline (str): What the start is called.
    at_once (int): The points that are computed together.
    """

    inputs: tuple[Tensor, ...]
    baselines: tuple[Tensor, ...]
    baseline: str
    at_once: int

    def value(self, *points: Tensor) -> Tensor:
        """RETURNS (Tensor): The number at each point, float64, shape (n_points,)."""

    def to_tokens(self, *attributions: Tensor) -> numpy.ndarray:
        """RETURNS (numpy.ndarray): What the tokens have of attributions in the shapes
        of `inputs`, float64, shape (n_tokens,)."""


@dataclass(frozen=True)
class Section:
    """A part of a path.

    start, end (float): Where it begins and ends: 0 is the baseline, 1 the text.
    values (Tuple[float, float]): The number there.
    scores (numpy.ndarray): The share of each token, shape (n_tokens,).
    """

    start: float
    end: float
    values: tuple[float, float]
    scores: numpy.ndarray

    @property
    def delta(self) -> float:
        """The sum of the scores less the difference of the values."""
        return float(self.scores.sum()) - (self.values[1] - self.values[0])


@dataclass(frozen=True)
class Integral:
    """What integrated gradients give.

    scores (numpy.ndarray): The share of each token, shape (n_tokens,).
    value, baseline_value (float): The number for the text and at the start.
    steps (int): The points at which gradients were taken.
    error (float): The sum of what the scores of each section leave unaccounted for.
    """

    scores: numpy.ndarray
    value: float
    baseline_value: float
    steps: int
    error: float

    @property
    def delta(self) -> float:
        """The sum of the scores less the difference of the values."""
        return float(self.scores.sum()) - (self.value - self.baseline_value)


def converged(error: float, difference: float) -> bool:
    """RETURNS (bool): Whether an error is at most 2 % of a difference of values."""
    return error <= max(TOLERANCE * abs(difference), ROUNDING)


def integrate(path: Path, steps: int, max_steps: int) -> Integral:
    """Integrate the gradients of a number along a path.

    The path is cut into sections, each a Gauss-Legendre sum of 16 points. As the
    scores of a section have to add up to the difference of the values at its ends, it
    is known where the sum is off: as long as more than 2 % are unaccounted for, all
    sections together, the worst is cut in two.

    path (Path): The path.
    steps (int): The points to begin with.
    max_steps (int): The most points.
    RETURNS (Integral): The shares of the tokens.
    RAISES (UserError): If captum is not installed.
    """
    method = _captum()(path.value)
    points = min(POINTS, steps)
    borders = numpy.linspace(0, 1, 1 + steps // points).tolist()
    sections = [_add_up(path, method, a, b, points) for a, b in pairwise(borders)]
    difference = sections[-1].values[1] - sections[0].values[0]
    taken = len(sections) * points
    while taken + 2 * points <= max_steps and not converged(
        _error(sections), difference
    ):
        worst = max(range(len(sections)), key=lambda i: abs(sections[i].delta))
        start, end = sections[worst].start, sections[worst].end
        middle = (start + end) / 2
        sections[worst : worst + 1] = [
            _add_up(path, method, a, b, points)
            for a, b in ((start, middle), (middle, end))
        ]
        taken += 2 * points
    scores = numpy.sum([section.scores for section in sections], axis=0)
    value, baseline_value = sections[-1].values[1], sections[0].values[0]
    return Integral(scores, value, baseline_value, taken, _error(sections))


def _error(sections: Sequence[Section]) -> float:
    return sum(abs(section.delta) for section in sections)


def _add_up(path: Path, method: Any, start: float, end: float, points: int) -> Section:
    ends = [_between(path, start), _between(path, end)]
    attributions = method.attribute(
        ends[1],
        ends[0],
        n_steps=points,
        method="gausslegendre",
        internal_batch_size=path.at_once,
    )
    with torch.no_grad():
        first, last = (float(path.value(*parts)[0]) for parts in ends)
    return Section(start, end, (first, last), path.to_tokens(*attributions))


def _between(path: Path, share: float) -> tuple[Tensor, ...]:
    """A point of the path; its ends exactly."""
    pairs = zip(path.baselines, path.inputs)
    return tuple(torch.lerp(start, end, share) for start, end in pairs)


def _captum() -> Any:
    try:
        from captum.attr import IntegratedGradients
    except ImportError as err:
        raise UserError(
            "integrated gradients need captum: install it with pip install "
            '".[explain]", or choose the method occlusion'
        ) from err
    return IntegratedGradients
