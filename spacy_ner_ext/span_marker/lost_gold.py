"""The log of `span_marker_ner` about gold entities that are not candidates."""

from __future__ import annotations

from collections.abc import Iterable

from spacy.language import Language
from spacy.training import Example
from spacy.util import logger, registry
from wasabi import table

from ..pipes.gold import describe_counts
from .gold import LostGold


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
