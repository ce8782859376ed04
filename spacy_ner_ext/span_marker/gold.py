"""Gold entities as labels of spans, and a count of those that no span can hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy
from spacy.training import Example

from ..encoder.pieces import Ints
from ..pipes.gold import read_gold
from .candidates import Spans
from .windows import Words
from .words import words_before

OUTSIDE = 0
IGNORED = -1


@dataclass
class LostGold:
    """Gold entities that are no candidates.

    n_gold: All entities.
    too_long: By their number of words: more than entity_max_length.
    no_window: By their number of words: a window cannot hold them.
    misaligned: By label: their boundaries are not boundaries of words.
    crossing: By label: they cross the border of a sentence.
    conflicting: By label: another entity has the same boundaries.
    other: By label, which is not one of the component's.
    """

    n_gold: int = 0
    too_long: Counter[int] = field(default_factory=Counter)
    no_window: Counter[int] = field(default_factory=Counter)
    misaligned: Counter[str] = field(default_factory=Counter)
    crossing: Counter[str] = field(default_factory=Counter)
    conflicting: Counter[str] = field(default_factory=Counter)
    other: Counter[str] = field(default_factory=Counter)


def label_spans(
    examples: Sequence[Example],
    words: Words,
    spans: Spans,
    labels: Sequence[str],
    keys: Sequence[str],
    max_words: int,
    lost: LostGold | None = None,
) -> Ints:
    """Find the gold label of each span.

    words: The words of their predicted documents.
    spans: All candidates there, in their order.
    keys: Where gold is: "ents" and span groups.
    max_words: The most words of a candidate.
    RETURNS: For each span the number of its label, from 1; OUTSIDE, or IGNORED where
        nothing is known about one of its words. Shape (n_spans,).
    """
    lost = LostGold() if lost is None else lost
    n_words = int(words.doc_starts[-1])
    unknown = numpy.zeros(n_words, dtype=bool)
    finder = _Finder(words, spans, labels, max_words, lost)
    for i, example in enumerate(examples):
        gold = read_gold(example, keys)
        before = words_before(example.predicted)
        offset = int(words.doc_starts[i])
        is_word = numpy.diff(before) > 0
        unknown[offset : offset + int(before[-1])] = gold.missing[is_word]
        lost.n_gold += len(gold.spans) + len(gold.misaligned)
        lost.misaligned.update(label for _, label in gold.misaligned)
        for start, end, label in gold.spans:
            finder.add(
                offset + int(before[start]), offset + int(before[end]) - 1, label
            )
    n_unknown = numpy.concatenate([[0], numpy.cumsum(unknown)])
    touched = n_unknown[spans.last + 1] > n_unknown[spans.first]
    targets = finder.targets
    targets[touched & (targets == OUTSIDE)] = IGNORED
    return targets


class _Finder:
    """Finds the candidates that entities are, and counts entities that are none."""

    def __init__(
        self,
        words: Words,
        spans: Spans,
        labels: Sequence[str],
        max_words: int,
        lost: LostGold,
    ) -> None:
        self.spans, self.max_words, self.lost = spans, max_words, lost
        self.numbers = {label: i for i, label in enumerate(labels, 1)}
        self.targets = numpy.full(len(spans), OUTSIDE, dtype="int64")
        lengths = numpy.diff(words.sentences).ravel()
        self.sentence_of = numpy.repeat(numpy.arange(len(lengths)), lengths)
        # Candidates come by their first word, then by their last.
        self.base = int(words.doc_starts[-1]) + 1
        self.codes = spans.first * self.base + spans.last

    def add(self, first: int, last: int, label: str) -> None:
        """Add an entity, from its first to its last word."""
        place = int(numpy.searchsorted(self.codes, first * self.base + last))
        width, lost = last - first + 1, self.lost
        if label not in self.numbers:
            lost.other[label] += 1
        elif width < 1:
            lost.misaligned[label] += 1
        elif width > self.max_words:
            lost.too_long[width] += 1
        elif self.sentence_of[first] != self.sentence_of[last]:
            lost.crossing[label] += 1
        elif not self._is_candidate(place, first, last):
            lost.no_window[width] += 1
        elif self.targets[place] != OUTSIDE:
            lost.conflicting[label] += 1
        else:
            self.targets[place] = self.numbers[label]

    def _is_candidate(self, place: int, first: int, last: int) -> bool:
        spans = self.spans
        return place < len(spans) and (
            int(spans.first[place]) == first and int(spans.last[place]) == last
        )
