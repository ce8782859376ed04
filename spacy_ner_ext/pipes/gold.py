"""Gold entities of an example, aligned to the tokens of its predicted document."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy
from spacy.attrs import ENT_IOB, ORTH
from spacy.tokens import Doc, Span
from spacy.training import Example

from .overlap import LabelledSpan
from .spans import ENTS, read_spans


@dataclass
class Gold:
    """Gold spans of one example, on the tokens of its predicted document. Tokens of
    misaligned spans, which do not start and end at token boundaries, are missing."""

    spans: list[LabelledSpan]
    missing: numpy.ndarray  # whether the annotation is unknown, (n_tokens,)
    misaligned: list[tuple[str, str]] = field(default_factory=list)


def read_gold(example: Example, keys: Sequence[str]) -> Gold:
    """Read the gold spans of an example.

    A span group annotates every token once it exists; doc.ents annotates the tokens
    with an entity tag. A token that none of `keys` annotates is missing, not outside.
    """
    reference, predicted = example.reference, example.predicted
    missing = missing_tokens(reference, keys)
    spans = read_spans(reference, keys)
    if have_same_tokens(reference, predicted):
        return Gold([(s.start, s.end, s.label_) for s in spans], missing)
    gold = Gold([], _align_missing(example, missing))
    for span in spans:
        aligned = example.get_aligned_spans_y2x([span], allow_overlap=True)
        if aligned and _have_same_text(aligned[0], span):
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


def _have_same_text(first: Span, second: Span) -> bool:
    """Whether two spans hold the same characters, ignoring white space."""
    return "".join(first.text.split()) == "".join(second.text.split())


def missing_tokens(reference: Doc, keys: Sequence[str]) -> numpy.ndarray:
    """Whether each token lacks annotation, shape (n_tokens,), bool."""
    if any(key != ENTS and key in reference.spans for key in keys):
        return numpy.zeros(len(reference), dtype=bool)
    if ENTS not in keys:
        return numpy.ones(len(reference), dtype=bool)
    return reference.to_array(ENT_IOB) == 0


def _align_missing(example: Example, missing: numpy.ndarray) -> numpy.ndarray:
    """Project missing annotation onto the predicted tokens: a token that touches a
    missing one is missing, one that is not aligned (white space) is not."""
    aligned = numpy.zeros(len(example.predicted), dtype=bool)
    if missing.any():
        x2y = example.alignment.x2y
        for i in range(len(aligned)):
            aligned[i] = bool(missing[x2y[i]].any())
    return aligned


def describe_counts(counts: Counter[str], limit: int = 5) -> str:
    """List the most frequent items of a counter, for a log message."""
    named = [f"{text!r} ({n})" for text, n in counts.most_common(limit)]
    more = len(counts) - len(named)
    return ", ".join(named) + (f" and {more} more" if more > 0 else "")
