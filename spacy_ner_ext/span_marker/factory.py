"""The factory of `span_marker_ner`, with its settings and their defaults."""

from collections.abc import Callable

from spacy.language import Language
from thinc.api import Model

from ..pipes.entities import DEFAULTS, FACTORY
from ..pipes.thresholds import Threshold
from .component import SpanMarkerRecognizer


@Language.factory(
    "span_marker_ner",
    default_config={
        "model": {
            "@architectures": "spacy_ner_ext.SpanMarker.v1",
            "name": "roberta-base",
        },
        "checkpoint": None,
        "context": "none",
        "max_prev_context": None,
        "max_next_context": None,
        "filter_weight": 1.0,
        **DEFAULTS,
    },
    **FACTORY,
)
def make_span_marker_ner(
    nlp: Language,
    name: str,
    model: Model,
    checkpoint: str | None,
    context: str,
    max_prev_context: int | None,
    max_next_context: int | None,
    filter_weight: float,
    target: str | list[str],
    annotate: str | list[str] | None,
    overwrite: bool,
    temperature: float,
    threshold: Threshold,
    entity_bias: float,
    scorer: Callable | None,
) -> SpanMarkerRecognizer:
    """Create a `span_marker_ner` component. Arguments that are not listed: see
    `EntityPipe`.

    model: A spacy_ner_ext.SpanMarker.v1 model.
    checkpoint: A model that SpanMarker trained: name on the hub or path of a folder. It
        includes labels, lengths, tokenizer and encoder, and is read by `initialize`, or
        before the first prediction or update; a saved pipeline contains all of it.
    context: The text around a sentence that the encoder sees: "none", "sentences"
        (whole neighbors, as many as fit), or "document" (as much as fits, the
        document-level context of SpanMarker).
    max_prev_context, max_next_context: Maximum sentences before and after; None for as
        many as fit.
    filter_weight: The weight of the filter's loss.
    RETURNS: The component.
    RAISES (ValueError): If a setting has an invalid value, or the model is not a span
        marker.
    """
    return SpanMarkerRecognizer.create(**locals())
