"""Divide documents into train, dev and test."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby, islice
from typing import TypeVar

import numpy

from .sample import BLOCK

T = TypeVar("T")


def split_evenly(
    items: Iterable[T],
    document_of: Callable[[T], str],
    shares: Sequence[float],
    seed: int,
) -> Iterator[tuple[int, T]]:
    """Draw a part for each document, such that the shares are exact up to one document.

    document_of: Names the document of an item, which stays together; empty for none.
    """
    draw = numpy.random.default_rng([seed, 3])
    part_of: dict[str, int] = {}
    taken = [0] * len(shares)
    units = _units(items, document_of)
    while block := list(islice(units, BLOCK)):
        known = [part_of.get(name) if name else None for name, _ in block]
        n_new = sum(part is None for part in known)
        parts = draw.permutation(_next_parts(n_new, taken, shares)).tolist()
        for (name, unit), part in zip(block, known):
            # A name may occur twice in the block, with something else in between.
            part = part_of.get(name) if part is None and name else part
            part = parts.pop() if part is None else part
            if name:
                part_of[name] = part
            for item in unit:
                yield part, item


def _units(
    items: Iterable[T], document_of: Callable[[T], str]
) -> Iterator[tuple[str, list[T]]]:
    for name, group in groupby(items, document_of):
        if name:
            yield name, [*group]
        else:
            yield from ((name, [item]) for item in group)


def _next_parts(n: int, taken: list[int], shares: Sequence[float]) -> list[int]:
    """The parts of the next documents, such that all so far have the shares."""
    total = sum(taken) + n
    ends = [round(total * end) for end in numpy.cumsum(shares)]
    goals = [end - start for start, end in zip([0, *ends], ends)]
    room = [max(goal - have, 0) for goal, have in zip(goals, taken)]
    parts = [part for part, size in enumerate(room) for _ in range(size)][:n]
    for part in parts:
        taken[part] += 1
    return parts


def split_by_labels(
    documents: Sequence[Counter[str]], shares: Sequence[float], seed: int
) -> list[int]:
    """Choose a part for each document so that every label has the shares.

    Iterative stratification (Sechidis, Tsoumakas and Vlahavas, "On the stratification
    of multi-label data", 2011), counting entities: the rarest label is distributed
    first, each document to the part that lacks most of it.

    documents: The entities of each document by label.
    """
    draw = numpy.random.default_rng([seed, 4])
    totals: Counter[str] = sum(documents, Counter())
    lacks = [{label: share * n for label, n in totals.items()} for share in shares]
    room = [share * len(documents) for share in shares]
    parts = [-1] * len(documents)
    order = draw.permutation(len(documents)).tolist()

    def assign(i: int, label: str | None) -> None:
        keys = [
            ((lacks[p][label] if label else 0.0), room[p], draw.random())
            for p in range(len(shares))
        ]
        part = max(range(len(shares)), key=keys.__getitem__)
        parts[i] = part
        room[part] -= 1
        for name, n in documents[i].items():
            lacks[part][name] -= n

    for label, _ in sorted(totals.items(), key=lambda item: (item[1], item[0])):
        # The largest first: what a small one lacks can still be balanced.
        own = [i for i in order if parts[i] < 0 and documents[i][label]]
        for i in sorted(own, key=lambda i: -documents[i][label]):
            assign(i, label)
    for i in order:
        if parts[i] < 0:
            assign(i, None)
    return parts
