"""Gold entities as labels of candidate spans, and those that are not candidates."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy
from spacy.language import Language
from spacy.training import Example
from spacy.util import logger, registry
from wasabi import table

from ..encoder.pieces import Ints
from ..pipes.gold import describe_counts, read_gold
from .candidates import Spans
from .windows import DocWords, words_before

OUTSIDE = 0
MISSING = -1


@dataclass
class LostGold:
    """Counts of gold entities that are not candidates, by number of words or label."""

    n_gold: int = 0  # all entities
    too_long: Counter[int] = field(default_factory=Counter)
    no_window: Counter[int] = field(default_factory=Counter)  # too many pieces
    misaligned: Counter[str] = field(default_factory=Counter)
    crossing: Counter[str] = field(default_factory=Counter)  # a sentence boundary
    conflicting: Counter[str] = field(default_factory=Counter)  # same boundaries
    other: Counter[str] = field(default_factory=Counter)  # unknown labels


def label_spans(
    examples: Sequence[Example],
    words: DocWords,
    spans: Spans,
    labels: Sequence[str],
    keys: Sequence[str],
    max_words: int,
    lost: LostGold | None = None,
) -> Ints:
    """Find the gold label of each candidate, in their order: its number, from 1;
    OUTSIDE; or MISSING if one of its words is not annotated. `lost` counts entities
    that are not candidates."""
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


def report_lost_gold(name: str, split: str, lost: LostGold, max_words: int) -> None:
    """Log the entities of "train" or "dev" that a component cannot learn or find."""
    lengths = lost.too_long + lost.no_window
    if lengths:
        n_lost, share = lengths.total(), lengths.total() / lost.n_gold
        verb = "will not learn" if split == "train" else "cannot find"
        logger.warning(
            "%s %s %d of %d entities of %s (%.2f %%): they have more than "
            "entity_max_length = %d words, or more pieces than model_max_length "
            "allows. Raise these to keep them.\n%s",
            *(name, verb, n_lost, lost.n_gold, split, 100 * share, max_words),
            _table_of(lost),
        )
    reasons = {
        "misaligned": "their boundaries are not boundaries of words, so their words "
        "count as unannotated; see `python -m spacy_ner_ext check`",
        "crossing": "they cross the boundary of a sentence; correct the sentences, or "
        "remove them from the corpus",
        "conflicting": "another entity has the same boundaries, and a span has one "
        "label; use spancat with spacy_ner_ext.SpanMarker.v1 for several",
        "other": "their labels are not among those given to initialize, so they count "
        "as no entity; add them to [initialize.components] to keep them",
    }
    for kind, reason in reasons.items():
        counts = getattr(lost, kind)
        if counts:
            logger.warning(
                "%s: %d gold entities of %s are left out (%s): %s.",
                *(name, counts.total(), split, describe_counts(counts), reason),
            )


def _table_of(lost: LostGold) -> str:
    rows = [
        (width, lost.too_long[width], lost.no_window[width])
        for width in sorted(lost.too_long | lost.no_window)
    ]
    shown = [(*row, f"{100 * (row[1] + row[2]) / lost.n_gold:.2f}") for row in rows]
    header = ("words", "too long", "no window", "% of all")
    return table(shown, header=header, divider=True, aligns=("r", "r", "r", "r"))


def dev_examples(nlp: Language | None) -> Iterable[Example]:
    """Read the development corpus of a pipeline's config; no examples without one."""
    if nlp is None:
        return []
    config = nlp.config.interpolate()
    name = config.get("training", {}).get("dev_corpus")
    reader = config.get("corpora", {}).get((name or "").removeprefix("corpora."), {})
    if not name or not reader.get("path"):
        return []
    return registry.resolve({"corpus": reader})["corpus"](nlp)
