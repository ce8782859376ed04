"""The torch module of SpanMarker: reads texts, marks spans in them and classifies
these."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import numpy
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from ..encoder.compat import attention_mask
from ..encoder.layer import DTYPES
from ..encoder.pieces import Ints
from .attention import Embeddings, MarkerAttention, TextAttention, TextDone
from .filter import SpanFilter
from .markers import (
    EncodedText,
    Pairs,
    SharedMarkers,
    append_markers,
    by_value,
    group_markers,
    share_markers,
)

Lookup = Callable[[Tensor], Tensor] | None


class SpanMarkerNetwork(nn.Module):
    """SpanMarker (Aarsen 2023) over a Hugging Face encoder: marks spans by a pair of
    pieces that see the text, and classifies the last states of these.

    offset: Added to the column of a piece to get its position.
    with_text: Whether the classifier also sees the states of a span's end pieces.
    filter_words: Maximum words of a span for the filter; None for no filter.
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
        # In a tuple, so that it is not registered as a second submodule.
        self._positions = (position_table,)
        self._arguments = frozenset(inspect.signature(encoder.forward).parameters)
        # Whether the encoder calls torch's attention, and how often.
        self.structured = True
        self.n_attentions: int | None = None
        self._table: tuple[Tensor, Tensor] | None = None

    @property
    def device(self) -> torch.device:
        return self.classifier.weight.device

    @property
    def n_labels(self) -> int:
        return self.classifier.out_features

    @property
    def n_positions(self) -> int | None:
        """The number of positions, reserved ones included; None if they are
        relative."""
        table = self._positions[0]
        return None if table is None else table.num_embeddings

    def find_attention(self, ids: Ints, mask: numpy.ndarray) -> None:
        """Count the encoder's calls of torch's attention for some text."""
        with torch.no_grad():
            n_attentions = len(self.read(ids, mask, with_states=True).layers)
        self.structured, self.n_attentions = n_attentions > 0, n_attentions or None

    def move(self, array: Ints) -> Tensor:
        return torch.from_numpy(numpy.ascontiguousarray(array)).to(
            self.device, non_blocking=True
        )

    @contextmanager
    def running(self, precision: str, pieces: Ints | None = None) -> Iterator[None]:
        """Run in mixed precision, and look up all pieces of a training step at once:
        the gradient of each lookup is as large as the vocabulary."""
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

    def _lookup(self) -> Lookup:
        if self._table is None:
            return None
        needed, table = self._table
        return lambda ids: functional.embedding(
            torch.searchsorted(needed, ids.contiguous()), table
        )

    def _embeddings(self, lookup: Lookup, positions: Tensor) -> tuple[Any, ...]:
        """The arguments of all modes of attention.Embeddings."""
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

    def read(self, ids: Ints, mask: numpy.ndarray, with_states: bool) -> EncodedText:
        """Pass texts through the encoder; see EncodedText."""
        if not self.structured and not with_states:
            return EncodedText(ids, mask)
        pieces = self.move(ids)
        positions = torch.arange(pieces.size(1), device=self.device) + self.offset
        embeddings = self._embeddings(self._lookup(), positions.expand_as(pieces))
        stop = None if with_states else self.n_attentions
        mode, states = TextAttention(*embeddings, stop_after=stop), None
        with suppress(TextDone):
            states = self._encode(mode, pieces, self.move(mask.astype("int64"))).float()
        return EncodedText(ids, mask, mode.layers, states)

    def classify(
        self, texts: Sequence[EncodedText], pairs: Pairs, limit: int
    ) -> Tensor:
        """Mark spans and classify them, `limit` pairs in one pass: float32 logits,
        shape (n_pairs, n_labels). In training only the activations of the last pass are
        kept, those of others are computed again."""
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
        self, texts: Sequence[EncodedText], pairs: Pairs, lookup: Lookup = None
    ) -> Tensor:
        """The last states of pairs, sorted by batch and row: (n_pairs, 2, hidden)."""
        mark = self._mark if self.structured else self._mark_dense
        return mark(texts, pairs, lookup).float()

    def _classify(
        self, texts: Sequence[EncodedText], pairs: Pairs, lookup: Lookup
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
        for batch, part in by_value(pairs.batches):
            states = texts[batch].states
            assert states is not None
            rows = self.move(pairs.rows[part])
            places = self.move(pairs.starts[part]), self.move(pairs.ends[part])
            found.append([states[rows, place] for place in places])
        return [torch.cat(column) for column in zip(*found)]

    def _mark(
        self, texts: Sequence[EncodedText], pairs: Pairs, lookup: Lookup
    ) -> Tensor:
        """Mark by attention to the keys and values of the texts."""
        on_gpu = self.device.type != "cpu"
        mode = MarkerAttention(
            *self._embeddings(lookup, self.move(pairs.places + self.offset)),
            groups=group_markers(texts, pairs, self.move, on_gpu),
            shared=None if self.training else self._share(pairs),
        )
        ids = torch.tensor([self.markers], device=self.device).expand(len(pairs), 2)
        return self._encode(mode, ids, torch.ones_like(ids))

    def _share(self, pairs: Pairs) -> SharedMarkers | None:
        return share_markers(pairs, self.move)

    def _mark_dense(
        self, texts: Sequence[EncodedText], pairs: Pairs, lookup: Lookup
    ) -> Tensor:
        """Mark by a mask: texts pass through the encoder again, followed by pairs."""
        found = []
        for batch, part in by_value(pairs.batches):
            arrays = append_markers(texts[batch], pairs[part], self.markers)
            ids, places, mask, rows, columns = map(self.move, arrays)
            mode = Embeddings(*self._embeddings(lookup, places + self.offset))
            states = self._encode(mode, ids, attention_mask(mask))
            found.append(states[rows, columns])
        return torch.cat(found)
