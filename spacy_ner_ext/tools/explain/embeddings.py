"""The input embeddings of an encoder, interpolated between a baseline and a text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from spacy.tokens import Doc
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from ...encoder.pieces import (
    Batch,
    Ints,
    Specials,
    cut_windows,
    cut_words,
    make_batches,
)
from ...encoder.shim import MAX_BATCH_PIECES_TRAINING, EncoderShim
from ...encoder.torch_shim import TorchShim
from ...util.errors import UserError

BASELINES = ("mask", "pad", "zero")
MASKS = ("[MASK]", "<mask>")


def find_mask(tokenizer: Any) -> str | None:
    """The mask piece of a tokenizer, if it has one."""
    known = (text for text in MASKS if tokenizer.token_to_id(text) is not None)
    return next(known, None)


def max_batch_pieces(shim: TorchShim) -> int:
    """The largest number of pieces in one pass through an encoder."""
    if most := shim.settings.max_batch_pieces:
        return most
    limits = MAX_BATCH_PIECES_TRAINING
    most = limits.get(shim.model.device.type, limits["cuda"])
    # The gradients need the activations of all layers.
    n_layers = shim.model.encoder.config.num_hidden_layers
    return shim.pass_size(most, n_layers * shim.layer_bytes())


def without_owner(specials: Specials) -> Specials:
    """-1 for special and padding pieces, to pad the tokens that pieces belong to."""
    return Specials([-1] * len(specials.before), [-1] * len(specials.after), -1)


class Baseline:
    """What replaces the word pieces of a text at the start of the path.

    name: "mask", "pad" or "zero"; None for "mask", or "pad" for an encoder without a
        mask piece.
    RAISES (UserError): If the encoder lacks the mask piece that `name` requests.
    """

    def __init__(self, shim: TorchShim, name: str | None) -> None:
        mask = find_mask(shim.tokenizer)
        if name == "mask" and mask is None:
            raise UserError(
                f"the encoder '{shim.settings.name}' has no mask piece: set baseline "
                'to "pad" or "zero"'
            )
        self.name = name or ("pad" if mask is None else "mask")
        self.shim, self.piece = shim, shim.specials.padding
        if self.name == "mask":
            self.piece = shim.tokenizer.token_to_id(mask)

    def embed(self, ids: Ints, owners: Ints, scales: Tensor) -> Tensor:
        """Interpolate between the embeddings of the baseline and those of pieces.

        ids: The pieces, shape (n_rows, width).
        owners: The index in `scales` of each, same shape; -1 for special and padding
            pieces, which stay as they are.
        scales: 0 for the baseline, 1 for the text, shape (n_tokens,).
        RETURNS: Shape (n_rows, width, hidden).
        """
        pieces, indices = (torch.from_numpy(x).to(scales.device) for x in (ids, owners))
        table = self.shim.model.encoder.get_input_embeddings()
        with torch.no_grad():
            text = table(pieces)
            start = table(torch.full_like(pieces, self.piece))
            start = torch.zeros_like(start) if self.name == "zero" else start
        weights = torch.where(indices < 0, 1.0, scales[indices])
        return torch.lerp(start, text, weights[..., None])


@contextmanager
def embedded_as(encoder: Any, rows: Tensor) -> Iterator[None]:
    """Replace the input embeddings of the first pieces of each row by `rows`, of shape
    (n_rows, width, hidden)."""

    def replace_output(module: Any, args: Any, output: Tensor) -> Tensor:
        return torch.cat([rows, output[:, rows.size(1) :]], dim=1)

    hook = encoder.get_input_embeddings().register_forward_hook(replace_output)
    try:
        yield
    finally:
        hook.remove()


class EncodedDoc:
    """The token vectors of a document by Transformer.v1, as a function of how much the
    encoder sees of each token.

    RAISES (UserError): If the tokenizer finds no piece in the text.
    """

    def __init__(self, shim: EncoderShim, doc: Doc, baseline: str | None) -> None:
        self.shim, self.words = shim, shim.words_of(doc)
        n_pieces = sum(batch.ids.size for batch, _ in self._cut(1)[1])
        if not n_pieces:
            raise UserError(
                f"the tokenizer of the encoder '{shim.settings.name}' finds no piece "
                "in the text: choose another text"
            )
        self.at_once = max(1, max_batch_pieces(shim) // n_pieces)
        self.baseline = Baseline(shim, baseline)

    def _cut(self, n_copies: int) -> tuple[Ints, list[tuple[Batch, Ints]]]:
        """Cut copies of the document: the number of pieces of each token, and batches
        with the token of each piece."""
        settings, specials = self.shim.settings, self.shim.specials
        pieces = cut_words(self.shim.tokenizer, [self.words] * n_copies)
        windows = cut_windows(pieces.lengths, settings.window, settings.stride)
        owners = replace(pieces, ids=pieces.tokens)
        layout = pieces.chosen(settings.pooling), max_batch_pieces(self.shim)
        batches = make_batches(pieces, windows, specials, *layout)
        owned = make_batches(owners, windows, without_owner(specials), *layout)
        pairs = [(batch, tokens.ids) for batch, tokens in zip(batches, owned)]
        return pieces.counts(), pairs

    def vectors(self, scales: Tensor) -> Tensor:
        """Compute token vectors, shape (n_points, n_tokens, width), for scales of shape
        (n_points, n_tokens)."""
        counts, batches = self._cut(len(scales))
        pooled = torch.zeros(1, device=scales.device)
        for batch, owners in batches:
            run = partial(self._pool, batch, owners, counts)
            # Of a long text only the activations of one batch are kept.
            again = len(batches) > 1 and torch.is_grad_enabled()
            pooled = pooled + (
                checkpoint(run, scales, use_reentrant=False) if again else run(scales)
            )
        mixed = self.shim.model.mix(pooled, counts)
        return mixed.unflatten(0, (len(scales), -1))

    def _pool(self, batch: Batch, owners: Ints, counts: Ints, scales: Tensor) -> Tensor:
        settings, model = self.shim.settings, self.shim.model.eval()
        # Half precision would add noise to the gradients; flash-attn has no other.
        precision = settings.precision if settings.attention == "flash" else "fp32"
        rows = self.baseline.embed(batch.ids, owners, scales.flatten())
        with embedded_as(model.encoder, rows):
            return model.pool([batch], counts, settings.pooling, precision)
