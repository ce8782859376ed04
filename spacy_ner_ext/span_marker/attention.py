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

    pieces (Optional[Callable]): Looks up pieces, where the table is `piece_table`.
    positions (Tensor): The rows of `position_table` for all pieces, in place of what
        the encoder would take by itself.
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
class Kept:
    """What the attention of one layer keeps of a text.

    keys, values (Tensor): Shape (n_rows, n_heads, n_pieces, width).
    mask (Optional[Tensor]): What is added to the scores, shape (n_rows, 1 or n_heads,
        1 or n_pieces, n_pieces); None if all see all.
    """

    keys: Tensor
    values: Tensor
    mask: Tensor | None


class TextDone(Exception):
    """Ends the pass of a text whose last hidden states nobody needs."""


class TextAttention(Embeddings):
    """Keeps keys and values of a text.

    stop_after (Optional[int]): The attention after which the rest of the encoder is
        not needed.
    """

    def __init__(self, *args: Any, stop_after: int | None = None) -> None:
        super().__init__(*args)
        self.stop_after = stop_after
        self.layers: list[Kept] = []

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
        self.layers.append(Kept(key, value, _as_bias(attn_mask, query)))
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
class Group:
    """Markers whose attention is computed together: those of one row, or of several.

    rows (Union[slice, Tensor]): The rows of the text.
    n_pieces (int): The length of the longest of these, special pieces included.
    markers (slice): Which markers, among those of the text batch.
    places (Tensor): The places of the markers in their rows, shape (n_rows, n_each).
    order (Optional[Tensor]): The markers of each row, counted from the first of the
        group, same shape; the first of all where a row has fewer. None for one row.
    back (Optional[Tensor]): Where each marker is in the flattened `order`.
    """

    rows: slice | Tensor
    n_pieces: int
    markers: slice
    places: Tensor
    order: Tensor | None = None
    back: Tensor | None = None


@dataclass(frozen=True)
class Segment:
    """The markers of one text batch.

    layers (Sequence[Kept]): What each attention kept of the text.
    groups (Sequence[Group]): The markers by row, one group after another.
    markers (slice): Where they are among the markers of all segments.
    """

    layers: Sequence[Kept]
    groups: Sequence[Group]
    markers: slice


@dataclass
class Alike:
    """Markers that are the same until they meet a text: same kind, same position.

    examples (Tensor): One marker of each sort, shape (n_sorts,).
    sorts (Tensor): The sort of each marker, shape (n_markers,).
    """

    examples: Tensor
    sorts: Tensor


class MarkerAttention(Embeddings):
    """Lets pairs of markers attend to the text that was kept, to themselves and to
    each other.

    segments (Sequence[Segment]): The pairs, by text batch.
    alike (Optional[Alike]): Markers that the layers before the first attention need
        to see once only; None if dropout tells them apart.
    """

    def __init__(
        self, *args: Any, segments: Sequence[Segment], alike: Alike | None
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
        query = query * (query.size(-1) ** -0.5 if scale is None else scale)
        # From pairs to a list of markers, start and end side by side.
        markers = [x.transpose(1, 2).flatten(0, 1) for x in (query, key, value)]
        parts = []
        for segment in self.segments:
            own = [x[segment.markers] for x in markers]
            kept = segment.layers[layer]
            parts += [_attend(own, kept, group, dropout_p) for group in segment.groups]
        shape = (query.size(0), 2, query.size(1), value.size(-1))
        return torch.cat(parts).view(shape).transpose(1, 2)


def _attend(
    markers: Sequence[Tensor], kept: Kept, group: Group, dropout: float
) -> Tensor:
    """The attention of the markers of one group.

    markers (Sequence[Tensor]): Query, key and value of all markers of the text batch,
        each of shape (n_markers, n_heads, width).
    RETURNS (Tensor): Shape (n_markers, n_heads, width), of those of the group.
    """
    inputs = [x[group.markers] for x in markers]
    if group.order is None:
        inputs = [x[None] for x in inputs]
    else:
        inputs = [x[group.order] for x in inputs]
    query, key, value = (x.transpose(1, 2) for x in inputs)
    text_keys = kept.keys[group.rows, :, : group.n_pieces]
    text_values = kept.values[group.rows, :, : group.n_pieces]
    # Keys in front of queries: a sum over rows is several times faster than in rows.
    to_text = (text_keys @ query.transpose(-1, -2)).float()
    bias = _bias_of(kept, group)
    if bias is not None:
        to_text = to_text + bias.transpose(-1, -2)
    to_self = (query.float() * key).sum(-1).unsqueeze(2)
    to_partner = (query.float() * _partner(key)).sum(-1).unsqueeze(2)
    weights = torch.cat([to_text, to_self, to_partner], 2).softmax(2)
    if dropout:
        weights = functional.dropout(weights, dropout)
    weights = weights.to(value.dtype)
    own, other = weights[:, :, -2].unsqueeze(-1), weights[:, :, -1].unsqueeze(-1)
    result = weights[:, :, :-2].transpose(-1, -2) @ text_values
    result = torch.addcmul(torch.addcmul(result, own, value), other, _partner(value))
    result = result.transpose(1, 2).flatten(0, 1)
    return result if group.back is None else result[group.back]


def _partner(markers: Tensor) -> Tensor:
    """For each start its end and the other way round."""
    return markers.unflatten(2, (-1, 2)).flip(3).flatten(2, 3)


def _bias_of(kept: Kept, group: Group) -> Tensor | None:
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
