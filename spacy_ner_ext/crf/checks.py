"""What `crf_ner` tells about its training data when it is initialized."""

from collections.abc import Iterable, Sequence

from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import logger

from ..pipes.gold import describe_counts
from .gold import LostGold, gold_tags
from .tags import TagSet


def report_lost_gold(
    name: str, tags: TagSet, keys: Sequence[str], examples: Iterable[Example]
) -> list[Doc]:
    """Count and log the gold that the tags cannot hold.

    name: The name of the component.
    keys: Where gold is: "ents" and span groups.
    RETURNS: The first ten documents that have tokens.
    """
    lost = LostGold()
    sample: list[Doc] = []
    for example in examples:
        if len(sample) < 10 and len(example.x):
            sample.append(example.x)
        gold_tags(example, tags, keys, lost)
    for counts, reason in lost.describe(tags):
        if counts:
            logger.warning(
                "%s: %d gold entities are left out of training (%s): %s.",
                name,
                counts.total(),
                describe_counts(counts),
                reason,
            )
    return sample
