"""Divide documents into parts, draw some of them, and repeat those with rare labels."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import TypeVar

import numpy

from ...util.errors import UserError

T = TypeVar("T")
# Shares are exact in every block of this size, or larger if less than one is drawn.
BLOCK = 10
ROUNDS = 200
MOST = 10_000
CLOSE = 1 + 1e-9


class _Draw:
    """Decides for one item after another whether it is drawn."""

    def __init__(self, share: float, seed: Sequence[int]) -> None:
        self.share = share
        self.size = max(BLOCK, round(1 / share))
        self._random = numpy.random.default_rng(seed)
        self._block: list[bool] = []
        self._n_seen = self._n_drawn = 0

    def __call__(self) -> bool:
        if not self._block:
            self._n_seen += self.size
            n = round(self.share * self._n_seen) - self._n_drawn
            self._n_drawn += n
            drawn = self._random.permutation(self.size) < n
            self._block = drawn.tolist()
        return self._block.pop()


def sample(
    items: Iterable[tuple[int, T]],
    n_parts: int,
    share: float,
    limit: int,
    seed: int,
    skipped: Callable[[str, T], None],
) -> Iterator[tuple[int, T]]:
    """Draw a share of the items of each part, and take the first `limit` of these.

    items: Pairs of the number of a part and an item.
    skipped: Called with "unsampled" and each item that is not drawn, and with "unused"
        and the first item of each part beyond the limit.
    """
    draws = [_Draw(share, [seed, 1, part]) for part in range(n_parts)]
    taken = [0] * n_parts
    for part, item in items:
        if not draws[part]():
            skipped("unsampled", item)
        elif limit and taken[part] >= limit:
            if taken[part] == limit:
                skipped("unused", item)
            taken[part] += 1
            if all(n > limit for n in taken):
                return
        else:
            taken[part] += 1
            yield part, item


class Repeating:
    """Decides by the result of `find_factors` how often each document is written."""

    def __init__(self, factors: Mapping[str, float], seed: int) -> None:
        self.factors = factors
        self._random = numpy.random.default_rng([seed, 2])

    def __call__(self, labels: Iterable[str]) -> int:
        """The number of times for a document with these labels, 1 or more."""
        # Factors such as 2.5 are rounded at random.
        often = max((self.factors.get(name, 1.0) for name in labels), default=1.0)
        return max(int(often + self._random.random()), 1)


def find_factors(
    labels: Mapping[frozenset[str], int], shares: Mapping[str, float]
) -> dict[str, float]:
    """Find by label how often, 1 or more, to repeat documents so that labels have their
    shares. A document is repeated as often as the label that needs it most.

    labels: Number of documents by their set of labels.
    """
    wanted = list(shares)
    has = numpy.array([[name in own for name in wanted] for own in labels], dtype=bool)
    has = has.reshape(len(labels), len(wanted))
    numbers = numpy.array(list(labels.values()))
    for i, name in enumerate(wanted):
        if not has[:, i].any():
            what = f"oversample: no document to repeat has the label {name}"
            raise UserError(f"{what}; leave it out")
    share = numpy.array([shares[name] for name in wanted])
    factors = numpy.ones(len(wanted))
    for _ in range(ROUNDS):
        often = numpy.where(has, factors, 1.0).max(axis=1, initial=1.0) * numbers
        lack = share * often.sum() / (often[:, None] * has).sum(0)
        if (lack <= CLOSE).all():
            break
        factors *= numpy.maximum(lack, 1)
    if factors.max(initial=1.0) > MOST or (lack > 1.01).any():
        shown = ", ".join(f"{name}={shares[name]}" for name in wanted)
        what = f"oversample = {shown}: repeating documents cannot reach these shares"
        raise UserError(f"{what}; ask for less")
    return dict(zip(wanted, factors.tolist()))


def split_evenly(
    items: Iterable[T],
    document_of: Callable[[T], str],
    shares: Sequence[float],
    seed: int,
) -> Iterator[tuple[int, T]]:
    """Draw a part for each document, such that the shares are exact up to one document.
    `document_of` names the document of an item, which stays together."""
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
