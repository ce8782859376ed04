"""Gold entities as labels of candidate spans."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy
from spacy.training import Example

from ..encoder.pieces import Ints
from ..pipes.gold import read_gold
from .candidates import Spans
from .windows import DocWords, words_before

OUTSIDE = 0
MISSING = -1


@dataclass
class LostGold:
    """Counts of gold entities that are not candidates.

    n_gold: All entities.
    too_long: By number of words: more than entity_max_length.
    no_window: By number of words: more pieces than a window holds.
    misaligned: By label: not at word boundaries.
    crossing: By label: across a sentence boundary.
    conflicting: By label: another entity has the same boundaries.
    other: By label: not a label of the component.
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
    words: DocWords,
    spans: Spans,
    labels: Sequence[str],
    keys: Sequence[str],
    max_words: int,
    lost: LostGold | None = None,
) -> Ints:
    """Find the gold label of each candidate: its number, from 1; OUTSIDE; or MISSING if
    one of its words is not annotated.

    words, spans: All candidates of the predicted documents, in their order.
    keys: The span keys of gold entities.
    lost: Counts entities that are not candidates.
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
            first, last = offset + int(before[start]), offset + int(before[end]) - 1
            finder.add(first, last, label)
    n_unknown = numpy.concatenate([[0], numpy.cumsum(unknown)])
    touched = n_unknown[spans.last + 1] > n_unknown[spans.first]
    targets = finder.targets
    targets[touched & (targets == OUTSIDE)] = MISSING
    return targets


class _Finder:
    """Finds the candidates of entities, and counts entities that have none."""

    def __init__(
        self,
        words: DocWords,
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
        # Candidates are sorted by their first word, then by their last.
        self.base = int(words.doc_starts[-1]) + 1
        self.codes = spans.first * self.base + spans.last

    def add(self, first: int, last: int, label: str) -> None:
        """Add an entity, from its first to its last word."""
        code = first * self.base + last
        place = int(numpy.searchsorted(self.codes, code))
        width, lost = last - first + 1, self.lost
        if label not in self.numbers:
            lost.other[label] += 1
        elif width < 1:
            lost.misaligned[label] += 1
        elif width > self.max_words:
            lost.too_long[width] += 1
        elif self.sentence_of[first] != self.sentence_of[last]:
            lost.crossing[label] += 1
        elif place == len(self.codes) or self.codes[place] != code:
            lost.no_window[width] += 1
        elif self.targets[place] != OUTSIDE:
            lost.conflicting[label] += 1
        else:
            self.targets[place] = self.numbers[label]
