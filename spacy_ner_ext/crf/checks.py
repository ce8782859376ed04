"""What `crf_ner` tells about its training data when it is initialized."""

from collections.abc import Iterable, Sequence
from typing import Optional

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import logger

from ..labels import TagSet
from ..spans import ENTS, describe
from .gold import LostGold, gold_tags


def check_groups(name: str, keys: Sequence[str], examples: Iterable[Example]) -> None:
    """Check that the span groups to learn from exist.

    name (str): The name of the component.
    keys (Sequence[str]): Where gold is: "ents" and span groups.
    examples (Iterable[Example]): The training data.
    RAISES (ValueError): If no example has one of the groups.
    """
    absent = {key for key in keys if key != ENTS}
    groups: set[str] = set()
    for example in examples if absent else ():
        groups.update(example.reference.spans)
    absent -= groups
    if absent:
        names, known = ", ".join(sorted(absent)), ", ".join(sorted(groups))
        raise ValueError(
            f"'{name}' learns from the span group {names}, but no training document "
            "has it: set target to 'ents' or to one of the groups of the corpus "
            f"({known or 'it has none'})."
        )


def report_lost_gold(
    name: str, tags: TagSet, keys: Sequence[str], examples: Iterable[Example]
) -> list[Doc]:
    """Count and log the gold that the tags cannot hold.

    name (str): The name of the component.
    tags (TagSet): The tags.
    keys (Sequence[str]): Where gold is: "ents" and span groups.
    examples (Iterable[Example]): The training data.
    RETURNS (List[Doc]): The first ten documents that have tokens.
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
                describe(counts),
                reason,
            )
    return sample


def warn_about_score_weights(
    name: str, keys: Sequence[str], nlp: Optional[Language]
) -> None:
    """Log if doc.ents is not written, but the best model would be chosen by it.

    name (str): The name of the component.
    keys (Sequence[str]): Where predictions go.
    nlp (Optional[Language]): The pipeline.
    """
    if nlp is None or ENTS in keys:
        return
    weights = nlp.config.get("training", {}).get("score_weights", {})
    if not any(key.startswith("spans_") and value for key, value in weights.items()):
        logger.warning(
            "%s writes to %s and not to doc.ents: choose the best model with "
            "[training.score_weights] spans_NAME_f = 1.0 in place of ents_f.",
            name,
            ", ".join(keys),
        )
