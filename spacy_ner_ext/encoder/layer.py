"""Batches of word pieces to token vectors: the torch module of the encoder."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..util.tensors import add_rows
from .pieces import Batch, Ints

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


class TokenEncoder(nn.Module):
    """A Hugging Face encoder whose piece vectors are pooled to token vectors.

    layers: The hidden states to use: 0 is the input of the first layer, 1 its output,
        -1 the output of the last.
    learned_mix: Whether the weights of several layers are learned (the scalar mix of
        Peters et al. 2018, ELMo, without its factor); else they are equal.
    """

    def __init__(
        self, encoder: Any, width: int, layers: Sequence[int], learned_mix: bool
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.layers = tuple(layers)
        self.empty = nn.Parameter(torch.zeros(width))
        weights = torch.zeros(len(layers)) if learned_mix and len(layers) > 1 else None
        self.layer_weights = None if weights is None else nn.Parameter(weights)

    @property
    def device(self) -> torch.device:
        return self.empty.device

    def pool(
        self, batches: Iterable[Batch], counts: Ints, pooling: str, precision: str
    ) -> Tensor:
        """Run batches and pool the vectors of the pieces of each token: float32, shape
        (n_tokens, n_layers, width), zero for a token without pieces. `counts` are the
        pieces of each token."""
        shape = (len(counts), len(self.layers), len(self.empty))
        pooled = torch.zeros(shape, device=self.device)
        dtype, enabled = DTYPES.get(precision), precision in DTYPES
        if torch.is_grad_enabled():
            batches = list(batches)
        with (
            torch.autocast(self.device.type, dtype=dtype, enabled=enabled),
            self._embedded_once(batches),
        ):
            for batch in batches:
                states = self._run(batch)
                places = self._move(batch.places)
                kept = torch.stack(
                    [s.flatten(0, 1).index_select(0, places) for s in states], dim=1
                )
                pooled = add_rows(pooled, self._move(batch.tokens), kept.float())
        if pooling == "mean":
            pooled = pooled / self._move(numpy.maximum(counts, 1))[:, None, None]
        return pooled

    @contextmanager
    def _embedded_once(self, batches: Iterable[Batch]) -> Iterator[None]:
        """Look up the embeddings of all batches at once, since the gradient of each
        lookup is as large as the vocabulary."""
        embeddings = self.encoder.get_input_embeddings()
        trains = torch.is_grad_enabled() and embeddings.weight.requires_grad
        if not trains or not isinstance(batches, list) or len(batches) < 2:
            yield
            return
        ids = numpy.unique(numpy.concatenate([batch.ids.ravel() for batch in batches]))
        needed = self._move(ids)
        table = embeddings(needed)

        def look_up(module: nn.Module, args: tuple[Tensor], output: Tensor) -> Tensor:
            return functional.embedding(torch.searchsorted(needed, args[0]), table)

        hook = embeddings.register_forward_hook(look_up)
        try:
            yield
        finally:
            hook.remove()

    def _run(self, batch: Batch) -> list[Tensor]:
        several = self.layers != (-1,)
        mask = numpy.ones_like(batch.ids) if batch.mask is None else batch.mask
        result: Any = self.encoder(
            input_ids=self._move(batch.ids),
            attention_mask=self._move(mask.astype("int64")),
            output_hidden_states=several,
            return_dict=True,
        )
        if not several:
            return [result.last_hidden_state]
        # Some encoders, such as ModernBERT, normalize after their last layer.
        states = (*result.hidden_states[:-1], result.last_hidden_state)
        return [states[layer] for layer in self.layers]

    def _move(self, array: Ints) -> Tensor:
        return torch.from_numpy(array).to(self.device, non_blocking=True)

    def mix(self, pooled: Tensor, counts: Ints) -> Tensor:
        """Mix the layers of pooled vectors to shape (n_tokens, width), and replace the
        vectors of empty tokens."""
        if self.layer_weights is not None:
            weights = torch.softmax(self.layer_weights, dim=0)
            mixed = torch.einsum("tlw,l->tw", pooled, weights)
        elif len(self.layers) > 1:
            mixed = pooled.mean(dim=1)
        else:
            mixed = pooled[:, 0]
        if counts.all():
            return mixed
        return torch.where(self._move(counts == 0)[:, None], self.empty, mixed)
