"""Tokenize the next batches in threads while a step runs."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from spacy.language import Language
from spacy.training import Example

from ...encoder.pieces import PieceCache, encode_words
from ...encoder.torch_shim import TorchShim
from ...util.weights import iter_shims

# The epoch, the examples, and whatever else.
Item = TypeVar("Item", bound=tuple[Any, ...])
# Batches that are being tokenized or wait, for each thread.
AHEAD = 2
THREADS = "prefetch"


def prefetch(
    batches: Iterable[Item], nlp: Language, num_workers: int
) -> Generator[Item, None, None]:
    """Yield the same batches in the same order, while threads tokenize the documents
    of the next ones without holding Python's global lock.

    Batches are drawn in the calling thread, a few ahead of their use. A step computes
    the same for any number of threads, unless batches and steps draw from the same
    random numbers.
    """
    shims = _find_shims(nlp) if num_workers else []
    if not shims:
        yield from batches
        return
    executor = ThreadPoolExecutor(num_workers, thread_name_prefix=THREADS)
    waiting: deque[tuple[Item, list[Future[PieceCache]]]] = deque()
    try:
        for item in batches:
            cut = [_submit(executor, shim, item[1]) for shim in shims]
            waiting.append((item, cut))
            if len(waiting) > AHEAD * num_workers:
                yield from _hand_over(shims, *waiting.popleft())
        while waiting:
            yield from _hand_over(shims, *waiting.popleft())
    finally:
        executor.shutdown(cancel_futures=True)


def _find_shims(nlp: Language) -> list[TorchShim]:
    """The encoders that tokenize in each step; one that caches vectors does so once."""
    return [
        shim
        for shim in iter_shims(nlp)
        if isinstance(shim, TorchShim)
        and shim.is_loaded
        and shim.settings.embedding_cache == "none"
    ]


def _submit(
    executor: ThreadPoolExecutor, shim: TorchShim, examples: Sequence[Example]
) -> Future[PieceCache]:
    docs = list({tuple(shim.words_of(example.predicted)): None for example in examples})
    tokenizer = shim.tokenizer
    return executor.submit(lambda: dict(zip(docs, encode_words(tokenizer, docs))))


def _hand_over(
    shims: Sequence[TorchShim], item: Item, cut: Sequence[Future[PieceCache]]
) -> Iterator[Item]:
    """Yield an item; while it is used, the shims have its word pieces."""
    try:
        for shim, cache in zip(shims, cut):
            shim.piece_cache = cache.result()
        yield item
    finally:
        for shim in shims:
            shim.piece_cache = {}
