"""The batches of all epochs, in an order that can be resumed at any batch."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from spacy.errors import Errors
from spacy.language import Language
from spacy.training import Example

from ...util.errors import UserError
from .random_state import State, Stream, capture_data, restore_data

Corpus = Callable[[Language], Iterable[Example]]
Batcher = Callable[[Iterable[Example]], Iterable[Sequence[Example]]]


@dataclass(frozen=True)
class Position:
    """A position in the shuffled data.

    at_start: The random state when the corpus was first read.
    at_epoch: The random state at the start of the epoch, before it was shuffled.
    order: The examples in the order that the epoch shuffles; None for a stream, which
        is read again.
    n_batches: Batches of the epoch that were used.
    n_before: Batches of the epochs before.
    n_examples: The examples in `n_batches`.
    checksum: A checksum of the texts; None for a stream.
    """

    at_start: State
    at_epoch: State
    order: list[int] | None
    epoch: int = 0
    n_batches: int = 0
    n_before: int = 0
    n_examples: int = 0
    checksum: int | None = None


class Batch(NamedTuple):
    """A batch, the position after it, and the epochs until there; for a stream, those
    that have ended."""

    epoch: int
    examples: list[Example]
    position: Position
    epochs: float


def train_batches(
    nlp: Language,
    corpus: Corpus,
    batcher: Batcher,
    max_epochs: int,
    position: Position | None = None,
    *,
    from_start: bool = False,
) -> Iterator[Batch]:
    """Yield the batches of spaCy's `create_train_batches`, the same ones in the same
    order for the same random numbers. These come from a separate stream, so that the
    order depends on nothing else.

    max_epochs: The epochs; 0 for no end, -1 for a stream.
    from_start: Whether to draw and skip all batches before the position, since the
        batcher has a state, such as a schedule of its sizes.
    RAISES (UserError): If the data is not that of the position.
    RAISES (ValueError): If there is no data, or an epoch without a batch.
    """
    stream = Stream()
    n_skipped = 0
    with stream.used():
        if position is not None:
            restore_data(position.at_start)
        at_start = capture_data()
        examples = list(corpus(nlp)) if max_epochs >= 0 else None
        first = _first_position(examples, at_start)
        if position is None:
            position = first
        elif position.checksum != first.checksum:
            raise UserError(
                "The training data differs from that which the run started with (in "
                "texts or their order): use the same files, or train again from the "
                "start with --overwrite."
            )
        elif from_start:
            n_skipped = position.n_before + position.n_batches
            position = first
        restore_data(position.at_epoch)
    while max_epochs < 1 or position.epoch != max_epochs:
        n_batches = 0
        for batch in _epoch(nlp, corpus, batcher, examples, position, stream):
            n_batches = batch.position.n_batches
            if batch.position.n_before + n_batches > n_skipped:
                yield batch
        if not n_batches and not position.n_batches:
            raise ValueError(
                "An epoch has no batch: [training.batcher] discards all examples, or "
                "the stream of training data has ended."
            )
        with stream.used():
            position = _next_epoch(position, n_batches or position.n_batches)


def _first_position(examples: list[Example] | None, at_start: State) -> Position:
    if examples is None:
        return Position(at_start, capture_data(), None)
    if not examples:
        raise ValueError(Errors.E986)
    order = list(range(len(examples)))
    return Position(at_start, capture_data(), order, checksum=_checksum(examples))


def _epoch(
    nlp: Language,
    corpus: Corpus,
    batcher: Batcher,
    examples: list[Example] | None,
    position: Position,
    stream: Stream,
) -> Iterator[Batch]:
    """The batches of an epoch that were not used yet. Shuffles `position.order`, since
    the next epoch starts from it."""
    n_skipped, n_examples = position.n_batches, 0
    order, n_all = position.order, 0
    with stream.used():
        if examples is not None and order is not None:
            before, n_all = list(order), len(order)
            random.shuffle(order)
            position = replace(position, order=before)
            data: Iterable[Example] = [examples[i] for i in order]
        else:
            data = corpus(nlp)
        batches = iter(batcher(data))
    n_batches = 0
    while (batch := _take(batches, stream)) is not None:
        n_batches += 1
        n_examples += len(batch)
        if n_batches > n_skipped:
            place = replace(position, n_batches=n_batches, n_examples=n_examples)
            part = n_examples / n_all if n_all else 0.0
            yield Batch(position.epoch, batch, place, position.epoch + part)


def _take(batches: Iterator[Sequence[Example]], stream: Stream) -> list[Example] | None:
    with stream.used():
        batch = next(batches, None)
    return None if batch is None else list(batch)


def _next_epoch(position: Position, n_batches: int) -> Position:
    return Position(
        at_start=position.at_start,
        at_epoch=capture_data(),
        order=position.order,
        epoch=position.epoch + 1,
        n_before=position.n_before + n_batches,
        checksum=position.checksum,
    )


def _checksum(examples: Iterable[Example]) -> int:
    checksum = 0
    for example in examples:
        checksum = zlib.crc32(example.reference.text.encode("utf8"), checksum)
    return checksum
