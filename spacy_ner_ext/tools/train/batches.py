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
from .ranks import Ranks

Corpus = Callable[[Language], Iterable[Example]]
Batcher = Callable[[Iterable[Example]], Iterable[Sequence[Example]]]


@dataclass(frozen=True)
class Position:
    """A position in the shuffled data.

    at_start: The random state when the corpus was first read.
    at_epoch: The random state before the epoch was shuffled.
    order: The examples in the order that the epoch shuffles; None for a stream.
    checksum: A checksum of the texts; None for a stream.
    n_before: Batches of the epochs before.
    """

    at_start: State
    at_epoch: State
    order: list[int] | None
    checksum: int | None = None
    epoch: int = 0
    n_batches: int = 0
    n_before: int = 0


class Batch(NamedTuple):
    """A batch, the position after it, the epochs until there (for a stream, those that
    have ended), and the words of all ranks."""

    epoch: int
    examples: list[Example]
    position: Position
    epochs: float
    words: int = 0


def train_batches(
    nlp: Language,
    corpus: Corpus,
    batcher: Batcher,
    max_epochs: int,
    position: Position | None = None,
    *,
    stream: Stream | None = None,
    from_start: bool = False,
    ranks: Ranks | None = None,
) -> Iterator[Batch]:
    """Yield the batches of spaCy's `create_train_batches`, the same ones in the same
    order for the same random numbers. These come from a separate stream, so that the
    order depends on nothing else.

    max_epochs: The epochs; 0 for no end, -1 for a stream.
    stream: The random numbers; by default those that come next.
    from_start: Whether to draw and skip all batches before the position, since the
        batcher has a state, such as a schedule of its sizes.
    ranks: The processes that divide the corpus, if it is a stream, so that each has
        batches of its own. An epoch ends with the last of them: a rank that has no more
        examples yields empty batches until then.
    """
    stream, n_skipped, ranks = stream or Stream(), 0, ranks or Ranks()
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
        n_batches = position.n_batches
        for batch in _epoch(nlp, corpus, batcher, examples, position, stream, ranks):
            n_batches = batch.position.n_batches
            if batch.position.n_before + n_batches > n_skipped:
                yield batch
        if not n_batches:
            raise ValueError(
                "An epoch has no batch: [training.batcher] discards all examples, or "
                "the stream of training data has ended."
            )
        with stream.used():
            # Augmenters have drawn for other examples on each rank.
            at_epoch = ranks.broadcast(capture_data())
            restore_data(at_epoch)
            position = replace(
                position,
                at_epoch=at_epoch,
                epoch=position.epoch + 1,
                n_batches=0,
                n_before=position.n_before + n_batches,
            )


def _first_position(examples: list[Example] | None, at_start: State) -> Position:
    if examples is None:
        return Position(at_start, capture_data(), None)
    if not examples:
        raise ValueError(Errors.E986)
    checksum = 0
    for example in examples:
        checksum = zlib.crc32(example.reference.text.encode("utf8"), checksum)
    return Position(at_start, capture_data(), list(range(len(examples))), checksum)


def _epoch(
    nlp: Language,
    corpus: Corpus,
    batcher: Batcher,
    examples: list[Example] | None,
    position: Position,
    stream: Stream,
    ranks: Ranks,
) -> Iterator[Batch]:
    """The batches of an epoch that were not used yet. Shuffles `position.order`, since
    the next epoch starts from it."""
    order, n_all = position.order, 0
    n_skipped, n_batches, n_examples = position.n_batches, 0, 0
    with stream.used():
        if examples is not None and order is not None:
            position, n_all = replace(position, order=list(order)), len(order)
            random.shuffle(order)
            data: Iterable[Example] = [examples[i] for i in order]
        else:
            data = corpus(nlp)
        batches = iter(batcher(data))
    while True:
        with stream.used():
            batch, words = _draw(batches, ranks)
        if batch is None:
            return
        n_batches += 1
        n_examples += len(batch)
        if n_batches > n_skipped:
            part = n_examples / n_all if n_all else 0.0
            place = replace(position, n_batches=n_batches)
            epochs = position.epoch + part
            yield Batch(position.epoch, list(batch), place, epochs, words)


def _draw(
    batches: Iterator[Sequence[Example]], ranks: Ranks
) -> tuple[Sequence[Example] | None, int]:
    """The next batch and the words in those of all ranks. It is empty if only others
    have one, and None if no rank has one."""
    batch: Sequence[Example] | None = None
    error: Exception | None = None
    try:
        batch = next(batches, None)
    except Exception as err:  # noqa: BLE001 - raised below
        error = err
    words = None if batch is None else sum(map(len, batch))
    found = ranks.gather((error is not None, words))
    ranks.leave([has_failed for has_failed, _ in found], error)
    counts = [count for _, count in found if count is not None]
    return (batch or ()) if counts else None, sum(counts)
