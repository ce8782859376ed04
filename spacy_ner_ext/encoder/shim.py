"""The torch side of `Transformer.v1` as a thinc shim: run, trained, saved, loaded."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy
import torch
from spacy.util import logger
from thinc.api import get_torch_default_device, torch2xp, xp2torch
from thinc.types import Floats2d
from torch import Tensor

from . import hf
from .cache import EmbeddingCache
from .compat import checkpoint_layers
from .layer import TokenEncoder
from .pieces import Ints, cut_windows, cut_words, make_batches
from .settings import EncoderSettings
from .torch_shim import LARGEST_PASS, TorchShim

Docs = Sequence[Sequence[str]]
# Fits the caches of a CPU. The documents of a training step are few and of all lengths:
# smaller batches have less padding.
MAX_BATCH_PIECES = {"cpu": 512, "cuda": LARGEST_PASS}
MAX_BATCH_PIECES_TRAINING = {"cpu": 256, "cuda": LARGEST_PASS}


class EncoderShim(TorchShim):
    """A Hugging Face encoder that computes token vectors."""

    structural = "layers and layer_mix"

    def __init__(self, settings: EncoderSettings) -> None:
        super().__init__(settings)
        self.cache: EmbeddingCache | None = None
        self.n_long_tokens = 0

    def load(self) -> int:
        """Load the pretrained encoder, and return the width of its vectors."""
        tokenizer = hf.load_tokenizer(self.settings)
        encoder = hf.load_encoder(self.settings)
        if self.settings.new_tokens:
            hf.add_tokens(encoder, tokenizer, self.settings.new_tokens)
        self.rebuild(encoder, hf.prepare(tokenizer.backend_tokenizer), {}, "")
        std = getattr(encoder.config, "initializer_range", 0.02)
        with torch.no_grad():
            self.model.empty.normal_(std=std)
        return hf.width_of(encoder)

    def rebuild(
        self, encoder: Any, tokenizer: Any, weights: dict[str, Tensor], extra: str
    ) -> None:
        """Build the module around an encoder."""
        settings = self.settings
        self.specials = hf.specials_of(encoder, tokenizer)
        self._check_encoder(encoder)
        hf.freeze(encoder, settings)
        if settings.gradient_checkpointing:
            checkpoint_layers(encoder)
        self._model = TokenEncoder(
            encoder,
            hf.width_of(encoder),
            settings.layers,
            settings.layer_mix == "learned",
        ).to(get_torch_default_device())
        self.tokenizer, self.cache = tokenizer, None

    def _check_encoder(self, encoder: Any) -> None:
        settings, n_specials = self.settings, len(self.specials)
        limit = hf.n_positions(encoder)
        if limit is not None and settings.window + n_specials > limit:
            raise ValueError(
                f"window = {settings.window} of Transformer and {n_specials} special "
                f"pieces exceed the {limit} positions of the encoder "
                f"'{settings.name}': set window to at most {limit - n_specials}."
            )
        n_layers = encoder.config.num_hidden_layers
        if not all(-n_layers - 1 <= layer <= n_layers for layer in settings.layers):
            raise ValueError(
                f"layers = {list(settings.layers)} of Transformer: the encoder "
                f"'{settings.name}' has {n_layers} layers, from 1 to {n_layers} or "
                f"from -{n_layers} to -1, and 0 is its embeddings."
            )
        supports = encoder.supports_gradient_checkpointing
        if settings.gradient_checkpointing and not supports:
            raise ValueError(
                "gradient_checkpointing = true of Transformer: the encoder "
                f"'{settings.name}' ({type(encoder).__name__}) does not support it. "
                "Set it to false."
            )

    def __call__(
        self, inputs: Docs, is_train: bool
    ) -> tuple[list[Floats2d], Callable[[list[Floats2d]], None]]:
        """Compute the vectors of the words of each document, shape (n_words, width),
        and a callback for their gradients."""
        if not is_train:
            encoded = self.run_in_memory(lambda: self._predict(inputs))
            return self._split(encoded, inputs), _no_backprop
        self._use_cache()
        vectors = self._encode(inputs, True)

        def backprop(gradients: list[Floats2d]) -> None:
            if gradients and vectors.requires_grad:
                flat = torch.cat(
                    [xp2torch(dY, device=vectors.device) for dY in gradients]
                )
                # A prediction may have changed the mode since, and gradient
                # checkpointing runs layers again.
                self._set_mode(is_train)
                vectors.backward(flat * self.scaler.scale)

        return self._split(vectors.detach(), inputs), backprop

    def _predict(self, inputs: Docs) -> Tensor:
        with torch.inference_mode():
            return self._encode(inputs, False)

    def _set_mode(self, is_train: bool) -> None:
        self.model.train(is_train and self.settings.freeze is not True)

    def _split(self, vectors: Tensor, docs: Docs) -> list[Floats2d]:
        array: Any = torch2xp(vectors)
        ends = numpy.cumsum([len(words) for words in docs], dtype="int64").tolist()
        return [array[end - len(words) : end] for words, end in zip(docs, ends)]

    def _encode(self, docs: Docs, is_train: bool) -> Tensor:
        self._set_mode(is_train)
        pool = self._pool_cached if docs and self.cache is not None else self._pool
        pooled, counts = pool(docs)
        return self.model.mix(pooled, counts)

    def _pool(self, docs: Docs) -> tuple[Tensor, Ints]:
        model, settings = self.model, self.settings
        pieces = cut_words(self.tokenizer, docs, self.piece_cache)
        counts = pieces.counts()
        self._report_long_tokens(counts)
        batches = make_batches(
            pieces,
            cut_windows(pieces.lengths, settings.window, settings.stride),
            self.specials,
            pieces.chosen(settings.pooling),
            self.max_batch_pieces(model.training),
        )
        trains = torch.is_grad_enabled() and settings.freeze is not True
        with torch.set_grad_enabled(trains):
            pooled = model.pool(batches, counts, settings.pooling, settings.precision)
        return pooled, counts

    @property
    def row_size(self) -> int:
        return self.settings.window + len(self.specials)

    def max_batch_pieces(self, trains: bool) -> int:
        """The maximum pieces of a pass: the setting, or what fits into memory."""
        if most := self.settings.max_batch_pieces:
            return self.halved(most)
        limits = MAX_BATCH_PIECES_TRAINING if trains else MAX_BATCH_PIECES
        most = limits.get(self.model.device.type, limits["cuda"])
        return self.pass_size(most, self.layer_bytes())

    def _report_long_tokens(self, counts: Any) -> None:
        n_long = int((counts > self.settings.window).sum())
        if n_long and not self.n_long_tokens:
            logger.warning(
                "%d token(s) of up to %d pieces are longer than window = %d of "
                "Transformer, so that no window sees all of them; further ones are "
                "counted and not reported. Raise window, or split such tokens.",
                *(n_long, int(counts.max()), self.settings.window),
            )
        self.n_long_tokens += n_long

    def _use_cache(self) -> None:
        """Start the cache: only in training, where documents come again."""
        where = self.settings.embedding_cache
        if where == "none" or self.cache is not None:
            return
        device = self.model.device if where == "gpu" else torch.device("cpu")
        if where == "gpu" and device.type != "cuda":
            raise ValueError(
                'embedding_cache = "gpu" of Transformer, but it runs on the CPU: set '
                'it to "cpu", or use a GPU (--gpu-id).'
            )
        self.cache = EmbeddingCache(device, self.settings.cache_mb)

    def _pool_cached(self, docs: Docs) -> tuple[Tensor, Ints]:
        assert self.cache is not None
        kept: list[Any] = [self.cache.get(words) for words in docs]
        missing = [i for i, found in enumerate(kept) if found is None]
        if missing:
            with torch.no_grad():
                pooled, counts = self._pool([docs[i] for i in missing])
            first = 0
            for i in missing:
                last = first + len(docs[i])
                kept[i] = pooled[first:last], counts[first:last]
                self.cache.put(docs[i], *kept[i])
                first = last
        device = self.model.device
        vectors = torch.cat([found[0].to(device) for found in kept])
        return vectors, numpy.concatenate([found[1] for found in kept])

    def to_device(self, device_type: str, device_id: int) -> None:
        super().to_device(device_type, device_id)
        self.cache = None


def _no_backprop(gradients: list[Floats2d]) -> None:
    return None
