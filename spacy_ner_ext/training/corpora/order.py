"""Random orders, from the state of Python's `random` that training saves."""

import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import numpy

T = TypeVar("T")


def begin_epoch() -> random.Random:
    """Make the generator of an epoch by one draw, so that its order depends on nothing
    that draws from `random` meanwhile.
    """
    return random.Random(random.getrandbits(64))


@contextmanager
def unnoticed(seed: int) -> Iterator[None]:
    """Seed the generators of Python and NumPy for a block, and set them back to what
    they were, so that neither depends on the other.
    """
    state, of_numpy = random.getstate(), numpy.random.get_state()
    random.seed(seed)
    numpy.random.seed(seed % 2**32)
    try:
        yield
    finally:
        random.setstate(state)
        numpy.random.set_state(of_numpy)


def shuffled_in_buffer(
    items: Iterable[T], size: int, generator: random.Random
) -> Iterator[T]:
    """Shuffle a stream as tf.data does: a buffer is filled, and each next item takes
    the place of one that is drawn from it.

    size: The items of the buffer; with 0 or 1 the order stays.
    """
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
