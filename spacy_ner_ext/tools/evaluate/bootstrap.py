"""Confidence intervals from resampled documents (Efron and Tibshirani 1993).

A resample draws as many documents as the corpus has, with replacement. Documents with
equal counts are interchangeable, so each distinct set of counts is stored once with its
number of documents, and the number of times it is drawn is multinomial.
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Generic, TypeVar

import numpy

from ...scorers.counts import N_COUNTS

Key = TypeVar("Key", bound=Hashable)
# The most numbers in one array of weights, about 32 MB.
CHUNK = 4_000_000


class CountRows(Generic[Key]):
    """Counts of each document by key, which is anything with its own score, such as a
    metric and a label. The distinct counts are the rows."""

    def __init__(self) -> None:
        self._ids: dict[Key, int] = {}
        self._rows: dict[bytes, int] = {}

    def add(self, counts: Mapping[Key, Sequence[int]]) -> None:
        """Add gold, predicted, found and right of each key of a document."""
        ids = self._ids
        row = sorted((ids.setdefault(key, len(ids)), *counts[key]) for key in counts)
        packed = numpy.array(row, dtype="int32").tobytes()
        self._rows[packed] = self._rows.get(packed, 0) + 1

    @property
    def keys(self) -> list[Key]:
        """The keys in order of appearance."""
        return list(self._ids)

    @property
    def repeats(self) -> numpy.ndarray:
        """The number of documents in each row."""
        return numpy.array(list(self._rows.values()), dtype="int64")

    def sums(self, weights: numpy.ndarray) -> numpy.ndarray:
        """Sum the counts of rows with weights of shape (n, n_rows).

        RETURNS: The sums, of shape (n, n_keys, 4).
        """
        total = numpy.zeros((len(weights), len(self._ids), N_COUNTS))
        for key, (rows, values) in enumerate(self._by_key()):
            total[:, key] = weights[:, rows] @ values
        return total

    def total(self) -> numpy.ndarray:
        """The sums over all documents, of shape (n_keys, 4)."""
        return self.sums(self.repeats[None].astype("float64"))[0]

    def _by_key(self) -> Iterator[tuple[numpy.ndarray, numpy.ndarray]]:
        """The numbers of the rows with a key, and their counts of it."""
        width = 1 + N_COUNTS
        parts = [
            numpy.frombuffer(row, "int32").reshape(-1, width) for row in self._rows
        ]
        if not parts:
            return
        rows = numpy.repeat(numpy.arange(len(parts)), [len(part) for part in parts])
        entries = numpy.concatenate(parts)
        order = numpy.argsort(entries[:, 0], kind="stable")
        rows, entries = rows[order], entries[order]
        ends = numpy.searchsorted(entries[:, 0], numpy.arange(len(self._ids) + 1))
        for start, end in pairwise(ends):
            yield rows[start:end], entries[start:end, 1:].astype("float64")


def draw_weights(
    repeats: numpy.ndarray, resamples: int, seed: int = 0
) -> Iterator[numpy.ndarray]:
    """Draw documents with replacement, as many as the corpus has.

    repeats: The number of documents in each row.
    YIELDS: How often each row is drawn, floats of shape (n, n_rows), in chunks of
        resamples that bound the memory.
    """
    total = int(repeats.sum())
    generator = numpy.random.default_rng(seed)
    chunk = max(1, CHUNK // max(1, len(repeats)))
    for start in range(0, resamples if total else 0, chunk):
        n = min(chunk, resamples - start)
        yield generator.multinomial(total, repeats / total, size=n).astype("float64")


def interval(values: numpy.ndarray, confidence: float) -> numpy.ndarray:
    """Compute percentile intervals over the first axis, which are the resamples.

    values: The values, NaN where one is undefined.
    RETURNS: The lower and upper ends, of shape (2, ...), NaN without any defined value.
    """
    tail = (1 - confidence) / 2
    flat = values.reshape(len(values), -1)
    ends = numpy.full((2, flat.shape[1]), numpy.nan)
    defined = ~numpy.isnan(flat)
    for column in numpy.flatnonzero(defined.any(axis=0)):
        kept = flat[defined[:, column], column]
        ends[:, column] = numpy.quantile(kept, [tail, 1 - tail])
    return ends.reshape(2, *values.shape[1:])
