"""The losses of `span_marker_ner`, on NumPy and CuPy."""

from dataclasses import dataclass
from typing import Any

import numpy

from .candidates import Spans
from .gold import IGNORED, OUTSIDE


@dataclass(frozen=True)
class Denominators:
    """What the losses of a batch are divided by.

    n_marked: The marked spans whose label is known.
    n_words: The words at which a span begins whose label is known.
    """

    n_marked: int
    n_words: int


def count_known(spans: Spans, gold: Any, chosen: Any) -> Denominators:
    """Count what is known about a batch.

    gold: The label of each, or IGNORED, shape (n_spans,).
    chosen: The numbers of those that are marked.
    """
    n_words = len(numpy.unique(spans.first[gold != IGNORED]))
    return Denominators(int((gold[chosen] != IGNORED).sum()), n_words)


def cross_entropy(ops: Any, logits: Any, gold: Any, n_known: int) -> tuple[float, Any]:
    """The mean cross-entropy over the spans whose label is known: that of SpanMarker.

    logits: The logits, shape (n_spans, n_labels).
    gold: The label of each span, or IGNORED, shape (n_spans,).
    n_known: The spans whose label is known, of the whole batch.
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

    logits: The logits of the filter, shape (n_spans,).
    gold: The label of each span, or IGNORED, same shape.
    weight: The weight of each span.
    """
    is_entity = ops.xp.asarray((gold > OUTSIDE).astype("float32"))
    scale = ops.xp.asarray(((gold != IGNORED) * weight).astype("float32"))
    losses = ops.xp.logaddexp(0, logits) - is_entity * logits
    return float((losses * scale).sum()), (ops.sigmoid(logits) - is_entity) * scale
