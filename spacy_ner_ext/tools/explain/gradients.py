"""Integrated gradients (Sundararajan et al. 2017, Axiomatic Attribution for Deep
Networks), by captum."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, Protocol

import numpy
import torch
from torch import Tensor

from ...util.errors import UserError

# How much of the difference of the values may be unaccounted for.
TOLERANCE = 0.02
# What nobody misses of a log-probability.
NEGLIGIBLE = 1e-3
# Points of one section of the path.
POINTS = 16


class Path(Protocol):
    """The straight line from a baseline to a text, and a number on all of it.

    inputs, baselines: Its end and its start, each of shape (1, ...).
    baseline: What the start is called.
    at_once: The points that are computed together.
    """

    inputs: tuple[Tensor, ...]
    baselines: tuple[Tensor, ...]
    baseline: str
    at_once: int

    def value(self, *points: Tensor) -> Tensor:
        """The number at each point, float64, shape (n_points,)."""

    def to_tokens(self, *attributions: Tensor) -> numpy.ndarray:
        """What the tokens have of attributions in the shapes
        of `inputs`, float64, shape (n_tokens,).
        """


@dataclass(frozen=True, eq=False)
class Section:
    """A part of a path.

    start, end: Where it begins and ends: 0 is the baseline, 1 the text.
    values: The number there.
    scores: The share of each token, shape (n_tokens,).
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
    """What integrated gradients give: the sections of a path, in their order."""

    sections: Sequence[Section]

    @property
    def scores(self) -> numpy.ndarray:
        """The share of each token, shape (n_tokens,)."""
        return numpy.sum([section.scores for section in self.sections], axis=0)

    @property
    def values(self) -> tuple[float, float]:
        """The number at the baseline and for the text."""
        return self.sections[0].values[0], self.sections[-1].values[1]

    @property
    def delta(self) -> float:
        """The sum of the scores less the difference of the values."""
        return sum(section.delta for section in self.sections)

    @property
    def converged(self) -> bool:
        """Whether the scores account for the difference of the values, but for 2 %; and
        so do those of the sections, whose errors may cancel out, for all ups and downs
        of the number on its way."""
        difference = abs(self.values[1] - self.values[0])
        way = sum(abs(part.values[1] - part.values[0]) for part in self.sections)
        errors = sum(abs(part.delta) for part in self.sections)
        return _is_small(abs(self.delta), difference) and _is_small(errors, way)

    def refined(self, split: Callable[[float, float], Section]) -> Integral:
        """Cut the section that misses most in two."""
        sections = list(self.sections)
        worst = max(sections, key=lambda part: abs(part.delta))
        middle = (worst.start + worst.end) / 2
        halves = split(worst.start, middle), split(middle, worst.end)
        i = sections.index(worst)
        return Integral([*sections[:i], *halves, *sections[i + 1 :]])


def _is_small(error: float, difference: float) -> bool:
    return error <= max(TOLERANCE * difference, NEGLIGIBLE)


def integrate(path: Path, steps: int, max_steps: int) -> tuple[Integral, int]:
    """Integrate the gradients of a number along a path.

    The path is cut into sections, each a Gauss-Legendre sum of 16 points. As the
    scores of a section have to add up to the difference of the values at its ends, it
    is known where the sum is off: that section is cut in two, and so on.

    steps: The points to begin with.
    RETURNS: The shares of the tokens, and the points at which gradients were taken.
    RAISES (UserError): If captum is not installed.
    """
    points = min(POINTS, steps)
    split = partial(_add_up, path, _captum()(path.value), points)
    boundaries = numpy.linspace(0, 1, 1 + steps // points).tolist()
    found = Integral([split(*ends) for ends in pairwise(boundaries)])
    taken = len(found.sections) * points
    while not found.converged and taken + 2 * points <= max_steps:
        found = found.refined(split)
        taken += 2 * points
    return found, taken


def _add_up(path: Path, method: Any, points: int, start: float, end: float) -> Section:
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
            '"spacy-ner-ext[explain]", or choose the method occlusion'
        ) from err
    return IntegratedGradients
