"""The factory of `span_marker_ner`, with its settings and their defaults."""

from collections.abc import Callable

from spacy.language import Language
from thinc.api import Config, Model

from ..pipes.spans import ENTS
from ..pipes.thresholds import Threshold
from .component import SpanMarkerRecognizer

default_model_config = """
[model]
@architectures = "spacy_ner_ext.SpanMarker.v1"
name = "roberta-base"
"""
DEFAULT_SPAN_MARKER_MODEL = Config().from_str(default_model_config)["model"]


@Language.factory(
    "span_marker_ner",
    assigns=["doc.ents", "token.ent_iob", "token.ent_type"],
    default_config={
        "model": DEFAULT_SPAN_MARKER_MODEL,
        "checkpoint": None,
        "context": "none",
        "max_prev_context": None,
        "max_next_context": None,
        "target": ENTS,
        "annotate": None,
        "overwrite": False,
        "temperature": 1.0,
        "threshold": 0.0,
        "entity_bias": 0.0,
        "filter_weight": 1.0,
        "scorer": {"@scorers": "spacy_ner_ext.ner_scorer.v1"},
    },
    default_score_weights={
        "ents_f": 1.0,
        "ents_p": 0.0,
        "ents_r": 0.0,
        "ents_per_type": None,
    },
)
def make_span_marker_ner(
    nlp: Language,
    name: str,
    model: Model,
    checkpoint: str | None,
    context: str,
    max_prev_context: int | None,
    max_next_context: int | None,
    target: str | list[str],
    annotate: str | list[str] | None,
    overwrite: bool,
    temperature: float,
    threshold: Threshold,
    entity_bias: float,
    filter_weight: float,
    scorer: Callable | None,
) -> SpanMarkerRecognizer:
    """Make a `span_marker_ner` component.

    nlp: The pipeline.
    name: The name of the component.
    model: The model, `spacy_ner_ext.SpanMarker.v1`.
    checkpoint: A model that SpanMarker trained: name on the hub or path of a
        folder. It includes labels, lengths, tokenizer and encoder, and is read by
        `initialize`, or before the first prediction or update; a saved pipeline
        contains all of it.
    context: The text around a sentence that the encoder sees: "none", "sentences"
        (whole neighbors, as many as fit), or "document" (as much as fits, the
        document-level context of SpanMarker).
    max_prev_context: Maximum sentences before; None for as many as fit.
    max_next_context: Maximum sentences after; None for as many as fit.
    target: Where gold entities are: "ents", the name of a span group, or a list of
        these.
    annotate: Where predictions go: "ents", the name of a span group, "*" for one
        group per label, or a list of these. If None, the same as `target`.
    overwrite: Whether existing entities are replaced. If not, they are kept, and no
        other is predicted at their words.
    temperature: Divides the logits before probabilities are computed: above 1 makes
        them less extreme, below 1 more. The same entities are found.
    threshold: Minimum probability of entities, 0 to 1; one for all labels, or by
        label, 0 for labels that are not listed.
    entity_bias: Added to the score of every label when the best is chosen: above 0
        finds more entities (recall), below 0 fewer (precision). It does not change
        training and probabilities.
    filter_weight: The weight of the filter's loss.
    scorer: The scoring method.
    RETURNS: The component.
    RAISES (ValueError): If a setting has an invalid value, or the model is not a span
        marker.
    """
    settings = dict(locals())
    for key in ("nlp", "name", "model", "scorer"):
        del settings[key]
    return SpanMarkerRecognizer(nlp.vocab, model, name, scorer, settings)
