"""Confidence intervals by resampling documents (Efron and Tibshirani 1993).

A resample draws as many documents as there are, with replacement. Documents with the
same counts are alike for this, so each kind of counts is kept once, with how many
documents have it: how often a kind is drawn is multinomial.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Generic, TypeVar

import numpy

from ...scorers.counts import N_COUNTS

Key = TypeVar("Key", bound=Hashable)
# Numbers of one array of weights, about 32 MB.
CHUNK = 4_000_000


class CountRows(Generic[Key]):
    """Counts of each document, by key.

    A key is what has a score of its own, such as a metric and a label.
    """

    def __init__(self) -> None:
        self._ids: dict[Key, int] = {}
        self._rows: dict[bytes, int] = {}

    def add(self, counts: Mapping[Key, Sequence[int]]) -> None:
        """Add a document.

        counts: Gold, predicted, found, right, of each key that is in it.
        """
        ids = self._ids
        row = sorted((ids.setdefault(key, len(ids)), *counts[key]) for key in counts)
        packed = numpy.array(row, dtype="int32").tobytes()
        self._rows[packed] = self._rows.get(packed, 0) + 1

    @property
    def keys(self) -> list[Key]:
        """The keys, in the order in which they came."""
        return list(self._ids)

    @property
    def repeats(self) -> numpy.ndarray:
        """How many documents have each kind of counts."""
        return numpy.array(list(self._rows.values()), dtype="int64")

    def sums(self, weights: numpy.ndarray) -> numpy.ndarray:
        """Add the counts of documents up.

        weights: How often each kind of counts is there, of shape (n, n_kinds).
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
        """The rows that have a key, and their counts of it."""
        width = 1 + N_COUNTS
        kinds = [numpy.frombuffer(row, "int32") for row in self._rows]
        parts = [kind.reshape(-1, width) for kind in kinds]
        if not parts:
            return
        rows = numpy.repeat(numpy.arange(len(parts)), [len(part) for part in parts])
        entries = numpy.concatenate(parts)
        order = numpy.argsort(entries[:, 0], kind="stable")
        rows, entries = rows[order], entries[order]
        boundaries = numpy.searchsorted(entries[:, 0], numpy.arange(len(self._ids) + 1))
        for start, end in pairwise(boundaries):
            yield rows[start:end], entries[start:end, 1:].astype("float64")


def draw_weights(
    repeats: numpy.ndarray, resamples: int, seed: int = 0
) -> Iterator[numpy.ndarray]:
    """Draw documents with replacement, as many as there are.

    repeats: How many documents are alike, of each kind; ones if each document is a kind
        of its own.
    seed: The seed of the random generator.
    YIELDS: How often each kind is drawn, floats, of shape (n, n_kinds); some resamples
        at a time, in flat memory.
    """
    total = int(repeats.sum())
    generator = numpy.random.default_rng(seed)
    chunk = max(1, CHUNK // max(1, len(repeats)))
    for start in range(0, resamples if total else 0, chunk):
        n = min(chunk, resamples - start)
        yield generator.multinomial(total, repeats / total, size=n).astype("float64")


def interval(values: numpy.ndarray, confidence: float) -> numpy.ndarray:
    """The percentile interval of resampled values.

    values: The values, resamples first; NaN where one is not defined.
    confidence: The share of the values between the boundaries.
    RETURNS: The lower boundaries and the upper ones, of shape (2, ...); NaN where no
        value is defined.
    """
    tail = (1 - confidence) / 2
    flat = values.reshape(len(values), -1)
    boundaries = numpy.full((2, flat.shape[1]), numpy.nan)
    defined = ~numpy.isnan(flat)
    for column in numpy.flatnonzero(defined.any(axis=0)):
        kept = flat[defined[:, column], column]
        boundaries[:, column] = numpy.quantile(kept, [tail, 1 - tail])
    return boundaries.reshape(2, *values.shape[1:])
