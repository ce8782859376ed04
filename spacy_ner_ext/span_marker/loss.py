"""The losses of `span_marker_ner`, on NumPy and CuPy."""

from dataclasses import dataclass
from typing import Any

import numpy

from ..encoder.pieces import Ints
from .candidates import Spans
from .gold import MISSING, OUTSIDE
from .scorer import CandidateScores


@dataclass(frozen=True)
class Denominators:
    """The counts that the losses of a batch are divided by: marked spans whose label is
    known, and words that are the first of a span whose label is known."""

    n_marked: int
    n_words: int


def count_known(spans: Spans, gold: Ints, chosen: Ints) -> Denominators:
    n_words = len(numpy.unique(spans.first[gold != MISSING]))
    return Denominators(int((gold[chosen] != MISSING).sum()), n_words)


def compute_loss(
    ops: Any,
    scores: CandidateScores,
    gold: Ints,
    filter_weight: float,
    denominators: Denominators | None = None,
) -> tuple[float, CandidateScores]:
    """The loss of SpanMarker plus that of the filter, and the gradient of both. `gold`
    is the label of each candidate, or MISSING."""
    candidates, chosen = scores.candidates, scores.chosen
    known = denominators or count_known(candidates.spans, gold, chosen)
    loss, d_logits = cross_entropy(ops, scores.logits, gold[chosen], known.n_marked)
    if scores.filter_logits is None:
        return loss, CandidateScores(candidates, chosen, d_logits)
    weight = filter_weight / max(1, known.n_words)
    filter_loss, d_filter = binary_cross_entropy(
        ops, scores.filter_logits, gold, weight
    )
    return loss + filter_loss, CandidateScores(candidates, chosen, d_logits, d_filter)


def cross_entropy(ops: Any, logits: Any, gold: Ints, n_known: int) -> tuple[float, Any]:
    """SpanMarker's loss and its gradient: the cross-entropy of the spans whose label is
    known, divided by `n_known`."""
    known = ops.xp.asarray(gold != MISSING)
    n_known = max(1, n_known)
    probabilities = ops.softmax(logits)
    rows, columns = ops.xp.arange(len(gold)), ops.xp.asarray(numpy.maximum(gold, 0))
    chosen = probabilities[rows, columns]
    tiny = ops.xp.finfo("float32").tiny
    loss = -(ops.xp.log(ops.xp.maximum(chosen, tiny)) * known).sum() / n_known
    probabilities[rows, columns] -= 1
    return float(loss), probabilities * known[:, None] / ops.xp.float32(n_known)


def binary_cross_entropy(
    ops: Any, logits: Any, gold: Ints, weight: float
) -> tuple[float, Any]:
    """The binary cross-entropy of the spans whose label is known, times `weight`, and
    its gradient."""
    is_entity = ops.xp.asarray((gold > OUTSIDE).astype("float32"))
    scale = ops.xp.asarray(((gold != MISSING) * weight).astype("float32"))
    losses = ops.xp.logaddexp(0, logits) - is_entity * logits
    return float((losses * scale).sum()), (ops.sigmoid(logits) - is_entity) * scale
