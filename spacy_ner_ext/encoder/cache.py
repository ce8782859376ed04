"""A cache for the vectors of documents that pass through a frozen encoder."""

import hashlib
from collections.abc import Sequence

import srsly
import torch
from spacy.util import logger
from torch import Tensor

from .pieces import Ints


class EmbeddingCache:
    """Keeps the vectors of documents, by their words, up to a size in MB.

    Nothing is evicted: training passes over all documents in turn, so dropping the
    oldest would drop each document just before its next use.
    """

    def __init__(self, device: torch.device, max_mb: int) -> None:
        self.device = device
        self.max_bytes = max_mb << 20
        self.n_bytes = self.n_hits = self.n_misses = 0
        self._kept: dict[bytes, tuple[Tensor, Ints]] = {}
        self._is_full = False

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, words: Sequence[str]) -> tuple[Tensor, Ints] | None:
        """The vectors and piece counts of a document, if they are cached."""
        found = self._kept.get(_key(words))
        if found is not None and not self.n_hits:
            logger.info("Embedding cache of Transformer: %s", self.describe())
        self.n_hits += found is not None
        self.n_misses += found is None
        return found

    def put(self, words: Sequence[str], vectors: Tensor, counts: Ints) -> None:
        """Keep the vectors of a document and the piece counts, if there is space."""
        key, size = _key(words), vectors.nbytes + counts.nbytes
        if key in self._kept:
            return
        if self.n_bytes + size > self.max_bytes:
            self._warn_full()
            return
        # A copy, since a view would keep the vectors of the whole batch.
        kept = vectors.detach().to(self.device, copy=True)
        self._kept[key] = kept, counts.copy()
        self.n_bytes += size

    def _warn_full(self) -> None:
        if not self._is_full:
            self._is_full = True
            logger.warning(
                "The embedding cache of Transformer is full with the vectors of %d "
                "documents (%d MB): those of others are computed each time. Raise "
                "cache_mb to keep more.",
                *(len(self), self.max_bytes >> 20),
            )

    def describe(self) -> str:
        return (
            f"{len(self)} documents in {self.n_bytes / 2**20:.1f} of "
            f"{self.max_bytes >> 20} MB, {self.n_hits} hits, {self.n_misses} misses"
        )


def _key(words: Sequence[str]) -> bytes:
    return hashlib.blake2b(srsly.msgpack_dumps(list(words)), digest_size=16).digest()
