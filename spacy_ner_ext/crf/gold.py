"""Gold entities as tags, and existing entities as constraints on tags."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import logger

from ..pipes.gold import describe_counts, read_gold
from ..pipes.spans import ENTS, blocked_tokens, expand, read_spans
from .tags import MISSING, OUTSIDE, TagSet, keep_longest

# Why tags cannot represent some gold entities.
MISALIGNED = (
    "they do not start and end at token boundaries, so their tokens count as "
    "unannotated; see `python -m spacy_ner_ext check`"
)
UNKNOWN = (
    "their labels are not among those given to initialize, so they count as outside of "
    "entities; add them to [initialize.components] to keep them"
)
OVERLAPPING = {
    "flat": (
        'they overlap a longer entity; set structure = "per_label" to keep overlaps of '
        "different labels"
    ),
    "per_label": (
        "they overlap a longer entity of the same label, which no sequence of tags can "
        "represent"
    ),
}
# Labels of skipped gold entities by the reason.
Skipped = dict[str, Counter[str]]


def gold_tags(
    example: Example, tags: TagSet, keys: Sequence[str], skipped: Skipped | None = None
) -> numpy.ndarray:
    """Encode the gold entities of an example as tags of its predicted tokens, shape
    (n_words, n_chains), MISSING where unknown; `skipped` is filled with the entities
    that the tags cannot represent."""
    gold = read_gold(example, keys)
    known = [span for span in gold.spans if span[2] in tags.index]
    kept, overlapping = keep_longest(known, tags)
    array = tags.encode(kept, len(example.predicted))
    array[gold.missing] = MISSING
    # The rest of an overlapping span is part of an entity, not outside.
    for start, end, label in overlapping:
        cells = array[start:end, tags.locate(label)[0]]
        cells[cells == OUTSIDE] = MISSING
    if skipped is not None:
        unknown = [label for *_, label in gold.spans if label not in tags.index]
        skipped[MISALIGNED].update(label for _, label in gold.misaligned)
        skipped[OVERLAPPING[tags.structure]].update(label for *_, label in overlapping)
        skipped[UNKNOWN].update(unknown)
    return array


def report_skipped_gold(
    name: str, tags: TagSet, keys: Sequence[str], examples: Iterable[Example]
) -> None:
    """Log the gold entities that the tags of the component `name` cannot represent."""
    skipped: Skipped = defaultdict(Counter)
    for example in examples:
        gold_tags(example, tags, keys, skipped)
    for reason, counts in skipped.items():
        if counts:
            logger.warning(
                "%s: %d gold entities are skipped in training (%s): %s.",
                *(name, counts.total(), describe_counts(counts), reason),
            )


def constrain(
    docs: Sequence[Doc], tags: TagSet, keys: Sequence[str]
) -> numpy.ndarray | None:
    """The tags that are allowed if existing entities are kept, bools, shape (n_words,
    n_chains * n_tags); None without existing entities.

    Entities of the component's labels keep their tags. If predictions are written to
    doc.ents, its entities of other labels and its blocked tokens are O.
    """
    if not any(doc.spans or doc.has_annotation("ENT_IOB") for doc in docs):
        return None
    keys = expand(keys, tags.labels)
    masks = [_constrain_one(doc, tags, keys) for doc in docs]
    return numpy.concatenate(masks).reshape(sum(map(len, docs)), -1)


def _constrain_one(doc: Doc, tags: TagSet, keys: Sequence[str]) -> numpy.ndarray:
    allowed = numpy.ones((len(doc), tags.n_chains, tags.n_tags), dtype=bool)
    if ENTS in keys:
        fixed = blocked_tokens(doc)
        fixed += [i for ent in doc.ents for i in range(ent.start, ent.end)]
        allowed[fixed] = numpy.arange(tags.n_tags) == OUTSIDE
    own = [(s.start, s.end, s.label_) for s in read_spans(doc, keys)]
    kept, _ = keep_longest([span for span in own if span[2] in tags.index], tags)
    for span in kept:
        tags.require(allowed, span)
    return allowed
