"""Shared by the corpora: examples of documents, and random orders.

Random orders come from the state of Python's `random`, which training saves.
"""

import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import numpy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Corpus, Example

from ...util.errors import UserError

T = TypeVar("T")
Examples = Callable[[Language], Iterable[Example]]


class DocsCorpus(Corpus):
    """spaCy's Corpus over documents that a subclass reads; `gold_preproc`, `max_length`
    and `augmenter` are applied here."""

    def read(self, nlp: Language) -> Iterable[Doc]:
        """Read the annotated documents of an epoch."""
        raise NotImplementedError

    def __call__(self, nlp: Language) -> Iterator[Example]:
        make = self.make_examples
        if self.gold_preproc:
            make = self.make_examples_gold_preproc
        for example in make(nlp, self.read(nlp)):
            yield from self.augmenter(nlp, example)


def check_whole(corpus: object, where: str) -> None:
    """Raise UserError for a corpus within another that processes would divide."""
    if getattr(corpus, "divide", False):
        raise UserError(
            f"{where} has Shards.v1 with divide = true, which only the training corpus "
            "itself can have; set it to false"
        )


def begin_epoch() -> random.Random:
    """Create the generator of an epoch from a single draw, so that the order does not
    depend on other draws from `random` during the epoch."""
    return random.Random(random.getrandbits(64))


@contextmanager
def isolated_random(seed: int) -> Iterator[None]:
    """Seed the generators of Python and NumPy for a block, and restore their states."""
    state, numpy_state = random.getstate(), numpy.random.get_state()
    random.seed(seed)
    numpy.random.seed(seed % 2**32)
    try:
        yield
    finally:
        random.setstate(state)
        numpy.random.set_state(numpy_state)


def shuffled_in_buffer(
    items: Iterable[T], size: int, generator: random.Random
) -> Iterator[T]:
    """Shuffle a stream as tf.data does: each item replaces a random one of a buffer of
    `size` items, which is yielded. With 0 or 1 the order stays."""
    buffer: list[T] = []
    for item in items:
        if len(buffer) < size:
            buffer.append(item)
        elif not buffer:
            yield item
        else:
            place = generator.randrange(len(buffer))
            drawn, buffer[place] = buffer[place], item
            yield drawn
    generator.shuffle(buffer)
    yield from buffer
