"""The input embeddings of an encoder, interpolated between a baseline and a text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy
import torch
from spacy.tokens import Doc
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from ...encoder.pieces import (
    Batch,
    Ints,
    Windows,
    cut_windows,
    cut_words,
    group_by_length,
    make_batches,
    pad,
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
    limits = MAX_BATCH_PIECES_TRAINING
    device = shim.model.device.type
    return shim.settings.max_batch_pieces or limits.get(device, limits["cuda"])


def find_owners(tokens: Ints, starts: Ints, ends: Ints, flat: Ints) -> Ints:
    """The token of each padded piece; -1 for special and padding pieces.

    tokens: The token of each piece.
    starts, ends: The first piece of each row and the one after its last.
    flat: The indices of the padded pieces, from `pieces.pad`.
    """
    is_text = (flat >= starts[:, None]) & (flat < ends[:, None])
    owners = numpy.full(flat.shape, -1)
    owners[is_text] = tokens[flat[is_text]]
    return owners


class Baseline:
    """What the word pieces of a text are replaced by at the start of the path.

    name: "mask", "pad" or "zero"; None for "mask", or "pad" for an encoder without a
        mask piece.
    RAISES (UserError): If the mask piece is asked for and missing.
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
    """Replace the input embeddings of an encoder.

    rows: The embeddings, shape (n_rows, width, hidden). Pieces after the first `width`
        keep theirs.
    """

    def replace(module: Any, args: Any, output: Tensor) -> Tensor:
        return torch.cat([rows, output[:, rows.size(1) :]], dim=1)

    hook = encoder.get_input_embeddings().register_forward_hook(replace)
    try:
        yield
    finally:
        hook.remove()


class EncodedDoc:
    """The token vectors that Transformer.v1 computes for a document, as a function of
    how much it sees of each token.

    RAISES (UserError): If the tokenizer finds no piece in the text.
    """

    def __init__(self, shim: EncoderShim, doc: Doc, baseline: str | None) -> None:
        assert shim.specials is not None
        self.shim, self.specials = shim, shim.specials
        self.words, self.limit = shim.words_of(doc), max_batch_pieces(shim)
        _, windows = self._cut(1)
        if not len(windows.starts):
            raise UserError(
                f"the tokenizer of the encoder '{shim.settings.name}' finds no piece "
                "in the text: choose another text"
            )
        lengths = windows.ends - windows.starts + len(self.specials)
        self.at_once = max(1, self.limit // int(lengths.sum()))
        self.baseline = Baseline(shim, baseline)

    def _cut(self, n_copies: int) -> tuple[Any, Windows]:
        settings = self.shim.settings
        pieces = cut_words(self.shim.tokenizer, [self.words] * n_copies)
        return pieces, cut_windows(pieces.lengths, settings.window, settings.stride)

    def vectors(self, scales: Tensor) -> Tensor:
        """Compute token vectors, shape (n_points, n_tokens, width), for scales of shape
        (n_points, n_tokens)."""
        model, chosen = self.shim.model.eval(), self.shim.settings.pooling
        pieces, windows = self._cut(len(scales))
        layout = self.specials, self.limit
        groups = list(group_by_length(windows.ends - windows.starts, *layout))
        batches = make_batches(
            pieces, windows, self.specials, pieces.chosen(chosen), self.limit
        )
        counts, pooled = pieces.counts(), torch.zeros(1, device=scales.device)
        for rows, batch in zip(groups, batches):
            starts, ends = windows.starts[rows], windows.ends[rows]
            _, _, flat = pad(pieces.ids, starts, ends, self.specials)
            owners = find_owners(pieces.tokens, starts, ends, flat)
            run = partial(self._pool, batch, owners, counts)
            # Of a long text only the activations of one batch are kept.
            again = len(groups) > 1 and torch.is_grad_enabled()
            pooled = pooled + (
                checkpoint(run, scales, use_reentrant=False) if again else run(scales)
            )
        return model.mix(pooled, counts).unflatten(0, (len(scales), -1))

    def _pool(self, batch: Batch, owners: Ints, counts: Ints, scales: Tensor) -> Tensor:
        settings, model = self.shim.settings, self.shim.model
        # Half precision would add noise to the gradients; flash-attn has no other.
        precision = settings.precision if settings.attention == "flash" else "fp32"
        rows = self.baseline.embed(batch.ids, owners, scales.flatten())
        with embedded_as(model.encoder, rows):
            return model.pool([batch], counts, settings.pooling, precision)
