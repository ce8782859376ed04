"""What `crf_tagger` tells about its training data when it is initialized."""

from collections import Counter
from collections.abc import Iterable, Sequence

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import logger

from ..pipes.gold import describe_counts


def survey(examples: Iterable[Example], target: str) -> tuple[Counter[str], list[Doc]]:
    """Look through the training data.

    target: Where gold is, "tag" or "pos".
    RETURNS: How often each gold tag occurs, and the first ten documents that have
        tokens.
    """
    counts: Counter[str] = Counter()
    sample: list[Doc] = []
    for example in examples:
        if len(sample) < 10 and len(example.x):
            sample.append(example.x)
        counts.update(getattr(token, f"{target}_") for token in example.y)
    counts.pop("", None)
    return counts, sample


def report_lost_tags(name: str, labels: Sequence[str], counts: Counter[str]) -> None:
    """Count and log the gold tags that are not among the labels.

    name: The name of the component.
    counts: How often each gold tag occurs.
    """
    lost = Counter({tag: n for tag, n in counts.items() if tag not in labels})
    if lost:
        logger.warning(
            "%s: %d gold tags are left out of training (%s): their labels are not "
            "among those given to initialize, so their tokens count as unannotated; "
            "add them to [initialize.components] to keep them.",
            name,
            lost.total(),
            describe_counts(lost),
        )


def warn_about_score_weights(name: str, target: str, nlp: Language | None) -> None:
    """Log if token.pos_ is written, but the best model would be chosen by token.tag_.

    name: The name of the component.
    target: Where predictions go, "tag" or "pos".
    """
    if nlp is None or target == "tag":
        return
    weights = nlp.config.get("training", {}).get("score_weights", {})
    if not weights.get("pos_acc"):
        logger.warning(
            "%s writes to token.pos_: choose the best model with "
            "[training.score_weights] pos_acc = 1.0 and tag_acc = null.",
            name,
        )
