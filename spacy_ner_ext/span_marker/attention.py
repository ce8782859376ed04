"""Attention of markers to a text that passed through the encoder before them.

In SpanMarker (Aarsen 2023; the levitated markers of Ye et al. 2022, PL-Marker) a text
never attends to markers, and a marker attends to its text, itself and its partner. So
the keys and values of the text are kept, layer by layer, and any number of marker pairs
can follow, none of which knows of the others. Both happens in unchanged encoders, by a
look at their calls of torch's attention.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode


class Embeddings(TorchFunctionMode):
    """Takes over the lookups of pieces and positions of an encoder.

    pieces: Looks up pieces, where the table is `piece_table`.
    positions: The rows of `position_table` for all pieces, in place of what the encoder
        would take by itself.
    """

    def __init__(
        self,
        piece_table: Tensor,
        pieces: Callable[[Tensor], Tensor] | None,
        position_table: Tensor | None,
        positions: Tensor,
    ) -> None:
        super().__init__()
        self.piece_table = piece_table
        self.pieces = pieces
        self.position_table = position_table
        self.positions = positions

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is functional.embedding:
            table = args[1]
            if table is self.piece_table and self.pieces is not None:
                return self.pieces(args[0])
            if table is self.position_table:
                return functional.embedding(self.positions, table)
        if func is functional.scaled_dot_product_attention:
            return self.attend(*args, **kwargs)
        if func is functional.linear:
            return self.project(*args, **kwargs)
        return func(*args, **kwargs)

    def attend(self, *args: Any, **kwargs: Any) -> Tensor:
        """Attention, in the place of torch's."""
        return functional.scaled_dot_product_attention(*args, **kwargs)

    def project(self, *args: Any, **kwargs: Any) -> Tensor:
        """A linear layer, in the place of torch's."""
        return functional.linear(*args, **kwargs)


@dataclass
class KeyValueCache:
    """What the attention of one layer keeps of a text.

    keys, values: Shape (n_rows, n_heads, n_pieces, width).
    mask: What is added to the scores, shape (n_rows, 1 or n_heads, 1 or n_pieces,
        n_pieces); None if all see all.
    """

    keys: Tensor
    values: Tensor
    mask: Tensor | None


class TextDone(Exception):
    """Ends the pass of a text whose last hidden states nobody needs."""


class TextAttention(Embeddings):
    """Keeps keys and values of a text.

    stop_after: The attention after which the rest of the encoder is not needed.
    """

    def __init__(self, *args: Any, stop_after: int | None = None) -> None:
        super().__init__(*args)
        self.stop_after = stop_after
        self.layers: list[KeyValueCache] = []

    def attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Tensor:
        """Torch's attention; keys and values are kept.

        RAISES (ValueError): If pieces do not see what follows them.
        """
        if kwargs.get("is_causal"):
            raise ValueError("its pieces do not see what follows them")
        self.layers.append(KeyValueCache(key, value, _as_bias(attn_mask, query)))
        if len(self.layers) == self.stop_after:
            raise TextDone
        return functional.scaled_dot_product_attention(
            query, key, value, attn_mask, *args, **kwargs
        )


def _as_bias(mask: Tensor | None, query: Tensor) -> Tensor | None:
    """A mask as numbers to be added; with one row for all pieces if they see alike."""
    if mask is None:
        return None
    if mask.dtype is torch.bool:
        low = torch.finfo(query.dtype).min
        mask = torch.zeros_like(mask, dtype=query.dtype).masked_fill(~mask, low)
    if not mask.any():
        return None
    alike = mask.size(-2) == 1 or bool((mask == mask[..., :1, :]).all())
    return mask[..., :1, :] if alike else mask


@dataclass(frozen=True)
class MarkerGroup:
    """Markers whose attention is computed together: those of one row, or of several.

    rows: The rows of the text.
    n_pieces: The length of the longest of these, special pieces included.
    markers: Which markers, among those of the text batch.
    places: The places of the markers in their rows, shape (n_rows, n_each).
    order: The markers of each row, counted from the first of the group, same shape; the
        first of all where a row has fewer. None for one row.
    back: Where each marker is in the flattened `order`.
    """

    rows: slice | Tensor
    n_pieces: int
    markers: slice
    places: Tensor
    order: Tensor | None = None
    back: Tensor | None = None


@dataclass(frozen=True)
class MarkerBatch:
    """The markers of one text batch.

    layers: What each attention kept of the text.
    groups: The markers by row, one group after another.
    markers: Where they are among the markers of all segments.
    """

    layers: Sequence[KeyValueCache]
    groups: Sequence[MarkerGroup]
    markers: slice


@dataclass
class SharedMarkers:
    """Markers that are the same until they meet a text: same kind, same position.

    examples: One marker of each sort, shape (n_sorts,).
    sorts: The sort of each marker, shape (n_markers,).
    """

    examples: Tensor
    sorts: Tensor


