"""Scorers of named entities and of tags."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy
from spacy import registry
from spacy.scorer import Scorer
from spacy.tokens import Span
from spacy.training import Example

from ..pipes.gold import missing_tokens
from ..pipes.spans import ENTS, PER_LABEL, as_keys, read_spans
from .counts import COUNTERS, EXACT, Totals, averages, rates


@registry.scorers("spacy_ner_ext.ner_scorer.v1")
def make_ner_scorer() -> Callable[..., dict[str, Any]]:
    """Create a scorer of doc.ents and span groups, see `ner_score`."""
    return ner_score


def ner_score(
    examples: Iterable[Example],
    *,
    target: str | Sequence[str] = ENTS,
    annotate: str | Sequence[str] | None = None,
    labels: Sequence[str] = (),
    **_: Any,
) -> dict[str, Any]:
    """Score named entities: exact ones, overlaps, and tokens.

    As in spaCy's scorer, predictions over tokens without annotation are ignored.

    examples: The examples.
    target: Span keys of the gold entities, as in the component.
    annotate: Span keys of the predictions, as in the component.
    labels: The labels of the component, for "*" in `annotate`.
    RETURNS: For doc.ents `ents_p`, `ents_r`, `ents_f` and `ents_per_type` of entities
        with the same boundaries and label; `ents_macro_p`, `ents_macro_r` and
        `ents_macro_f`, averages over labels; and the first four as `ents_overlap_...`
        (Dice coefficient of at least one half) and `ents_token_...`. For each span
        group the same as `spans_NAME_...`. Scores are 0.0 to 1.0, and 0.0 where there
        is neither gold nor prediction, with None for `..._per_type`.
    """
    examples = list(examples)
    gold_keys = as_keys(target, "target")
    scores: dict[str, Any] = {}
    for key in gold_keys if annotate is None else as_keys(annotate, "annotate"):
        if key == PER_LABEL:
            for label in labels:
                part = _score_key(examples, gold_keys, label, only=label)
                scores.update(_with_prefix(part, f"spans_{label}_"))
        else:
            prefix = "ents_" if key == ENTS else f"spans_{key}_"
            part = _score_key(examples, gold_keys, key)
            scores.update(_with_prefix(part, prefix))
    return scores


def _with_prefix(scores: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {f"{prefix}{name}": value for name, value in scores.items()}


def _score_key(
    examples: Iterable[Example],
    gold_keys: Sequence[str],
    key: str,
    only: str | None = None,
) -> dict[str, Any]:
    """Score the predictions of one span key; `only` restricts gold to a label."""
    totals = {metric: Totals() for metric in COUNTERS}
    for example in examples:
        compared = compare(example, gold_keys, [key])
        gold = [(s.start, s.end, s.label_) for s in compared.gold]
        gold = [span for span in gold if only in (None, span[2])]
        predicted = [(start, end, s.label_) for start, end, s in compared.predicted]
        for metric, count in COUNTERS.items():
            totals[metric].add(count(gold, predicted))
    scores: dict[str, Any] = {}
    for metric, total in totals.items():
        prefix = "" if metric == EXACT else f"{metric}_"
        mean, rows = averages(total.array()), rates(total.array())
        scores.update(_with_prefix(_named(mean["micro"]), prefix))
        per_type = {label: _named(row) for label, row in zip(total.labels, rows)}
        scores[f"{prefix}per_type"] = per_type or None
        if metric == EXACT:
            scores.update(_with_prefix(_named(mean["macro"]), "macro_"))
    return scores


def _named(values: numpy.ndarray) -> dict[str, float]:
    return dict(zip("prf", values.tolist()))


@dataclass(frozen=True)
class Compared:
    """Gold and predicted spans of an example, on the tokens of its reference."""

    gold: list[Span]
    predicted: list[tuple[int, int, Span]]  # first token, end, span
    unjudged: int = 0  # predictions over tokens without annotation
    unaligned: int = 0  # predictions over white space that the reference lacks


def compare(
    example: Example, gold_keys: Sequence[str], keys: Sequence[str]
) -> Compared:
    """Align the gold and predicted spans of an example, as spaCy's scorer does."""
    spans = read_spans(example.predicted, keys)
    aligned = _align(example, spans) if spans else []
    missing = missing_tokens(example.reference, gold_keys)
    known = [each for each in aligned if not missing[each[0] : each[1]].any()]
    gold = read_spans(example.reference, gold_keys)
    unaligned = len(spans) - len(aligned)
    return Compared(gold, known, len(aligned) - len(known), unaligned)


def _align(example: Example, spans: Sequence[Span]) -> list[tuple[int, int, Span]]:
    # Each access to the alignment compares the words of both documents.
    x2y = example.alignment.x2y
    found = []
    for span in spans:
        aligned = x2y[span.start : span.end]
        if len(aligned):
            end = min(int(aligned[-1]) + 1, len(example.reference))
            found.append((int(aligned[0]), end, span))
    return found


@registry.scorers("spacy_ner_ext.tagger_scorer.v1")
def make_tagger_scorer() -> Callable[..., dict[str, Any]]:
    """Create a scorer of `token.tag_` or `token.pos_`, see `tagger_score`."""
    return tagger_score


def tagger_score(
    examples: Iterable[Example], *, target: str = "tag", **_: Any
) -> dict[str, Any]:
    """Accuracy of tags, as in spaCy's scorer: white space and tokens without gold are
    ignored.

    examples: The examples.
    target: "tag" for token.tag_, "pos" for token.pos_.
    RETURNS: `tag_acc` or `pos_acc`; None without gold.
    """
    return Scorer.score_token_attr(examples, target)
