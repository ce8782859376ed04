"""`spacy_ner_ext.explain`: how much each token contributes to an entity or category."""

from __future__ import annotations

from typing import Any

from spacy.language import Language
from spacy.tokens import Doc, Span

from ...util.errors import UserError
from .components import (
    category_target,
    check_component,
    entity_target,
    predicted_entities,
)
from .embeddings import BASELINES
from .explanation import Explanation
from .integrate import integrate
from .marked_span import MarkedSpan, MarkedSpanPath
from .model_path import ModelPath
from .occlusion import occlude
from .targets import NoGradientError, Target

METHODS = ("auto", "integrated_gradients", "occlusion")
STEPS = 32
MAX_STEPS = 1024


def explain(
    nlp: Language,
    doc_or_text: Doc | str,
    ent: Span | None = None,
    *,
    category: str | None = None,
    component: str | None = None,
    method: str = "auto",
    steps: int = STEPS,
    max_steps: int = MAX_STEPS,
    baseline: str | None = None,
    neutral: str | None = None,
) -> list[Explanation]:
    """Explain predictions: how much each token contributes to an entity or category.

    With integrated gradients (Sundararajan et al. 2017) from the embeddings of a
    baseline text to those of the text, the scores of all tokens add up to the
    difference of the two values. With occlusion (Zeiler and Fergus 2014) the score of a
    token is how much the value drops if the token is replaced. The pipeline, including
    gradients that wait for the next step of a training, stays as it is.

    nlp: The pipeline.
    doc_or_text: The text, or a document that the pipeline returned.
    ent: The entity to explain, a span with a label: a predicted one or any other. By
        default all entities that the pipeline predicts are explained.
    category: The category of a text categorizer to explain instead of entities.
    component: The component to ask, if several know the label.
    method: "integrated_gradients" for `crf_ner` and text categorizers over
        `Transformer.v1` and for `span_marker_ner`; "occlusion" for any component;
        "auto" for integrated gradients where possible.
    steps: The number of gradients to begin with, in sections of 16. While the scores
        miss the difference of the values by more than 2 %, the section with the largest
        error is halved.
    max_steps: The largest number of gradients.
    baseline: What replaces the word pieces at the start of the path: "mask", "pad" or
        "zero" (no embedding); by default "mask", or "pad" for encoders without a mask.
    neutral: The word that replaces a token in occlusion; by default the mask piece of
        the encoder, or "_".
    RETURNS: The explanation of `ent` or `category`, or one for each predicted entity,
        in the order of the text.
    RAISES (UserError): If the text is empty, the entity or the category cannot be
        explained (by this method), captum is missing, or a setting is invalid.
    """
    _check_settings(method, baseline, steps, max_steps)
    check_component(nlp, component)
    doc = nlp(doc_or_text) if isinstance(doc_or_text, str) else doc_or_text
    if all(token.is_space for token in doc):
        raise UserError("the text is empty: give one with a word")
    if category is not None:
        if ent is not None:
            raise UserError("an entity and a category were given: choose one")
        targets = [category_target(nlp, category, component)]
    else:
        found = [_find(doc, ent)] if ent else predicted_entities(nlp, doc, component)
        targets = [entity_target(nlp, span, component) for span in found]
    settings = method, neutral, baseline, (steps, max_steps)
    return [_explain(nlp, target, doc, *settings) for target in targets]


def _check_settings(
    method: str, baseline: str | None, steps: int, max_steps: int
) -> None:
    known = {"method": (method, METHODS), "baseline": (baseline or "mask", BASELINES)}
    for name, (value, choices) in known.items():
        if value not in choices:
            raise UserError(
                f"unknown {name} '{value}': choose one of {', '.join(choices)}"
            )
    if not 2 <= steps <= max_steps:
        raise UserError(
            f"steps = {steps} and max_steps = {max_steps}: set steps to at least 2 and "
            "at most max_steps"
        )


def _find(doc: Doc, ent: Span) -> Span:
    """The same span in the document that is explained."""
    if not ent.label_:
        raise UserError(f"'{ent.text}' has no label: give a span with one")
    if ent.doc is doc:
        return ent
    span = doc.char_span(ent.start_char, ent.end_char, label=ent.label_)
    if span is None or span.text != ent.text:
        raise UserError(
            f"'{ent.text}' ({ent.start_char}:{ent.end_char}) is not a span of tokens "
            "of this text: take one of its document"
        )
    return span


def _explain(
    nlp: Language,
    target: Target,
    doc: Doc,
    method: str,
    neutral: str | None,
    baseline: str | None,
    steps: tuple[int, int],
) -> Explanation:
    facts: dict[str, Any] = {}
    if method != "occlusion":
        try:
            path = _path(nlp, target, doc, baseline)
            facts = integrate(path, len(doc), *steps)
        except NoGradientError as err:
            what = f"'{target.name}' does not support integrated gradients ({err})"
            if method != "auto":
                raise UserError(f"{what}: choose the method occlusion") from err
            facts["notes"] = [f"Occlusion, since {what}."]
    if "scores" not in facts:
        facts |= occlude(nlp, target, doc, neutral)
    return Explanation(
        text=doc.text,
        tokens=[token.text for token in doc],
        offsets=[token.idx for token in doc],
        component=target.name,
        label=target.label,
        start=target.start,
        end=target.end,
        quantity=target.quantity,
        **facts,
    )


def _path(
    nlp: Language, target: Target, doc: Doc, baseline: str | None
) -> ModelPath | MarkedSpanPath:
    if isinstance(target, MarkedSpan):
        return MarkedSpanPath(target, doc, baseline)
    return ModelPath(nlp, target, doc, baseline)