class MarkerAttention(Embeddings):
    """Lets pairs of markers attend to the text that was kept, to themselves and to
    each other.

    segments: The pairs, by text batch.
    alike: Markers that the layers before the first attention need to see once only;
        None if dropout tells them apart.
    """

    def __init__(
        self, *args: Any, segments: Sequence[MarkerBatch], alike: SharedMarkers | None
    ) -> None:
        super().__init__(*args)
        self.segments = segments
        self.alike = alike
        self.n_calls = 0

    def project(
        self, input: Tensor, weight: Tensor, bias: Tensor | None = None
    ) -> Tensor:
        """A linear layer; before the first attention of one marker of each sort."""
        if self.alike is None or self.n_calls:
            return functional.linear(input, weight, bias)
        examples = input.flatten(0, 1).index_select(0, self.alike.examples)
        projected = functional.linear(examples, weight, bias)
        every = projected.index_select(0, self.alike.sorts)
        return every.view(*input.shape[:-1], -1)

    def attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        **kwargs: Any,
    ) -> Tensor:
        """Attention of pairs, each of shape (n_pairs, n_heads, 2, width)."""
        layer, self.n_calls = self.n_calls, self.n_calls + 1
        # Pairs as they lie in memory: (n_pairs, 2, n_heads, width).
        query, key, value = (x.transpose(1, 2) for x in (query, key, value))
        scale = query.size(-1) ** -0.5 if scale is None else scale
        # The scores of each marker for itself and for its partner.
        own = _dot(query, key).flatten(0, 1) * scale
        others = _dot(query[:, 0], key[:, 1]), _dot(query[:, 1], key[:, 0])
        other = torch.stack(others, dim=1).flatten(0, 1) * scale
        markers = (query.flatten(0, 1), own, other)
        parts = []
        for segment in self.segments:
            these = [x[segment.markers] for x in markers]
            kept = segment.layers[layer]
            parts += [
                _attend(these, kept, group, scale, dropout_p)
                for group in segment.groups
            ]
        text, own, other = (torch.cat(column) for column in zip(*parts))
        shape = value.shape
        own, other = (x.view(*shape[:-1], 1).to(value.dtype) for x in (own, other))
        result = text.view(shape).addcmul(own, value).addcmul(other, value.flip(1))
        return result.transpose(1, 2)


def _dot(queries: Tensor, keys: Tensor) -> Tensor:
    return (queries * keys).sum(-1, dtype=torch.float32)


def _attend(
    markers: Sequence[Tensor],
    kept: KeyValueCache,
    group: MarkerGroup,
    scale: float,
    dropout: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """The attention of the markers of one group."""
    inputs = [x[group.markers] for x in markers]
    inputs = [x[None] if group.order is None else x[group.order] for x in inputs]
    query, own, other = (x.transpose(1, 2) for x in inputs)
    own, other = own.unsqueeze(2), other.unsqueeze(2)
    keys = kept.keys[group.rows, :, : group.n_pieces]
    values = kept.values[group.rows, :, : group.n_pieces]
    # Keys in rows and queries in columns: sums over rows are the faster ones.
    scores = ((keys * scale) @ query.transpose(-1, -2)).float()
    bias = _bias_of(kept, group)
    if bias is not None:
        scores = scores + bias.transpose(-1, -2)
    with torch.no_grad():
        highest = scores.amax(2, keepdim=True).maximum(own).maximum(other)
    scores, own, other = (
        x.sub_(highest).exp_() for x in (scores, own.clone(), other.clone())
    )
    total = scores.sum(2, keepdim=True) + own + other
    own, other = own / total, other / total
    if dropout:
        # Of the weights, of which the sum has been taken.
        scores, own, other = (
            functional.dropout(x, dropout) for x in (scores, own, other)
        )
    text = scores.to(values.dtype).transpose(-1, -2) @ values
    text = text / total.transpose(-1, -2)
    found = []
    for x in (text, own.squeeze(2), other.squeeze(2)):
        flat = x.transpose(1, 2).flatten(0, 1)
        found.append(flat if group.back is None else flat[group.back])
    return found[0], found[1], found[2]


def _bias_of(kept: KeyValueCache, group: MarkerGroup) -> Tensor | None:
    """What is added to the scores of markers: what the pieces at their places have."""
    mask = kept.mask
    if mask is None:
        return None
    alike = mask.size(-2) == 1
    if alike and group.order is None:
        return None  # One row without its padding.
    mask = mask.expand(len(kept.keys), -1, -1, -1)[group.rows, ..., : group.n_pieces]
    if alike:
        return mask
    return torch.take_along_dim(mask, group.places[:, None, :, None], dim=2)
