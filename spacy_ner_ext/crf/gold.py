"""Gold annotation as tags, and existing entities as constraints on tags."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy
from spacy.tokens import Doc
from spacy.training import Example

from ..pipes.gold import read_gold
from ..pipes.spans import ENTS, blocked_tokens, expand, read_spans
from .tags import MISSING, TagSet, keep_longest


@dataclass
class LostGold:
    """Gold entities that the tags cannot hold, counted by label.

    misaligned: Their boundaries are not boundaries of tokens.
    overlapping: They overlap a longer entity of the same chain.
    other: Their label is not one of the component's.
    """

    misaligned: Counter[str] = field(default_factory=Counter)
    overlapping: Counter[str] = field(default_factory=Counter)
    other: Counter[str] = field(default_factory=Counter)

    def describe(self, tags: TagSet) -> Iterable[tuple[Counter[str], str]]:
        """Each count with what it means and the setting that would keep them."""
        if tags.structure == "flat":
            overlap = (
                "they overlap a longer entity; "
                'set structure = "per_label" to keep overlaps of different labels'
            )
        else:
            overlap = (
                "they overlap a longer entity of the same label, which no "
                "sequence of tags can hold"
            )
        yield (
            self.misaligned,
            "their boundaries are not boundaries of tokens, so their tokens count as "
            "unannotated; see `python -m spacy_ner_ext check`",
        )
        yield self.overlapping, overlap
        yield (
            self.other,
            "their labels are not among those given to initialize, so they count "
            "as no entity; add them to [initialize.components] to keep them",
        )


def gold_tags(
    example: Example, tags: TagSet, keys: Sequence[str], lost: LostGold | None = None
) -> numpy.ndarray:
    """Write the gold entities of an example as tags of its predicted tokens.

    keys: Where gold is: "ents" and span groups.
    RETURNS: Tags, (n_words, n_chains); MISSING where unknown.
    """
    gold = read_gold(example, keys)
    known = [span for span in gold.spans if span[2] in tags.index]
    kept, overlapping = keep_longest(known, tags)
    array = tags.encode(kept, len(example.predicted))
    array[gold.missing] = MISSING
    # What is left of a span without a place is part of an entity, and not O.
    for start, end, label in overlapping:
        cells = array[start:end, tags.locate(label)[0]]
        cells[cells == 0] = MISSING
    if lost is not None:
        lost.misaligned.update(label for _, label in gold.misaligned)
        lost.overlapping.update(label for _, _, label in overlapping)
        lost.other.update(s[2] for s in gold.spans if s[2] not in tags.index)
    return array


def constrain(
    docs: Sequence[Doc], tags: TagSet, keys: Sequence[str]
) -> numpy.ndarray | None:
    """The tags that are open if existing entities are kept.

    Entities of the component's labels keep their tags. Entities of other labels
    and blocked tokens of doc.ents are O, if predictions go to doc.ents.

    RETURNS: Bools, (n_words, n_chains * n_tags); None if there is nothing to keep.
    """
    if not any(doc.spans or doc.has_annotation("ENT_IOB") for doc in docs):
        return None
    places = expand(keys, tags.labels)
    masks = [_constrain_one(doc, tags, places) for doc in docs]
    return numpy.concatenate(masks).reshape(sum(map(len, docs)), -1)


def _constrain_one(doc: Doc, tags: TagSet, places: Sequence[str]) -> numpy.ndarray:
    allowed = numpy.ones((len(doc), tags.n_chains, tags.n_tags), dtype=bool)
    if ENTS in places:
        outside = blocked_tokens(doc)
        outside += [t for ent in doc.ents for t in range(ent.start, ent.end)]
        allowed[outside, :, 1:] = False
    own = [(s.start, s.end, s.label_) for s in read_spans(doc, places)]
    kept, _ = keep_longest([span for span in own if span[2] in tags.index], tags)
    for start, end, label in kept:
        chain, begin_tag = tags.locate(label)
        allowed[start:end, chain] = False
        string = tags.tag_string(begin_tag, end - start)
        allowed[numpy.arange(start, end), chain, string] = True
        if tags.scheme == "iob2" and end < len(doc):
            allowed[end, chain, begin_tag + 1] = False
    return allowed
