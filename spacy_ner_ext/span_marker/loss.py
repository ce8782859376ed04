"""The losses of `span_marker_ner`, on NumPy and CuPy."""

from dataclasses import dataclass
from typing import Any

import numpy

from .candidates import Spans
from .gold import IGNORED, OUTSIDE


@dataclass(frozen=True)
class Known:
    """What the losses of a batch are divided by.

    n_marked (int): The marked spans whose label is known.
    n_words (int): The words at which a span begins whose label is known.
    """

    n_marked: int
    n_words: int


def count_known(spans: Spans, gold: Any, chosen: Any) -> Known:
    """Count what is known about a batch.

    spans (Spans): All candidates.
    gold (NDArray): The label of each, or IGNORED, shape (n_spans,).
    chosen (Ints): The numbers of those that are marked.
    RETURNS (Known): The counts.
    """
    n_words = len(numpy.unique(spans.first[gold != IGNORED]))
    return Known(int((gold[chosen] != IGNORED).sum()), n_words)


def cross_entropy(ops: Any, logits: Any, gold: Any, n_known: int) -> tuple[float, Any]:
    """The mean cross-entropy over the spans whose label is known: that of SpanMarker.

    ops (Ops): The backend.
    logits (Floats2d): The logits, shape (n_spans, n_labels).
    gold (NDArray): The label of each span, or IGNORED, shape (n_spans,).
    n_known (int): The spans whose label is known, of the whole batch.
    RETURNS (Tuple[float, Floats2d]): The loss and its gradient.
    """
    known = ops.xp.asarray(gold != IGNORED)
    n_known = max(1, n_known)
    probabilities = ops.softmax(logits)
    rows, columns = ops.xp.arange(len(gold)), ops.xp.asarray(numpy.maximum(gold, 0))
    chosen = probabilities[rows, columns]
    tiny = ops.xp.finfo("float32").tiny
    loss = -(ops.xp.log(ops.xp.maximum(chosen, tiny)) * known).sum() / n_known
    probabilities[rows, columns] -= 1
    return float(loss), probabilities * known[:, None] / ops.xp.float32(n_known)


def binary_cross_entropy(
    ops: Any, logits: Any, gold: Any, weight: float
) -> tuple[float, Any]:
    """The weighted sum of the binary cross-entropy of the spans whose label is known.

    ops (Ops): The backend.
    logits (Floats1d): The logits of the filter, shape (n_spans,).
    gold (NDArray): The label of each span, or IGNORED, same shape.
    weight (float): The weight of each span.
    RETURNS (Tuple[float, Floats1d]): The loss and its gradient.
    """
    is_entity = ops.xp.asarray((gold > OUTSIDE).astype("float32"))
    scale = ops.xp.asarray(((gold != IGNORED) * weight).astype("float32"))
    losses = ops.xp.logaddexp(0, logits) - is_entity * logits
    return float((losses * scale).sum()), (ops.sigmoid(logits) - is_entity) * scale
