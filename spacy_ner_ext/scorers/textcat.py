"""A registered scorer of text categories."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from spacy import registry
from spacy.scorer import PRFScore, Scorer
from spacy.training import Example

THRESHOLD = 0.5


@registry.scorers("spacy_ner_ext.textcat_scorer.v1")
def make_textcat_scorer(multi_label: bool = False) -> Callable[..., dict[str, Any]]:
    """A scorer for `textcat` and `textcat_multilabel` with accuracy and weighted F1.

    multi_label: Whether a text may have several categories, or none.
    """

    def score(examples: Iterable[Example], **settings: Any) -> dict[str, Any]:
        settings["multi_label"] = multi_label
        return textcat_score(examples, **settings)

    return score


@registry.scorers("spacy_ner_ext.cats_weighted.v1")
def make_cats_weighted(multi_label: bool = False) -> Callable[..., dict[str, Any]]:
    """The same scorer, whose main score is the weighted F1: `cats_score`, by which
    spaCy's `textcat` chooses the best model unless score_weights say otherwise.

    multi_label: Whether a text may have several categories, or none.
    """
    score_all = make_textcat_scorer(multi_label)

    def score(examples: Iterable[Example], **settings: Any) -> dict[str, Any]:
        scores = score_all(examples, **settings)
        scores["cats_score"] = scores["cats_weighted_f"]
        scores["cats_score_desc"] = "weighted F"
        return scores

    return score


def textcat_score(
    examples: Iterable[Example],
    *,
    labels: Sequence[str] = (),
    multi_label: bool = False,
    threshold: float | None = None,
    **settings: Any,
) -> dict[str, Any]:
    """All scores of spaCy's own scorer of categories, and two that are usual elsewhere.

    examples: The examples; those without gold categories do not count.
    multi_label: Whether a text may have several categories, or none.
    threshold: The lowest score of a category that is assigned, if there may be several;
        0.5 by default.
    **settings: What spaCy's scorer takes beside.
    RETURNS: spaCy's `cats_...` scores; `cats_accuracy`, the share of texts with exactly
        the right categories; `cats_weighted_p`, `cats_weighted_r` and
        `cats_weighted_f`, means over categories by their number of gold texts, as
        scikit-learn's "weighted". 0.0 where there is no gold.
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
    pairs = [
        (
            _chosen(example.reference.cats, labels, multi_label, THRESHOLD),
            _chosen(example.predicted.cats, labels, multi_label, limit),
        )
        for example in examples
        if example.reference.cats
    ]
    correct = sum(gold == predicted for gold, predicted in pairs)
    scores["cats_accuracy"] = correct / len(pairs) if pairs else 0.0
    return {**scores, **_weighted(pairs)}


def _chosen(
    cats: Mapping[str, float], labels: Sequence[str], multi_label: bool, limit: float
) -> frozenset[str]:
    known = {label: cats[label] for label in labels if label in cats}
    if multi_label:
        return frozenset(label for label, value in known.items() if value >= limit)
    return frozenset([max(known, key=known.__getitem__)] if known else [])


def _weighted(pairs: Sequence[tuple[frozenset[str], frozenset[str]]]) -> dict[str, Any]:
    support = Counter(label for gold, _ in pairs for label in gold)
    total = max(support.total(), 1)
    means = dict.fromkeys("prf", 0.0)
    for label, n in support.items():
        found = PRFScore()
        for gold, predicted in pairs:
            found.tp += label in gold and label in predicted
            found.fp += label not in gold and label in predicted
            found.fn += label in gold and label not in predicted
        values = (found.precision, found.recall, found.fscore)
        for name, value in zip("prf", values, strict=True):
            means[name] += value * n / total
    return {f"cats_weighted_{name}": value for name, value in means.items()}
