"""The losses of `span_marker_ner`, on NumPy and CuPy."""

from typing import Any

import numpy

from .gold import IGNORED, OUTSIDE


def cross_entropy(ops: Any, logits: Any, gold: Any) -> tuple[float, Any]:
    """The mean cross-entropy over the spans whose label is known: that of SpanMarker.

    ops (Ops): The backend.
    logits (Floats2d): The logits, shape (n_spans, n_labels).
    gold (NDArray): The label of each span, or IGNORED, shape (n_spans,).
    RETURNS (Tuple[float, Floats2d]): The loss and its gradient.
    """
    known = ops.xp.asarray(gold != IGNORED)
    n_known = max(1, int((gold != IGNORED).sum()))
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
