"""The pieces of a text as they go into a Hugging Face encoder."""

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
# What encoders call the piece that stands for an unknown one.
MASKS = ("[MASK]", "<mask>")


def find_mask(tokenizer: Any) -> str | None:
    """The mask piece of a tokenizer, if it has one."""
    known = (text for text in MASKS if tokenizer.token_to_id(text) is not None)
    return next(known, None)


class Embedded:
    """The embeddings of the pieces of a text, and those that the path to them starts
    from. Special pieces are the same on the whole path.

    shim: The encoder.
    ids: The pieces, shape (n_windows, width).
    owners: The token that each is of, same shape; -1 for special and padding pieces.
    n_tokens: The tokens of the text.
    baseline: What the pieces of the text are at the start: "mask", "pad" or "zero";
        None for "mask", or "pad" for an encoder without one.
    RAISES (UserError): If the encoder has no mask piece, but is to use it.
    """

    def __init__(
        self,
        shim: TorchShim,
        ids: Ints,
        owners: Ints,
        n_tokens: int,
        baseline: str | None,
    ) -> None:
        self.owners, self.n_tokens = owners, n_tokens
        mask = find_mask(shim.tokenizer)
        if baseline == "mask" and mask is None:
            raise UserError(
                f"the encoder '{shim.settings.name}' has no mask piece: set baseline "
                'to "pad" or "zero"'
            )
        self.baseline = baseline or ("pad" if mask is None else "mask")
        device = next(shim.model.parameters()).device
        is_text = torch.from_numpy(owners >= 0).to(device)
        pieces = torch.from_numpy(ids).to(device)
        neutral = shim.specials.padding
        if self.baseline == "mask":
            neutral = shim.tokenizer.token_to_id(mask)
        table = shim.model.encoder.get_input_embeddings()
        with torch.no_grad():
            # One text, of however many windows.
            self.inputs: Tensor = table(pieces)[None]
            start = table(torch.where(is_text, neutral, pieces))
            if self.baseline == "zero":
                start = torch.where(is_text[..., None], 0.0, start)
            self.baselines: Tensor = start[None]

    def to_tokens(self, attributions: Tensor) -> numpy.ndarray:
        """Add up what the pieces have, over windows and dimensions.

        attributions: In the shape of `inputs`.
        RETURNS: Float64, shape (n_tokens,).
        """
        pieces = attributions.double().sum(-1).cpu().numpy().ravel()
        owners = self.owners.ravel()
        known = owners >= 0
        return numpy.bincount(owners[known], pieces[known], self.n_tokens)


@contextmanager
def embedded_as(encoder: Any, rows: Tensor) -> Iterator[None]:
    """Let an encoder see other embeddings of pieces than those of its vocabulary.

    rows: The embeddings, shape (n_rows, width, hidden). Pieces behind `width` keep
        theirs.
    """

    def give(module: Any, args: Any, output: Tensor) -> Tensor:
        return torch.cat([rows, output[:, rows.size(1) :]], dim=1)

    hook = encoder.get_input_embeddings().register_forward_hook(give)
    try:
        yield
    finally:
        hook.remove()


def rows_at_once(shim: TorchShim, n_pieces: int) -> int:
    """The points of a path that pass through an encoder together."""
    return max(1, _limit(shim) // n_pieces)


def _limit(shim: TorchShim) -> int:
    device = next(shim.model.parameters()).device.type
    limits = MAX_BATCH_PIECES_TRAINING
    return shim.settings.max_batch_pieces or limits.get(device, limits["cuda"])


class EncoderSource:
    """The way of a document's pieces through a spacy_ner_ext.Transformer.v1, to token
    vectors; see vectors.Source.

    shim: The encoder.
    doc: The document.
    baseline: What the path begins with, see Embedded.
    RAISES (UserError): If its tokenizer finds no piece in the text.
    """

    def __init__(self, shim: EncoderShim, doc: Doc, baseline: str | None) -> None:
        self.shim, self.n_tokens = shim, len(doc)
        settings, specials = shim.settings, shim.specials
        assert specials is not None
        pieces = cut_words(shim.tokenizer, [shim.words_of(doc)])
        if not len(pieces.ids):
            raise UserError(
                f"the tokenizer of the encoder '{settings.name}' finds nothing in the "
                "text: give another one"
            )
        windows = cut_windows(pieces.lengths, settings.window, settings.stride)
        chosen = pieces.chosen(settings.pooling)
        most = len(windows.starts) * (settings.window + len(specials))
        (self.batch,) = make_batches(pieces, windows, specials, chosen, most)
        lengths = windows.ends - windows.starts
        (order,) = group_by_length(lengths, specials, most)
        starts, ends = windows.starts[order], windows.ends[order]
        ids, _, flat = pad(pieces.ids, starts, ends, specials)
        is_text = (flat >= starts[:, None]) & (flat < ends[:, None])
        owners = numpy.full(flat.shape, -1)
        owners[is_text] = pieces.tokens[flat[is_text]]
        self.counts = pieces.counts()
        self.embedded = Embedded(shim, ids, owners, len(doc), baseline)
        self.inputs, self.baselines = self.embedded.inputs, self.embedded.baselines
        self.baseline = self.embedded.baseline
        self.at_once = rows_at_once(shim, ids.size)

    def vectors(self, points: Tensor) -> Tensor:
        """Let points of the path pass through the encoder.

        points: Shape (n_points, n_windows, width, hidden).
        RETURNS: Token vectors, shape (n_points, n_tokens, width).
        """
        self.shim.model.eval()
        n_points, rows = len(points), points.flatten(0, 1)
        most = max(1, _limit(self.shim) // rows.size(1))
        pooled: Any = 0
        for first in range(0, len(rows), most):
            run = partial(self._pool, first, n_points)
            part = rows[first : first + most]
            # Of a long text activations of one pass alone are kept.
            again = len(rows) > most and torch.is_grad_enabled()
            pooled = pooled + (
                checkpoint(run, part, use_reentrant=False) if again else run(part)
            )
        mixed = self.shim.model.mix(pooled, numpy.tile(self.counts, n_points))
        return mixed.unflatten(0, (n_points, self.n_tokens))

    def _pool(self, first: int, n_points: int, rows: Tensor) -> Tensor:
        """The share of some windows in the vectors of the tokens of all points."""
        settings, model = self.shim.settings, self.shim.model
        counts = numpy.tile(self.counts, n_points)
        batch = self._repeat(first, len(rows))
        # Half precision would be noise in the gradients; flash-attn has no other.
        precision = settings.precision if settings.attention == "flash" else "fp32"
        with embedded_as(model.encoder, rows):
            return model.pool([batch], counts, settings.pooling, precision)

    def _repeat(self, first: int, n_rows: int) -> Batch:
        """Some of the windows of all points, which follow each other."""
        batch = self.batch
        n_windows, width = batch.ids.shape
        numbers = numpy.arange(first, first + n_rows)
        windows = numbers % n_windows
        row = batch.places // width
        places, tokens = [], []
        for i, (number, window) in enumerate(zip(numbers.tolist(), windows.tolist())):
            own = row == window
            places.append(batch.places[own] - window * width + i * width)
            tokens.append(batch.tokens[own] + number // n_windows * self.n_tokens)
        mask = None if batch.mask is None else batch.mask[windows]
        return Batch(
            batch.ids[windows],
            mask,
            numpy.concatenate(places),
            numpy.concatenate(tokens),
        )

    def to_tokens(self, attributions: Tensor) -> numpy.ndarray:
        """What the tokens have, see Embedded.to_tokens."""
        return self.embedded.to_tokens(attributions)
