"""The attention of texts and markers (Aarsen 2023; Ye et al. 2022, PL-Marker).

In SpanMarker an input row is a text, followed by a pair of markers for each candidate
span. This is the mask, for a text of three pieces and the markers <start> and <end>,
s and e, of two spans; a row sees the columns with an x:

               text     span 1  span 2
             t1 t2 t3    s  e    s  e
      t1      x  x  x    .  .    .  .
      t2      x  x  x    .  .    .  .
      t3      x  x  x    .  .    .  .
      s       x  x  x    x  x    .  .
      e       x  x  x    x  x    .  .
      s       x  x  x    .  .    x  x
      e       x  x  x    .  .    x  x

The text never sees a marker, so it passes through the encoder once, as it is, and the
keys and values of each layer are kept (`TextAttention`). A marker m with partner m'
sees only the text, itself and m', so pairs follow as a batch of rows of two pieces,
whose attention is (`MarkerAttention`)

    softmax [q_m K_text^T, q_m k_m, q_m k_m'] [V_text, v_m, v_m'].

A marker has the position of the first or the last piece of its span; where attention is
local, it sees of the text what that piece sees.

Encoders are not modified: their calls of torch's attention, embedding lookups and
linear layers are intercepted. Encoders that do not call torch's attention get the mask
above (`markers.append_markers`).
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from .markers import KeyValueCache, MarkerGroup, SharedMarkers


class Embeddings(TorchFunctionMode):
    """Intercepts the lookups of pieces (with `lookup`, if given) and of positions."""

    def __init__(
        self,
        piece_table: Tensor,
        lookup: Callable[[Tensor], Tensor] | None,
        position_table: Tensor | None,
        positions: Tensor,
    ) -> None:
        super().__init__()
        self.piece_table = piece_table
        self.lookup = lookup
        self.position_table = position_table
        self.positions = positions

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is functional.embedding:
            table = args[1]
            if table is self.piece_table and self.lookup is not None:
                return self.lookup(args[0])
            if table is self.position_table:
                return functional.embedding(self.positions, table)
        if func is functional.scaled_dot_product_attention:
            return self.attend(*args, **kwargs)
        if func is functional.linear:
            return self.project(*args, **kwargs)
        return func(*args, **kwargs)

    def attend(self, *args: Any, **kwargs: Any) -> Tensor:
        return functional.scaled_dot_product_attention(*args, **kwargs)

    def project(self, *args: Any, **kwargs: Any) -> Tensor:
        return functional.linear(*args, **kwargs)


class TextDone(Exception):
    """Ends the pass of a text whose last hidden states are not needed."""


class TextAttention(Embeddings):
    """Keeps the keys and values of a text, and may stop after the last attention."""

    def __init__(self, *args: Any, stop_after: int | None = None) -> None:
        super().__init__(*args)
        self.stop_after = stop_after
        self.layers: list[KeyValueCache] = []
        self._mask: Tensor | None = None
        self._bias: Tensor | None = None

    def attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Tensor:
        """Torch's attention; keys and values are kept."""
        if kwargs.get("is_causal"):
            raise ValueError("its attention is causal")
        if attn_mask is not self._mask:
            # Encoders pass the same mask to many layers.
            self._mask, self._bias = attn_mask, _as_bias(attn_mask, query)
        self.layers.append(KeyValueCache(key, value, self._bias))
        if len(self.layers) == self.stop_after:
            raise TextDone
        return functional.scaled_dot_product_attention(
            query, key, value, attn_mask, *args, **kwargs
        )


def _as_bias(mask: Tensor | None, query: Tensor) -> Tensor | None:
    """A mask as numbers to add; with one row if all pieces see the same."""
    if mask is None:
        return None
    if mask.dtype is torch.bool:
        low = torch.finfo(query.dtype).min
        mask = torch.zeros_like(mask, dtype=query.dtype).masked_fill(~mask, low)
    if not mask.any():
        return None
    same = mask.size(-2) == 1 or bool((mask == mask[..., :1, :]).all())
    return mask[..., :1, :] if same else mask


class MarkerAttention(Embeddings):
    """The attention of pairs of markers to the text that was kept, to themselves and to
    each other."""

    def __init__(
        self, *args: Any, groups: Sequence[MarkerGroup], shared: SharedMarkers | None
    ) -> None:
        super().__init__(*args)
        self.groups = groups
        self.shared = shared
        self.n_calls = 0

    def project(
        self, input: Tensor, weight: Tensor, bias: Tensor | None = None
    ) -> Tensor:
        """A linear layer; before the first attention, only of distinct markers."""
        if self.shared is None or self.n_calls:
            return functional.linear(input, weight, bias)
        distinct = input.flatten(0, 1).index_select(0, self.shared.examples)
        projected = functional.linear(distinct, weight, bias)
        every = projected.index_select(0, self.shared.kinds)
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
        parts = [
            _attend(markers, group.layers[layer], group, scale, dropout_p)
            for group in self.groups
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
    text: KeyValueCache,
    group: MarkerGroup,
    scale: float,
    dropout: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """The weighted values of the text for the markers of a group, and the weights of
    the markers themselves and of their partners."""
    inputs = [x[group.markers] for x in markers]
    inputs = [x[None] if group.order is None else x[group.order] for x in inputs]
    query, own, other = (x.transpose(1, 2) for x in inputs)
    own, other = own.unsqueeze(2), other.unsqueeze(2)
    keys = text.keys[group.rows, :, : group.n_pieces]
    values = text.values[group.rows, :, : group.n_pieces]
    # Keys in rows and queries in columns, since sums over rows are faster.
    scores = ((keys * scale) @ query.transpose(-1, -2)).float()
    bias = _bias_of(text, group)
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
        # Dropout acts on the weights, after their sum was taken.
        scores, own, other = (
            functional.dropout(x, dropout) for x in (scores, own, other)
        )
    weighted = scores.to(values.dtype).transpose(-1, -2) @ values
    weighted = weighted / total.transpose(-1, -2)
    found = []
    for x in (weighted, own.squeeze(2), other.squeeze(2)):
        flat = x.transpose(1, 2).flatten(0, 1)
        found.append(flat if group.inverse is None else flat[group.inverse])
    return found[0], found[1], found[2]


def _bias_of(text: KeyValueCache, group: MarkerGroup) -> Tensor | None:
    """The bias of the markers' scores: that of the pieces at their positions."""
    bias = text.bias
    if bias is None:
        return None
    same = bias.size(-2) == 1
    if same and group.order is None:
        return None  # One row without its padding.
    bias = bias.expand(len(text.keys), -1, -1, -1)[group.rows, ..., : group.n_pieces]
    if same:
        return bias
    return torch.take_along_dim(bias, group.places[:, None, :, None], dim=2)
