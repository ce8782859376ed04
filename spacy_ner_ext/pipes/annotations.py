"""Write predicted entities and their probabilities to doc.ents and span groups."""

import warnings
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import numpy
from spacy.tokens import Doc, Span, SpanGroup

from .overlap import select_disjoint
from .predictions import ScoredSpan
from .spans import ENTS, PER_LABEL, blocked_tokens, expand, read_spans

EXTENSION = "score"
# Where scores are stored: not under the name of the extension, which may be another's.
STORED = "spacy_ner_ext_score"
FOREIGN = (
    f"Another package has defined the extension Span._.{EXTENSION}, so its values are "
    "not the probabilities of this pipeline: use spacy_ner_ext.get_score(span), or the "
    '"scores" of a span group.'
)


def get_score(span: Span) -> float | None:
    """The probability of a predicted entity.

    It is the value of `span._.score` too, unless another package has defined that
    extension, as gliner-spacy does; then a warning says so.

        from spacy_ner_ext import get_score

        for ent in nlp("Anna Berg lives in Oslo.").ents:
            print(ent.text, ent.label_, get_score(ent))

    span: A span of `doc.ents` or of a span group.
    RETURNS: The probability, 0 to 1; None for a span that was not predicted by
        `crf_ner` or `span_marker_ner`.
    """
    user_data: dict[Any, Any] = span.doc.user_data
    # Earlier versions stored scores under the name of the extension.
    names = (STORED, EXTENSION)
    found = (user_data.get(_score_key(span, name)) for name in names)
    scores = next((value for value in found if isinstance(value, dict)), {})
    return scores.get(span.label_)


def _score_key(span: Span, name: str) -> tuple[str, str, int, int]:
    # The format of spaCy's own extensions, so that Doc.from_docs shifts the offsets.
    return ("._.", name, span.start_char, span.end_char)


def register_score_extension() -> None:
    """Define `span._.score`, or warn once if another package has defined it."""
    if not Span.has_extension(EXTENSION):
        Span.set_extension(EXTENSION, getter=get_score)
    elif Span.get_extension(EXTENSION)[2] is not get_score:
        _warn_about_foreign()


@cache
def _warn_about_foreign() -> None:
    warnings.warn(FOREIGN, stacklevel=2)


def set_score(span: Span, score: float) -> None:
    user_data: Any = span.doc.user_data
    user_data.setdefault(_score_key(span, STORED), {})[span.label_] = float(score)


def flat_subset(spans: Iterable[tuple[Span, float]], taken: set[int]) -> list[Span]:
    """Select spans that do not overlap each other or `taken` tokens, the highest score
    first, then the longest; their tokens are added to `taken`."""
    ranked = sorted(spans, key=lambda s: (-s[1], s[0].start - s[0].end, s[0].start))
    bounds = [(span.start, span.end) for span, _ in ranked]
    return [ranked[i][0] for i in select_disjoint(bounds, range(len(bounds)), taken)]


def write_spans(
    doc: Doc,
    found: Sequence[ScoredSpan],
    labels: Sequence[str],
    keys: Sequence[str],
    *,
    overwrite: bool,
) -> None:
    """Write predicted entities and their probabilities to the span keys of a document;
    "*" creates a group for each of `labels`."""
    spans = [(Span(doc, each.start, each.end, each.label), each) for each in found]
    # Decoding was conditioned on kept entities, so they would get a probability of 1.
    kept = [] if overwrite else read_spans(doc, expand(keys, labels))
    before = {(span.start, span.end, span.label) for span in kept}
    for span, each in spans:
        if (span.start, span.end, span.label) not in before:
            set_score(span, each.score)
    scored = [(span, each.score) for span, each in spans]
    for key in keys:
        if key == ENTS:
            ranked = [(span, each.rank_score) for span, each in spans]
            write_ents(doc, ranked, overwrite=overwrite)
        elif key == PER_LABEL:
            for label in labels:
                own = [each for each in scored if each[0].label_ == label]
                write_group(doc, label, own, overwrite=overwrite)
        else:
            write_group(doc, key, scored, overwrite=overwrite)


def write_ents(
    doc: Doc, spans: Sequence[tuple[Span, float]], *, overwrite: bool
) -> None:
    """Write the flat subset to doc.ents; kept entities take precedence."""
    kept = [] if overwrite else list(doc.ents)
    blocked = [] if overwrite else blocked_tokens(doc)
    taken = {i for span in kept for i in range(span.start, span.end)} | set(blocked)
    chosen = flat_subset(spans, taken)
    doc.set_ents([*kept, *chosen], blocked=[doc[i : i + 1] for i in blocked])


def write_group(
    doc: Doc, key: str, spans: Sequence[tuple[Span, float]], *, overwrite: bool
) -> None:
    """Write a span group and its aligned attrs["scores"]; kept spans without a score
    get NaN."""
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
