"""Registered scorers."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy
from spacy import registry
from spacy.scorer import Scorer
from spacy.tokens import Doc, Span
from spacy.training import Example

from ..pipes.gold import missing_tokens
from ..pipes.spans import ENTS, PER_LABEL, read_spans
from .counts import COUNTERS, EXACT, Totals, averages, rates


@registry.scorers("spacy_ner_ext.ner_scorer.v1")
def make_ner_scorer() -> Callable[..., dict[str, Any]]:
    """A scorer of named entities in doc.ents and in span groups."""
    return ner_score


def ner_score(
    examples: Iterable[Example],
    *,
    target: str | Sequence[str] = ENTS,
    annotate: str | Sequence[str] | None = None,
    labels: Sequence[str] = (),
    **_: Any,
) -> dict[str, Any]:
    """Precision, recall and F-score of entities: exact, by overlap, and by token.

    Entities are compared with the gold that the component learns from. As in
    spaCy's own scorer, a prediction over tokens without annotation counts
    neither as right nor as wrong.

    target: Where gold is, as in the component.
    labels: Labels of the component, for "*" in `annotate`.
    RETURNS: For doc.ents `ents_p`, `ents_r`, `ents_f` and `ents_per_type` of exact
        entities, same boundaries and same label; `ents_macro_p`, `ents_macro_r` and
        `ents_macro_f`, their means over labels; and the same as the first four as
        `ents_overlap_...` (a Dice coefficient of at least one half) and
        `ents_token_...`. For each span group as `spans_NAME_...`. All are numbers, 0.0
        where there is neither gold nor prediction, and None for `..._per_type` there.
    """
    examples = list(examples)
    gold_keys = _as_list(target)
    scores: dict[str, Any] = {}
    for key in gold_keys if annotate is None else _as_list(annotate):
        if key == PER_LABEL:
            for label in labels:
                part = score_place(examples, gold_keys, label, only=label)
                scores.update(_with_prefix(part, f"spans_{label}"))
        else:
            part = score_place(examples, gold_keys, key)
            scores.update(_with_prefix(part, key if key == ENTS else f"spans_{key}"))
    return scores


def _as_list(keys: str | Sequence[str]) -> list[str]:
    return [keys] if isinstance(keys, str) else list(keys)


def _with_prefix(scores: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {f"{prefix}_{name}": value for name, value in scores.items()}


def score_place(
    examples: Iterable[Example],
    gold_keys: Sequence[str],
    key: str,
    only: str | None = None,
) -> dict[str, Any]:
    """Score what was predicted in one place.

    key: Where predictions are: "ents" or a span group.
    only: Leave out gold of other labels.
    RETURNS: "p", "r", "f" and "per_type", the first three with "macro_", and all with
        "overlap_" and "token_".
    """
    totals = {metric: Totals() for metric in COUNTERS}
    for example in examples:
        compared = compare(example, gold_keys, [key])
        gold = [_key(s) for s in compared.gold if only in (None, s.label_)]
        predicted = [(start, end, s.label_) for start, end, s in compared.predicted]
        for metric, count in COUNTERS.items():
            totals[metric].add(count(gold, predicted))
    scores: dict[str, Any] = {}
    for metric, total in totals.items():
        # Its scores have no name of their own.
        prefix = "" if metric == EXACT else f"{metric}_"
        mean = averages(total.array())
        scores.update(_named(mean["micro"], prefix))
        scores[f"{prefix}per_type"] = _per_type(total)
        if metric == EXACT:
            scores.update(_named(mean["macro"], "macro_"))
    return scores


def _named(values: numpy.ndarray, prefix: str = "") -> dict[str, float]:
    return {f"{prefix}{name}": value for name, value in zip("prf", values.tolist())}


def _per_type(total: Totals) -> dict[str, dict[str, float]] | None:
    rows = rates(total.array())
    return {label: _named(row) for label, row in zip(total.labels, rows)} or None


@dataclass(frozen=True)
class Compared:
    """Gold and predictions of an example, on the tokens of its reference.

    gold: The gold spans.
    predicted: First token, end (exclusive) and span of each prediction that is right or
        wrong.
    unjudged: Predictions over tokens without annotation.
    unaligned: Predictions over white space that the reference does not have.
    """

    gold: list[Span]
    predicted: list[tuple[int, int, Span]]
    unjudged: int = 0
    unaligned: int = 0


def compare(
    example: Example, gold_keys: Sequence[str], keys: Sequence[str]
) -> Compared:
    """Put gold and predictions side by side, as spaCy's scorer does.

    gold_keys: Where gold is: "ents" and span groups.
    """
    spans = read_spans(example.predicted, keys)
    aligned = _align(example, spans) if spans else []
    missing = missing_tokens(example.reference, gold_keys)
    known = [each for each in aligned if not missing[each[0] : each[1]].any()]
    gold = read_spans(example.reference, gold_keys)
    unaligned = len(spans) - len(aligned)
    return Compared(gold, known, len(aligned) - len(known), unaligned)


def _key(span: Span) -> tuple[int, int, str]:
    return span.start, span.end, span.label_


def _align(example: Example, spans: Sequence[Span]) -> list[tuple[int, int, Span]]:
    """Predicted spans on the tokens of the reference, where several may meet."""
    reference: Doc = example.reference
    # Each access compares the words of both documents.
    x2y = example.alignment.x2y
    found = []
    for span in spans:
        aligned = x2y[span.start : span.end]
        if len(aligned):
            last = min(int(aligned[-1]) + 1, len(reference))
            found.append((int(aligned[0]), last, span))
    return found


@registry.scorers("spacy_ner_ext.tagger_scorer.v1")
def make_tagger_scorer() -> Callable[..., dict[str, Any]]:
    """A scorer of token.tag_ or token.pos_."""
    return tagger_score


def tagger_score(
    examples: Iterable[Example], *, target: str = "tag", **_: Any
) -> dict[str, Any]:
    """Accuracy of tags, as in spaCy's own scorer: white space and tokens without gold
    do not count.

    target: Where gold and predictions are, "tag" or "pos".
    RETURNS: `tag_acc` or `pos_acc`; None where there is no gold.
    """
    return Scorer.score_token_attr(examples, target)
