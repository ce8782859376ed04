"""Integrated gradients (Sundararajan et al. 2017, Axiomatic Attribution for Deep
Networks) with captum, with as many steps as the result needs."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy
import torch
from torch import Tensor

from ...util.extras import require
from .marked_span import MarkedSpanPath
from .model_path import ModelPath

# The largest error of the scores, relative to the difference of the values ...
TOLERANCE = 0.02
# ... and absolute, of a log-probability.
NEGLIGIBLE = 1e-3
# Gauss-Legendre points in a section of the path.
POINTS = 16


class Section(NamedTuple):
    """A part of the path; `gain` is the difference of the values at its ends."""

    start: float
    end: float
    gain: float
    scores: numpy.ndarray

    @property
    def delta(self) -> float:
        return float(self.scores.sum()) - self.gain


def integrate(
    path: ModelPath | MarkedSpanPath, n_tokens: int, steps: int, max_steps: int
) -> dict[str, Any]:
    """Integrate the gradients of a quantity along a path.

    The scores of a section must add up to the difference of the values at its ends, so
    the section with the largest error is known; it is halved until the error is small
    or `max_steps` is reached.

    path: The quantity, `path.value`, as a function of a scale for each token, of shape
        (n_points, n_tokens): 0 for the embeddings of the baseline, 1 for those of the
        text. Its gradient with respect to a scale, integrated from 0 to 1, is the sum
        of the integrated gradients of the embeddings of the token.
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
        array = scores[0].cpu().double().numpy()
        return Section(start, end, value(end) - value(start), array)

    boundaries = numpy.linspace(0, 1, 1 + steps // points).tolist()
    sections = [compute(*ends) for ends in pairwise(boundaries)]
    while not _is_exact(sections) and (len(sections) + 2) * points <= max_steps:
        worst = max(range(len(sections)), key=lambda i: abs(sections[i].delta))
        start, end = sections[worst][:2]
        middle = (start + end) / 2
        sections[worst : worst + 1] = [compute(start, middle), compute(middle, end)]
    converged, steps = _is_exact(sections), len(sections) * points
    what = f"After {steps} steps the scores are off by more than 2 %"
    return {
        "method": "integrated_gradients",
        "baseline": path.baseline,
        "scores": numpy.sum([part.scores for part in sections], axis=0).tolist(),
        "baseline_value": value(0.0),
        "value": value(1.0),
        "delta": sum(part.delta for part in sections),
        "steps": steps,
        "converged": converged,
        "notes": [] if converged else [f"{what}: raise max_steps."],
    }


def _is_exact(sections: list[Section]) -> bool:
    """Whether the errors are small, also those of sections that cancel out."""
    gains = numpy.array([part.gain for part in sections])
    errors = numpy.array([part.delta for part in sections])
    sums = (abs(errors.sum()), abs(gains.sum())), (abs(errors).sum(), abs(gains).sum())
    return all(error <= max(TOLERANCE * gain, NEGLIGIBLE) for error, gain in sums)
