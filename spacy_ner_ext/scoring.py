"""Registered scorers."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from spacy import registry
from spacy.scorer import PRFScore, Scorer
from spacy.tokens import Doc, Span
from spacy.training import Example

from .spans import ENTS, PER_LABEL, missing_tokens, read_spans


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
    """Precision, recall and F-score of exact entities: same borders, same label.

    Entities are compared with the gold that the component learns from. As in
    spaCy's own scorer, a prediction over tokens without annotation counts
    neither as right nor as wrong.

    examples (Iterable[Example]): The examples.
    target (Union[str, Sequence[str]]): Where gold is, as in the component.
    annotate (Optional[Union[str, Sequence[str]]]): Where predictions are.
    labels (Sequence[str]): Labels of the component, for "*" in `annotate`.
    RETURNS (Dict[str, Any]): `ents_p`, `ents_r`, `ents_f` and `ents_per_type` for
        doc.ents, the same as `spans_NAME_...` for each span group; None where
        there is neither gold nor prediction.
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

    examples (Iterable[Example]): The examples.
    gold_keys (Sequence[str]): Where gold is.
    key (str): Where predictions are: "ents" or a span group.
    only (Optional[str]): Leave out gold of other labels.
    RETURNS (Dict[str, Any]): "p", "r", "f" and "per_type".
    """
    per_type: dict[str, PRFScore] = defaultdict(PRFScore)
    for example in examples:
        missing = missing_tokens(example.reference, gold_keys)
        if len(missing) and missing.all():
            continue
        spans = read_spans(example.reference, gold_keys)
        gold = {_key(s) for s in spans if only in (None, s.label_)}
        predicted = _aligned_keys(example, read_spans(example.predicted, [key]))
        for start, end, label in predicted:
            if not missing[start:end].any():
                found = (start, end, label) in gold
                per_type[label].tp += found
                per_type[label].fp += not found
                gold.discard((start, end, label))
        for _, _, label in gold:
            per_type[label].fn += 1
    total = PRFScore()
    for score in per_type.values():
        total += score
    if not len(total):
        return {"p": None, "r": None, "f": None, "per_type": None}
    details = {label: score.to_dict() for label, score in per_type.items()}
    return {
        "p": total.precision,
        "r": total.recall,
        "f": total.fscore,
        "per_type": details,
    }


def _key(span: Span) -> tuple[int, int, str]:
    return span.start, span.end, span.label_


def _aligned_keys(
    example: Example, spans: Sequence[Span]
) -> list[tuple[int, int, str]]:
    """Predicted spans on the tokens of the reference, where several may meet."""
    reference: Doc = example.reference
    keys = []
    for span in spans:
        aligned = example.alignment.x2y[span.start : span.end]
        if len(aligned):
            last = min(int(aligned[-1]) + 1, len(reference))
            keys.append((int(aligned[0]), last, span.label_))
    return keys


@registry.scorers("spacy_ner_ext.tagger_scorer.v1")
def make_tagger_scorer() -> Callable[..., dict[str, Any]]:
    """A scorer of token.tag_ or token.pos_."""
    return tagger_score


def tagger_score(
    examples: Iterable[Example], *, target: str = "tag", **_: Any
) -> dict[str, Any]:
    """Accuracy of tags, as in spaCy's own scorer: white space and tokens without gold
    do not count.

    examples (Iterable[Example]): The examples.
    target (str): Where gold and predictions are, "tag" or "pos".
    RETURNS (Dict[str, Any]): `tag_acc` or `pos_acc`; None where there is no gold.
    """
    return Scorer.score_token_attr(examples, target)
