"""Integrated gradients (Sundararajan et al. 2017, Axiomatic Attribution for Deep
Networks) with captum, with as many steps as the result needs."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import numpy
import torch
from torch import Tensor

from ...util.extras import require

# The largest error of the scores, relative to the difference of the values ...
TOLERANCE = 0.02
# ... and absolute, of a log-probability.
NEGLIGIBLE = 1e-3
# Gauss-Legendre points in a section of the path.
POINTS = 16


class Path(Protocol):
    """A quantity as a function of how much the model sees of each token.

    At scale 0 the embeddings of a token's word pieces are those of the baseline, at 1
    those of the text. The gradient with respect to its scale, integrated from 0 to 1,
    is the sum of the integrated gradients of the token's embeddings.

    baseline: The name of the baseline.
    at_once: The number of points that fit into one pass.
    """

    device: Any
    baseline: str
    at_once: int

    def value(self, scales: Tensor) -> Tensor:
        """The quantity, float64, shape (n_points,), for scales of shape (n_points,
        n_tokens)."""


class Section(NamedTuple):
    """A part of the path; `gain` is the difference of the values at its ends."""

    start: float
    end: float
    gain: float
    scores: numpy.ndarray

    @property
    def delta(self) -> float:
        return float(self.scores.sum()) - self.gain


def integrate(path: Path, n_tokens: int, steps: int, max_steps: int) -> dict[str, Any]:
    """Integrate the gradients of a quantity along a path.

    The scores of a section must add up to the difference of the values at its ends, so
    the section with the largest error is known; it is halved until the error is small
    or `max_steps` is reached.

    RETURNS: Fields of an Explanation.
    RAISES (UserError): If captum is not installed.
    """
    captum, points = require("captum.attr", "explain"), min(POINTS, steps)
    method = captum.IntegratedGradients(path.value)

    def scales(at: float) -> Tensor:
        return torch.full((1, n_tokens), at, device=path.device)

    def value(at: float) -> float:
        with torch.no_grad():
            return float(path.value(scales(at))[0])

    def compute(start: float, end: float) -> Section:
        scores = method.attribute(
            scales(end),
            scales(start),
            method="gausslegendre",
            n_steps=points,
            internal_batch_size=path.at_once,
        )
        array = scores[0].double().cpu().numpy()
        return Section(start, end, value(end) - value(start), array)

    boundaries = numpy.linspace(0, 1, 1 + steps // points).tolist()
    sections = [compute(*ends) for ends in pairwise(boundaries)]
    while not _is_exact(sections) and (len(sections) + 2) * points <= max_steps:
        worst = max(range(len(sections)), key=lambda i: abs(sections[i].delta))
        start, end = sections[worst][:2]
        middle = (start + end) / 2
        sections[worst : worst + 1] = [compute(start, middle), compute(middle, end)]
    return {
        "scores": numpy.sum([part.scores for part in sections], axis=0).tolist(),
        "baseline_value": value(0.0),
        "value": value(1.0),
        "delta": sum(part.delta for part in sections),
        "steps": len(sections) * points,
        "converged": _is_exact(sections),
    }


def _is_exact(sections: list[Section]) -> bool:
    """Whether the errors are small, also those of sections that cancel out."""
    gains = numpy.array([part.gain for part in sections])
    errors = numpy.array([part.delta for part in sections])
    sums = (abs(errors.sum()), abs(gains.sum())), (abs(errors).sum(), abs(gains).sum())
    return all(error <= max(TOLERANCE * gain, NEGLIGIBLE) for error, gain in sums)
