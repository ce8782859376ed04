"""From batches of texts and pairs of markers to logits: the torch side."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from ..encoder.layer import DTYPES
from ..encoder.pieces import Ints
from .attention import (
    Embeddings,
    KeyValueCache,
    MarkerAttention,
    MarkerBatch,
    MarkerGroup,
    SharedMarkers,
    TextAttention,
    TextDone,
)
from .texts import Pairs, TextBatch, with_markers

# Rows with fewer pairs are computed together, with padding; others one by one.
MANY_PAIRS = 24
# Pairs times pieces whose scores for all heads fit the cache of a CPU.
SCORES_IN_CACHE = 1 << 14
# The logit of a span before a filter has learned anything.
PRIOR = -4.0


@dataclass
class EncodedText:
    """A batch of texts that passed through the encoder.

    batch: The texts.
    layers: What each attention kept.
    states: The last hidden states, float32, shape (n_rows, width, hidden); None if
        nobody asked for them.
    """

    batch: TextBatch
    layers: Sequence[KeyValueCache]
    states: Tensor | None


class SpanFilter(nn.Module):
    """Scores spans by the states of their text alone, before any marker.

    hidden: The width of the states.
    max_words: The most words of a span.
    """

    def __init__(self, hidden: int, max_words: int) -> None:
        super().__init__()
        self.boundary = nn.Linear(hidden, 2)
        self.width = nn.Parameter(torch.zeros(max_words))

    def reset(self, std: float) -> None:
        """Start anew, with few spans that look like entities (the prior of Lin et al.
        2017, Focal Loss): the gradients of all others would drown those of the rest.

        std: The standard deviation of new weights.
        """
        with torch.no_grad():
            self.boundary.weight.normal_(std=std)
            self.boundary.bias.fill_(PRIOR / 2)
            self.width.zero_()

    def forward(
        self, states: Tensor, rows: Tensor, starts: Tensor, ends: Tensor, widths: Tensor
    ) -> Tensor:
        """Add up the scores of start, end and width.

        states: Shape (n_rows, n_pieces, hidden).
        rows, starts, ends: Where each span is, shape (n_spans,).
        RETURNS: The logit of each span, shape (n_spans,).
        """
        start, end = self.boundary(states).unbind(-1)
        return start[rows, starts] + end[rows, ends] + self.width[widths - 1]


class SpanMarkerNetwork(nn.Module):
    """SpanMarker (Aarsen 2023) over a Hugging Face encoder, which marks candidate spans
    by a pair of pieces that see the text, and classifies their last states.

    encoder: The encoder, in float32.
    hidden: The width of its states.
    n_labels: The classes, the one for no entity included.
    markers: The pieces that mark a start and an end.
    offset: What is added to the place of a piece to get its position.
    position_table: The embeddings of positions, if any.
    with_text: Whether the classifier also sees the text's own states at the first and
        the last piece of a span.
    filter_words: The longest span that a filter sees; None for none.
    dropout: Dropout before the classifier.
    """

    _arguments: frozenset[str]

    def __init__(
        self,
        encoder: Any,
        hidden: int,
        n_labels: int,
        *,
        markers: tuple[int, int],
        offset: int,
        position_table: nn.Embedding | None,
        with_text: bool,
        filter_words: int | None,
        dropout: float,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.classifier = nn.Linear(hidden * (4 if with_text else 2), n_labels)
        self.filter = SpanFilter(hidden, filter_words) if filter_words else None
        self.dropout = nn.Dropout(dropout)
        self.markers, self.offset, self.with_text = markers, offset, with_text
        # Not a submodule a second time.
        self._positions = (position_table,)
        self._arguments = frozenset(inspect.signature(encoder.forward).parameters)
        self.structured = True
        self.n_attentions: int | None = None
        self._table: tuple[Tensor, Tensor] | None = None

    @property
    def device(self) -> torch.device:
        return self.classifier.weight.device

    @property
    def on_gpu(self) -> bool:
        return self.device.type != "cpu"

    @property
    def n_labels(self) -> int:
        return self.classifier.out_features

    def move(self, array: Ints) -> Tensor:
        """An array on the device of the weights."""
        return torch.from_numpy(numpy.ascontiguousarray(array)).to(
            self.device, non_blocking=True
        )

    @contextmanager
    def running(self, precision: str, pieces: Ints | None = None) -> Iterator[None]:
        """In mixed precision, and with the embeddings of all pieces looked up once.

        pieces: The pieces of all texts of a training step: the gradient of a lookup is
            as large as the vocabulary, of whatever few.
        """
        table = self.encoder.get_input_embeddings()
        if pieces is not None and table.weight.requires_grad:
            needed = self.move(numpy.unique(numpy.append(pieces, self.markers)))
            self._table = needed, table(needed)
        enabled = precision in DTYPES
        try:
            with torch.autocast(
                self.device.type, dtype=DTYPES.get(precision), enabled=enabled
            ):
                yield
        finally:
            self._table = None

    def _lookup(self) -> Callable[[Tensor], Tensor] | None:
        if self._table is None:
            return None
        needed, table = self._table
        return lambda ids: functional.embedding(
            torch.searchsorted(needed, ids.contiguous()), table
        )

    def _embeddings(self, lookup: Any, positions: Tensor) -> tuple[Any, ...]:
        """What all modes need to know about embeddings."""
        table = self._positions[0]
        pieces = self.encoder.get_input_embeddings().weight
        return pieces, lookup, None if table is None else table.weight, positions

    def _encode(self, mode: Embeddings, ids: Tensor, mask: Tensor) -> Tensor:
        options = {"position_ids": mode.positions, "token_type_ids": ids * 0}
        taken = {name: x for name, x in options.items() if name in self._arguments}
        with mode:
            result = self.encoder(
                input_ids=ids, attention_mask=mask, return_dict=True, **taken
            )
        return result.last_hidden_state

    def read(self, batch: TextBatch, with_states: bool) -> EncodedText:
        """Let texts pass through the encoder.

        with_states: Whether their last hidden states are needed.
        """
        if not self.structured and not with_states:
            return EncodedText(batch, [], None)
        ids = self.move(batch.ids)
        positions = torch.arange(ids.size(1), device=self.device) + self.offset
        embeddings = self._embeddings(self._lookup(), positions.expand_as(ids))
        stop = None if with_states else self.n_attentions
        mode, states = TextAttention(*embeddings, stop_after=stop), None
        with suppress(TextDone):
            mask = self.move(batch.mask.astype("int64"))
            states = self._encode(mode, ids, mask).float()
        return EncodedText(batch, mode.layers, states)

    def classify(
        self, texts: Sequence[EncodedText], pairs: Pairs, limit: int
    ) -> Tensor:
        """Mark spans and classify them.

        limit: The most pairs in one pass. In training the activations of the last pass
            alone are kept, and those of others computed a second time.
        RETURNS: The logits, float32, shape (n_pairs, n_labels).
        """
        order = numpy.lexsort((pairs.rows, pairs.batches))
        lookup, outputs = self._lookup(), []
        chunks = numpy.array_split(order, -(-len(order) // limit)) if len(order) else []
        for i, chunk in enumerate(chunks, 1):
            run = partial(self._classify, texts, pairs[chunk], lookup)
            again = torch.is_grad_enabled() and i < len(chunks)
            outputs.append(checkpoint(run, use_reentrant=False) if again else run())
        if not outputs:
            return self.classifier.weight.new_zeros(0, self.n_labels)
        return torch.cat(outputs)[self.move(numpy.argsort(order))]

    def mark(
        self, texts: Sequence[EncodedText], pairs: Pairs, lookup: Any = None
    ) -> Tensor:
        """The last states of pairs of markers.

        pairs: The pairs, by batch and row.
        RETURNS: Shape (n_pairs, 2, hidden).
        """
        mark = self._mark if self.structured else self._mark_dense
        return mark(texts, pairs, lookup).float()

    def _classify(
        self, texts: Sequence[EncodedText], pairs: Pairs, lookup: Any
    ) -> Tensor:
        vectors = [self.dropout(self.mark(texts, pairs, lookup)).flatten(1)]
        if self.with_text:
            vectors += self._text_vectors(texts, pairs)
        features = self.dropout(torch.cat(vectors, -1))
        with torch.autocast(self.device.type, enabled=False):
            return self.classifier(features)

    def _text_vectors(self, texts: Sequence[EncodedText], pairs: Pairs) -> list[Tensor]:
        """The states of the text at the first and the last piece of each span."""
        found = []
        for batch, part in _by_value(pairs.batches):
            states = texts[batch].states
            assert states is not None
            rows = self.move(pairs.rows[part])
            places = self.move(pairs.starts[part]), self.move(pairs.ends[part])
            found.append([states[rows, place] for place in places])
        return [torch.cat(column) for column in zip(*found)]

    def _mark(self, texts: Sequence[EncodedText], pairs: Pairs, lookup: Any) -> Tensor:
        """By attention to what was kept of the texts."""
        places = numpy.stack([pairs.starts, pairs.ends], axis=1)
        ids = torch.tensor([self.markers], device=self.device).expand(len(pairs), 2)
        segments = [
            MarkerBatch(
                texts[batch].layers,
                list(self._group(texts[batch].batch, pairs.rows[part], places[part])),
                slice(2 * part.start, 2 * part.stop),
            )
            for batch, part in _by_value(pairs.batches)
        ]
        positions = self.move(places + self.offset)
        mode = MarkerAttention(
            *self._embeddings(lookup, positions),
            segments=segments,
            alike=None if self.training else self._alike(places),
        )
        return self._encode(mode, ids, torch.ones_like(ids))

    def _alike(self, places: Ints) -> SharedMarkers | None:
        sorts = places * 2 + [0, 1]
        _, examples, which = numpy.unique(sorts, return_index=True, return_inverse=True)
        if len(examples) > len(places) // 2:
            return None
        return SharedMarkers(self.move(examples), self.move(which.ravel()))

    def _group(
        self, batch: TextBatch, rows: Ints, places: Ints
    ) -> Iterator[MarkerGroup]:
        """Put the pairs of a text batch into groups: rows with many pairs alone."""
        few: list[tuple[int, slice]] = []
        for row, part in _by_value(rows):
            if part.stop - part.start >= MANY_PAIRS:
                yield from self._padded(batch, few, places)
                few = []
                yield from self._single(batch, row, part, places)
            else:
                few.append((row, part))
        yield from self._padded(batch, few, places)

    def _single(
        self, batch: TextBatch, row: int, part: slice, places: Ints
    ) -> Iterator[MarkerGroup]:
        length = int(batch.lengths[row])
        most = len(places) if self.on_gpu else max(1, SCORES_IN_CACHE // length)
        for first in range(part.start, part.stop, most):
            last = min(first + most, part.stop)
            own = self.move(places[first:last].reshape(1, -1))
            markers = slice(2 * first, 2 * last)
            yield MarkerGroup(slice(row, row + 1), length, markers, own)

    def _padded(
        self, batch: TextBatch, runs: list[tuple[int, slice]], places: Ints
    ) -> Iterator[MarkerGroup]:
        if len(runs) < 2:
            for row, part in runs:
                yield from self._single(batch, row, part, places)
            return
        rows = numpy.array([row for row, _ in runs])
        first, last = runs[0][1].start, runs[-1][1].stop
        counts = numpy.array([2 * (part.stop - part.start) for _, part in runs])
        begins = numpy.cumsum(counts) - counts
        columns = numpy.arange(counts.max())
        order = numpy.where(columns < counts[:, None], begins[:, None] + columns, 0)
        nth = numpy.repeat(numpy.arange(len(rows)), counts)
        back = nth * len(columns) + numpy.arange(counts.sum()) - begins[nth]
        flat = places[first:last].reshape(-1)
        together = len(rows) == rows[-1] - rows[0] + 1
        yield MarkerGroup(
            slice(rows[0], rows[-1] + 1) if together else self.move(rows),
            int(batch.lengths[rows].max()),
            slice(2 * first, 2 * last),
            self.move(flat[order]),
            self.move(order),
            self.move(back),
        )

    def _mark_dense(
        self, texts: Sequence[EncodedText], pairs: Pairs, lookup: Any
    ) -> Tensor:
        """The same for encoders that know no other way than a mask: texts pass through
        them again, with pairs behind."""
        found = []
        for batch, part in _by_value(pairs.batches):
            dense = with_markers(texts[batch].batch, pairs[part], self.markers)
            positions = self.move(dense.places + self.offset)
            mode = Embeddings(*self._embeddings(lookup, positions))
            states = self._encode(mode, self.move(dense.ids), self.move(dense.mask))
            found.append(states[self.move(dense.rows), self.move(dense.columns)])
        return torch.cat(found)


def _by_value(values: Ints) -> Iterator[tuple[int, slice]]:
    """Runs of equal numbers: the number, and where the run is."""
    boundaries = numpy.flatnonzero(numpy.diff(values)) + 1
    edges = [0, *boundaries.tolist(), len(values)]
    for start, stop in pairwise(edges):
        if start < stop:
            yield int(values[start]), slice(start, stop)
