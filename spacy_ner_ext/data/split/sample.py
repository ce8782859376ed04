"""Draw documents, and repeat those with rare labels."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
