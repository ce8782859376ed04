"""What a pipeline found in a document, as plain values."""

import json
import math
from typing import Any

from spacy.tokens import Doc, Span, SpanGroup

from ...pipes.annotations import get_score

# Fields of a result that are predicted.
FIELDS = ("entities", "spans", "cats")
# One for all, as json.dumps would make one for each result.
to_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
# Behind them are the errors of 32-bit arithmetic.
DIGITS = 6


def describe(doc: Doc) -> dict[str, Any]:
    """Tell what was found in a document.

    RETURNS: "entities"; if the document has them, "spans" by group and "cats". Offsets
        are characters of the text; "score" is None where the component gives none.
    """
    found: dict[str, Any] = {
        "entities": [_span(span, get_score(span)) for span in doc.ents]
    }
    if doc.spans:
        found["spans"] = {key: _group(group) for key, group in doc.spans.items()}
    if doc.cats:
        found["cats"] = {name: _rounded(score) for name, score in doc.cats.items()}
    return found


def _group(group: SpanGroup) -> list[dict[str, Any]]:
    spans = list(group)
    scores: Any = group.attrs.get("scores", ())
    if len(scores) != len(spans):
        scores = [get_score(span) for span in spans]
    return [_span(span, score) for span, score in zip(spans, scores)]


def _span(span: Span, score: float | None) -> dict[str, Any]:
    return {
        "start": span.start_char,
        "end": span.end_char,
        "label": span.label_,
        "text": span.text,
        "score": _rounded(score),
    }


def _rounded(score: float | None) -> float | None:
    # A span that was there before the component has none, which is NaN in a group.
    if score is None or math.isnan(score):
        return None
    return round(float(score), DIGITS)
