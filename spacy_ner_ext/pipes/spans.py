"""Where entities are read from and written to: doc.ents and span groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy
from spacy.attrs import ENT_IOB, ENT_TYPE, ORTH
from spacy.tokens import Doc, Span, SpanGroup
from spacy.training import Example

from ..crf.tags import LabelledSpan

ENTS = "ents"
PER_LABEL = "*"
EXTENSION = "score"


@dataclass
class Gold:
    """Gold spans of one example, on the tokens of its predicted document.

    spans: First token, end (exclusive) and label of each aligned span.
    missing: Whether a token's annotation is unknown, shape (n_tokens,), bool.
    misaligned: Spans whose boundaries are not boundaries of tokens, as text and label;
        their tokens are missing.
    """

    spans: list[LabelledSpan]
    missing: numpy.ndarray
    misaligned: list[tuple[str, str]] = field(default_factory=list)


def as_keys(setting: str | Sequence[str], name: str) -> list[str]:
    """Check a `target` or `annotate` setting and return it as a list.

    RAISES (ValueError): If it is empty or holds something other than names.
    """
    keys = [setting] if isinstance(setting, str) else list(setting)
    if not keys or not all(isinstance(key, str) and key for key in keys):
        raise ValueError(
            f"The setting {name} = {setting!r} names no place for entities: use "
            f"'{ENTS}', the name of a span group, or a list of these."
        )
    return keys


def expand(keys: Iterable[str], labels: Iterable[str]) -> list[str]:
    """Put the span groups of all labels in the place of "*"."""
    places = [key for key in keys if key != PER_LABEL]
    return [*places, *labels] if PER_LABEL in keys else places


def read_spans(doc: Doc, keys: Iterable[str]) -> list[Span]:
    """The spans of doc.ents and of the span groups that `keys` names."""
    spans: list[Span] = []
    for key in keys:
        if key == ENTS:
            spans.extend(doc.ents)
        elif key in doc.spans:
            spans.extend(doc.spans[key])
    return spans


def read_gold(example: Example, keys: Sequence[str]) -> Gold:
    """Gold spans of an example, aligned to the predicted document's tokens.

    A token is missing if none of the places in `keys` says anything about it: a
    span group says something about every token once it exists, doc.ents about
    tokens with an entity tag. What is missing is never outside an entity.
    """
    reference, predicted = example.reference, example.predicted
    missing = missing_tokens(reference, keys)
    spans = read_spans(reference, keys)
    if have_same_tokens(reference, predicted):
        return Gold([(s.start, s.end, s.label_) for s in spans], missing)
    gold = Gold([], align_missing(example, missing))
    for span in spans:
        aligned = example.get_aligned_spans_y2x([span], allow_overlap=True)
        if aligned and same_text(aligned[0], span):
            gold.spans.append((aligned[0].start, aligned[0].end, span.label_))
            continue
        gold.misaligned.append((span.text, span.label_))
        touched = example.alignment.y2x[span.start : span.end]
        gold.missing[touched] = True
    # A token of an aligned span is known, even if another span crosses it.
    for start, end, _ in gold.spans:
        gold.missing[start:end] = False
    return gold


def have_same_tokens(first: Doc, second: Doc) -> bool:
    if len(first) != len(second):
        return False
    return bool((first.to_array(ORTH) == second.to_array(ORTH)).all())


def same_text(first: Span, second: Span) -> bool:
    """Whether two spans hold the same characters, white space aside."""
    return "".join(first.text.split()) == "".join(second.text.split())


def missing_tokens(reference: Doc, keys: Sequence[str]) -> numpy.ndarray:
    if any(key != ENTS and key in reference.spans for key in keys):
        return numpy.zeros(len(reference), dtype=bool)
    if ENTS not in keys:
        return numpy.ones(len(reference), dtype=bool)
    return reference.to_array(ENT_IOB) == 0


def align_missing(example: Example, missing: numpy.ndarray) -> numpy.ndarray:
    """Carry missing annotation over to the predicted tokens: one that touches a
    missing token is missing, one without a counterpart (white space) is not."""
    aligned = numpy.zeros(len(example.predicted), dtype=bool)
    if missing.any():
        x2y = example.alignment.x2y
        for i in range(len(aligned)):
            aligned[i] = bool(missing[x2y[i]].any())
    return aligned


# --- Writing ---------------------------------------------------------------


def get_score(span: Span) -> float | None:
    """The probability of an entity that one of our components predicted: the value
    of `span._.score`; None for a span that none of them wrote."""
    user_data: dict[Any, Any] = span.doc.user_data
    return user_data.get(_score_key(span), {}).get(span.label_)


def _score_key(span: Span) -> tuple[str, str, int, int]:
    # The form of spaCy's own extensions, so that Doc.from_docs moves it along.
    return ("._.", EXTENSION, span.start_char, span.end_char)


def register_score_extension() -> None:
    """Make `span._.score` available.

    RAISES (ValueError): If another package has already defined the extension.
    """
    if not Span.has_extension(EXTENSION):
        Span.set_extension(EXTENSION, getter=get_score)
    elif Span.get_extension(EXTENSION)[2] is not get_score:
        raise ValueError(
            f"Something else already defines the extension Span._.{EXTENSION}: remove "
            f"it with Span.remove_extension('{EXTENSION}') before the pipeline is made."
        )


def set_score(span: Span, score: float) -> None:
    """Store the probability of a span as `span._.score`."""
    user_data: Any = span.doc.user_data
    user_data.setdefault(_score_key(span), {})[span.label_] = float(score)


def flat_subset(spans: Iterable[tuple[Span, float]], taken: set[int]) -> list[Span]:
    """Spans without overlap: the strongest first, then the longest.

    spans: Spans and their rank_scores: probabilities.
    taken: Tokens that no span may cover; is added to.
    """
    chosen = []
    order = sorted(spans, key=lambda s: (-s[1], s[0].start - s[0].end, s[0].start))
    for span, _ in order:
        tokens = set(range(span.start, span.end))
        if not tokens & taken:
            taken |= tokens
            chosen.append(span)
    return chosen


def write_spans(
    doc: Doc,
    scored: Sequence[tuple[int, int, str, float]],
    labels: Sequence[str],
    keys: Sequence[str],
    *,
    overwrite: bool,
    rank_scores: Sequence[float] | None = None,
) -> None:
    """Write predicted entities, with their probabilities, to a document.

    scored: First token, end (exclusive), label and probability.
    labels: All labels of the component ("*" makes a group of each).
    keys: Where to: "ents", span groups, "*" for a group a label.
    overwrite: Whether what is there is replaced, or kept and added to.
    rank_scores: By what doc.ents chooses of those that overlap, the highest first; if
        None, by their probabilities.
    """
    spans = [
        (Span(doc, start, end, label=label), score)
        for start, end, label, score in scored
    ]
    # Given that an entity is kept it is certain, which is not its score.
    kept = [] if overwrite else read_spans(doc, expand(keys, labels))
    before = {(span.start, span.end, span.label) for span in kept}
    for span, score in spans:
        if (span.start, span.end, span.label) not in before:
            set_score(span, score)
    for key in keys:
        if key == ENTS:
            ranks = [p for _, p in spans] if rank_scores is None else rank_scores
            ranked = [(span, rank) for (span, _), rank in zip(spans, ranks)]
            write_ents(doc, ranked, overwrite=overwrite)
        elif key == PER_LABEL:
            for label in labels:
                own = [(span, score) for span, score in spans if span.label_ == label]
                write_group(doc, label, own, overwrite=overwrite)
        else:
            write_group(doc, key, spans, overwrite=overwrite)


def write_ents(
    doc: Doc, spans: Sequence[tuple[Span, float]], *, overwrite: bool
) -> None:
    """Set doc.ents to the flat subset; existing entities go first if kept."""
    kept = [] if overwrite else list(doc.ents)
    blocked = [] if overwrite else blocked_tokens(doc)
    taken = {i for span in kept for i in range(span.start, span.end)} | set(blocked)
    chosen = flat_subset(spans, taken)
    doc.set_ents([*kept, *chosen], blocked=[doc[i : i + 1] for i in blocked])


def blocked_tokens(doc: Doc) -> list[int]:
    """Tokens that were marked as being no part of any entity (Doc.set_ents)."""
    iob, label = doc.to_array([ENT_IOB, ENT_TYPE]).reshape(-1, 2).T
    return numpy.flatnonzero((iob == 3) & (label == 0)).tolist()


def write_group(
    doc: Doc, key: str, spans: Sequence[tuple[Span, float]], *, overwrite: bool
) -> None:
    """Set a span group and its aligned attrs["scores"]; kept spans that have no
    score get NaN."""
    kept: list[Span] = []
    scores: list[float] = []
    if key in doc.spans and not overwrite:
        kept = list(doc.spans[key])
        before: Any = doc.spans[key].attrs.get("scores", [])
        aligned = len(before) == len(kept)
        scores = [float(s) for s in before] if aligned else [float("nan")] * len(kept)
    have = {(span.start, span.end, span.label) for span in kept}
    new = [(s, p) for s, p in spans if (s.start, s.end, s.label) not in have]
    group = SpanGroup(doc, name=key, spans=[*kept, *(span for span, _ in new)])
    group.attrs["scores"] = numpy.array([*scores, *(p for _, p in new)], dtype="f")
    doc.spans[key] = group


def describe(dropped: Counter[str], limit: int = 5) -> str:
    """Name the most frequent of some dropped things."""
    named = [f"{text!r} ({n})" for text, n in dropped.most_common(limit)]
    more = len(dropped) - len(named)
    return ", ".join(named) + (f" and {more} more" if more > 0 else "")
