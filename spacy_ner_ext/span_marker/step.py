"""From windows to the logits of their spans: texts, filter, markers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy
import torch
from thinc.types import Floats1d, Floats2d
from torch import Tensor

from ..encoder.pieces import Ints
from .candidates import Spans, best
from .layer import EncodedText
from .texts import Pairs
from .windows import Windows

if TYPE_CHECKING:
    from .shim import SpanMarkerShim


@dataclass(frozen=True)
class CandidateScores:
    """What the model says about spans, or the gradient of that.

    chosen: The numbers of the spans that were marked, shape (n_chosen,).
    logits: Their logits, shape (n_chosen, n_labels).
    filter_logits: The logits of the filter for all spans; None without a filter.
    """

    chosen: Ints
    logits: Floats2d
    filter_logits: Floats1d | None


class Step:
    """The texts that were read, and the spans in them that wait for markers.

    shim: What runs texts and markers.
    windows: The windows of the texts.
    spans: The spans.
    gold: Spans that get markers whatever the filter says, bools.
    filters: Whether the filter chooses the spans that get markers.
    limit: The most pairs of markers in one pass.
    """

    def __init__(
        self,
        shim: SpanMarkerShim,
        windows: Windows,
        spans: Spans,
        gold: Any,
        filters: bool,
        limit: int,
    ) -> None:
        self.shim, self.windows, self.spans = shim, windows, spans
        self.gold = numpy.zeros(len(spans), dtype=bool) if gold is None else gold
        self.filters, self.limit = filters, limit
        self.by_row = numpy.argsort(spans.rows, kind="stable")
        n_windows = len(windows.starts)
        self.bounds = numpy.searchsorted(spans.rows[self.by_row], range(n_windows + 1))
        self.texts: list[EncodedText] = []
        self.waiting: list[tuple[Ints, Pairs]] = []
        self.chosen: list[Ints] = []
        self.logits: list[Tensor] = []
        self.filtered: list[tuple[Ints, Tensor]] = []

    @property
    def n_waiting(self) -> int:
        return sum(len(numbers) for numbers, _ in self.waiting)

    def read(self, rows: Ints) -> None:
        """Let the texts of some windows pass through the encoder, and choose spans."""
        spans, with_text = self.spans, self.shim.model.with_text
        text = self.shim.read(self.windows, rows, self.filters or with_text)
        slices = [slice(*self.bounds[row : row + 2]) for row in rows]
        numbers = numpy.concatenate([self.by_row[part] for part in slices])
        counts = [part.stop - part.start for part in slices]
        local = numpy.repeat(numpy.arange(len(rows)), counts)
        if self.filters:
            kept = self._filter(text, numbers, local)
            numbers, local = numbers[kept], local[kept]
        batch = numpy.full(len(numbers), len(self.texts))
        places = spans.starts[numbers], spans.ends[numbers]
        self.waiting.append((numbers, Pairs(batch, local, *places)))
        self.texts.append(text)

    def _filter(self, text: EncodedText, numbers: Ints, local: Ints) -> Any:
        model, options = self.shim.model, self.shim.settings
        spans = self.spans[numbers]
        arrays = (local, spans.starts, spans.ends, spans.widths)
        logits = model.filter(text.states, *map(model.move, arrays))
        self.filtered.append((numbers, logits))
        probabilities = torch.sigmoid(logits.detach()).cpu().numpy()
        return best(
            local,
            spans.first,
            probabilities,
            options.filter_ratio,
            options.filter_threshold,
            self.gold[numbers],
        )

    def classify(self) -> None:
        """Mark the spans that wait, and forget their texts."""
        if not self.waiting:
            return
        numbers, pairs = zip(*self.waiting)
        arrays = [(p.batches, p.rows, p.starts, p.ends) for p in pairs]
        together = Pairs(*(numpy.concatenate(column) for column in zip(*arrays)))
        logits = self.shim.model.classify(self.texts, together, self.limit)
        self.chosen.append(numpy.concatenate(numbers))
        self.logits.append(logits)
        self.texts, self.waiting = [], []

    def result(self) -> tuple[Ints, Tensor, Tensor | None]:
        """The numbers of the marked spans, in their order; their logits; and those of
        the filter for all spans."""
        model = self.shim.model
        if not self.chosen:
            return _NONE, model.classifier.weight.new_zeros(0, model.n_labels), None
        chosen = numpy.concatenate(self.chosen)
        order = numpy.argsort(chosen)
        logits = torch.cat(self.logits)[model.move(order)]
        filtered = None
        if self.filtered:
            numbers = numpy.concatenate([numbers for numbers, _ in self.filtered])
            scores = torch.cat([scores for _, scores in self.filtered])
            filtered = scores[model.move(numpy.argsort(numbers))]
        return chosen[order], logits, filtered


_NONE: Ints = numpy.zeros(0, dtype="int64")
