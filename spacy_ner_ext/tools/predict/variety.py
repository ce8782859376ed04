"""Choose texts of which a pipeline is uncertain, and that differ from one another."""

import heapq
import re
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import ceil, sqrt
from typing import Any

import numpy

from .items import TEXT

PER = ("text", "word")
# Texts in the pool for each that is chosen.
POOL = 20
# Texts with this share of their words in common are near-duplicates.
NEAR = 0.8
ROUNDS = 20
DIGITS = re.compile(r"\d+")


@dataclass(frozen=True, order=True)
class Candidate:
    """A text that may be chosen; the greatest is the most uncertain, and the first of
    equals."""

    uncertainty: float
    order: int  # minus its position in the input
    result: dict[str, Any] = field(compare=False)

    @cached_property
    def words(self) -> frozenset[str]:
        """Its words without case, and with all digits alike."""
        text = self.result[TEXT]
        tokens = [text[start:end] for start, end in self.result["tokens"]]
        words = {DIGITS.sub("0", token.casefold()).strip() for token in tokens}
        return frozenset(words - {""})

    def is_near(self, other: "Candidate") -> bool:
        """Whether it is almost the same text as another."""
        common = len(self.words & other.words)
        return common >= NEAR * (len(self.words) + len(other.words) - common)


class Pool:
    """The most uncertain of the texts that were seen, and the most uncertain with an
    entity of each label; none has exactly the words of another."""

    def __init__(self, number: int, per: str = PER[0]) -> None:
        self.number, self.per, self.seen = number, per, 0
        self.heap: list[Candidate] = []
        self.by_label: dict[str, Candidate] = {}
        self._known: set[frozenset[str]] = set()

    def add(self, result: dict[str, Any]) -> None:
        """Consider a text by its scores, see score_texts."""
        n_tokens = len(result["tokens"]) if self.per == "word" else 1
        uncertainty = result["uncertainty"] / max(n_tokens, 1)
        candidate = Candidate(uncertainty, -self.seen, {"index": self.seen, **result})
        self.seen += 1
        for label in result["likely"] if candidate.words else ():
            best = self.by_label.get(label, candidate)
            self.by_label[label] = max(best, candidate)
        is_full = len(self.heap) == POOL * self.number
        if is_full and candidate < self.heap[0]:
            return
        if not candidate.words or candidate.words in self._known:
            return
        self._known.add(candidate.words)
        heapq.heappush(self.heap, candidate)
        if is_full:
            self._known.discard(heapq.heappop(self.heap).words)

    def candidates(self) -> list[Candidate]:
        """The pool, the most uncertain first."""
        both = {each.order: each for each in [*self.heap, *self.by_label.values()]}
        return sorted(both.values(), reverse=True)


def choose(
    pool: Pool,
    vectors: Callable[[Sequence[dict[str, Any]]], numpy.ndarray],
) -> list[dict[str, Any]]:
    """Choose texts: for each label the most uncertain that may have it, if no other
    that is chosen does, the rarest label first; then the most uncertain of each
    cluster in turn. Near-duplicates of a text that is chosen are left out.

    vectors: Returns those of texts.
    RETURNS: The texts, the most uncertain first, and fewer if there are not so many.
    """
    candidates, chosen = pool.candidates(), list[Candidate]()
    for candidate in _in_order(candidates, chosen, vectors):
        if len(chosen) == pool.number:
            break
        if not any(candidate.is_near(other) for other in chosen):
            chosen.append(candidate)
    return [candidate.result for candidate in sorted(chosen, reverse=True)]


def _in_order(
    candidates: Sequence[Candidate],
    chosen: Sequence[Candidate],
    vectors: Callable[[Sequence[dict[str, Any]]], numpy.ndarray],
) -> Iterator[Candidate]:
    counts = Counter(label for each in candidates for label in each.result["likely"])
    for label in sorted(counts, key=lambda label: (counts[label], label)):
        for candidate in candidates:
            if any(label in each.result["likely"] for each in chosen):
                break
            if label in candidate.result["likely"]:
                yield candidate
    found: Any = vectors([each.result for each in candidates]) if candidates else []
    clusters: dict[int, deque[Candidate]] = {}
    for candidate, number in zip(candidates, cluster(found)):
        clusters.setdefault(int(number), deque()).append(candidate)
    while clusters:
        for number, members in list(clusters.items()):
            taken = len(chosen)
            while members and len(chosen) == taken:
                yield members.popleft()
            if not members:
                del clusters[number]


def cluster(vectors: Any) -> list[int]:
    """Group vectors by k-means over their directions from the mean; returns the cluster
    of each."""
    if not len(vectors):
        return []
    centered = vectors - numpy.mean(vectors, axis=0)
    lengths = numpy.linalg.norm(centered, axis=1, keepdims=True)
    points = (centered / numpy.maximum(lengths, 1e-9)).astype("float64")
    random, centers = numpy.random.default_rng(0), points[:1].copy()
    for _ in range(ceil(sqrt(len(points) / POOL)) - 1):
        distances = _distances(points, centers).min(axis=1)
        if not distances.sum():
            break
        new = random.choice(len(points), p=distances / distances.sum())
        centers = numpy.vstack([centers, points[new]])
    for _ in range(ROUNDS):
        nearest = _distances(points, centers).argmin(axis=1)
        for i in set(nearest.tolist()):
            centers[i] = points[nearest == i].mean(axis=0)
    return list(nearest.tolist())


def _distances(points: numpy.ndarray, centers: numpy.ndarray) -> numpy.ndarray:
    squares = (points**2).sum(axis=1)[:, None] + (centers**2).sum(axis=1)
    return numpy.maximum(squares - 2 * points @ centers.T, 0)
