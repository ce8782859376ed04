"""Scorer of text categories."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy
from spacy import registry
from spacy.scorer import Scorer
from spacy.training import Example

from .counts import averages

THRESHOLD = 0.5


@registry.scorers("spacy_ner_ext.textcat_scorer.v1")
def make_textcat_scorer(
    multi_label: bool = False, weighted: bool = False
) -> Callable[..., dict[str, Any]]:
    """Create a scorer for `textcat` and `textcat_multilabel`, see `textcat_score`.

    multi_label: Whether a text may have any number of categories.
    weighted: Whether `cats_score`, which selects the best model by default, is the
        weighted F-score.
    RETURNS: The scorer.
    """

    def score(examples: Iterable[Example], **settings: Any) -> dict[str, Any]:
        settings["multi_label"] = multi_label
        scores = textcat_score(examples, **settings)
        if weighted:
            scores["cats_score"] = scores["cats_weighted_f"]
            scores["cats_score_desc"] = "weighted F"
        return scores

    return score


@registry.scorers("spacy_ner_ext.cats_weighted.v1")
def make_cats_weighted(multi_label: bool = False) -> Callable[..., dict[str, Any]]:
    """The old name of `spacy_ner_ext.textcat_scorer.v1` with `weighted = true`."""
    return make_textcat_scorer(multi_label, weighted=True)


def textcat_score(
    examples: Iterable[Example],
    *,
    labels: Sequence[str] = (),
    multi_label: bool = False,
    threshold: float | None = None,
    **settings: Any,
) -> dict[str, Any]:
    """Score categories by accuracy and weighted averages, in addition to the scores of
    `spacy.scorer.Scorer.score_cats`.

    examples: The examples; those without gold categories are skipped.
    labels: The categories.
    multi_label: Whether a text may have any number of categories.
    threshold: Categories with at least this score are assigned, if `multi_label`; by
        default 0.5.
    **settings: Further arguments of `score_cats`.
    RETURNS: spaCy's `cats_...` scores; `cats_accuracy`, the share of texts with exactly
        the gold categories; `cats_weighted_p`, `cats_weighted_r` and `cats_weighted_f`,
        averages over categories weighted by their number of gold texts, as in
        scikit-learn. 0.0 without gold.
    """
    examples = list(examples)
    scores = Scorer.score_cats(
        examples,
        "cats",
        labels=labels,
        multi_label=multi_label,
        threshold=threshold,
        **settings,
    )
    limit = THRESHOLD if threshold is None else threshold
    gold, predicted, right = Counter[str](), Counter[str](), Counter[str]()
    n_texts = n_right = 0
    for example in examples:
        cats = example.reference.cats
        if cats:
            true = _assigned(cats, labels, multi_label, THRESHOLD)
            found = _assigned(example.predicted.cats, labels, multi_label, limit)
            n_texts, n_right = n_texts + 1, n_right + (true == found)
            gold.update(true)
            predicted.update(found)
            right.update(true & found)
    scores["cats_accuracy"] = n_right / max(1, n_texts)
    rows = [(gold[k], predicted[k], right[k], right[k]) for k in labels]
    means = averages(numpy.array(rows, dtype="float64").reshape(-1, 4))["weighted"]
    for name, value in zip("prf", means.tolist(), strict=True):
        scores[f"cats_weighted_{name}"] = value
    return scores


def _assigned(
    cats: Mapping[str, float], labels: Sequence[str], multi_label: bool, limit: float
) -> set[str]:
    known = {label: cats[label] for label in labels if label in cats}
    if multi_label:
        return {label for label, value in known.items() if value >= limit}
    return {max(known, key=known.__getitem__)} if known else set()
