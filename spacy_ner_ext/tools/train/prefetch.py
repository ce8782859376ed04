"""Batches whose word pieces are cut while steps are made with those before."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from spacy.language import Language
from spacy.training import Example
from thinc.api import Model

from ...encoder.pieces import PieceCache, encode_words
from ...encoder.torch_shim import TorchShim
from ...util.errors import UserError

# The epoch, the examples, and whatever else.
Item = TypeVar("Item", bound=tuple[Any, ...])
# Batches that are cut or wait, for each thread.
AHEAD = 2
THREADS = "prefetch"


def prefetch(
    batches: Iterable[Item], nlp: Language, num_workers: int
) -> Generator[Item, None, None]:
    """Cut the documents of the next batches into word pieces in threads, which is done
    without holding the lock of Python.

    Batches are made in the thread that asks for them, a few ahead of their use, and
    so are all random choices. What a step computes is the same for any number of
    threads, unless batches draw from the random numbers that steps draw from too.

    batches: The batches, each behind its epoch.
    nlp: The pipeline that learns from them.
    num_workers: The threads; 0 to cut each batch when it is used.
    YIELDS: The same batches in the same order.
    RAISES (UserError): If the number of threads is below 0.
    """
    if num_workers < 0:
        what = f"num_workers = {num_workers} of [spacy_ner_ext]"
        raise UserError(f"{what}: set it to a number of threads, or to 0 for none.")
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
    """The encoders that cut documents in each step; a frozen one that keeps vectors
    does so once."""
    models = (getattr(component, "model", None) for _, component in nlp.pipeline)
    shims = {
        shim.id: shim
        for model in models
        if isinstance(model, Model)
        for node in model.walk()
        for shim in node.shims
        if isinstance(shim, TorchShim) and shim.is_loaded
    }
    kept = shims.values()
    return [shim for shim in kept if shim.settings.embedding_cache == "none"]


def _submit(
    executor: ThreadPoolExecutor, shim: TorchShim, examples: Sequence[Example]
) -> Future[PieceCache]:
    words = [tuple(shim.words_of(example.predicted)) for example in examples]
    return executor.submit(_cut, shim.tokenizer, words)


def _cut(tokenizer: Any, docs: Sequence[tuple[str, ...]]) -> PieceCache:
    different = list(dict.fromkeys(docs))
    return dict(zip(different, encode_words(tokenizer, different)))


def _hand_over(
    shims: Sequence[TorchShim], item: Item, cut: Sequence[Future[PieceCache]]
) -> Iterator[Item]:
    """Yield an item, and as long as it is in use the shims have its pieces."""
    try:
        for shim, cache in zip(shims, cut):
            shim.piece_cache = cache.result()
        yield item
    finally:
        for shim in shims:
            shim.piece_cache = {}
