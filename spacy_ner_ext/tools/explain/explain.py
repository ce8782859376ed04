"""`spacy_ner_ext.explain`: how much each token speaks for an entity or a category."""

from __future__ import annotations

from typing import Any

from spacy.language import Language
from spacy.tokens import Doc, Span

from ...util.errors import UserError
from .choice import category_target, check_component, entity_target, predicted_entities
from .compute import MAX_STEPS, STEPS, Settings, compute
from .result import Influence
from .targets import Target


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
) -> Influence:
    """Find out how much each token of a text speaks for an entity or a category.

    By integrated gradients (Sundararajan et al. 2017) along the way from a baseline
    text to the text, through the embeddings of the encoder, the scores of all tokens
    add up to the difference of the values. By occlusion the score of a token is the
    value of the text less that of the text in which the token is replaced. The weights
    of the pipeline, and gradients that wait in them, stay as they are.

    nlp: The pipeline.
    doc_or_text: The text, or a document of the pipeline.
    ent: The entity, with a label: a predicted one, or any other span. If there is
        neither ent nor category, the only entity of the text.
    category: The category of a text categorizer, in place of an entity.
    component: The component to be asked, if several know the label.
    method: "integrated_gradients", "occlusion", or "auto" for the first where the
        component has gradients, and the second for others.
    steps: The gradients that are taken to begin with, in sections of 16. As long as the
        scores miss the difference of the values by more than 2 %, the section that
        misses most is cut in two.
    max_steps: The gradients at which that ends.
    baseline: What the pieces of the text are at the start of the way: "mask", "pad" or
        "zero"; by default "mask", or "pad" for encoders without it. Word vectors that
        have no encoder start at zero.
    neutral: What replaces a token in occlusion; by default the mask piece of the
        encoder, or "_".
    RETURNS: The scores, and how they came about.
    RAISES (UserError): If the text is empty, the entity or the category cannot be
        explained, or a setting has an unknown value.
    """
    settings = Settings(method, steps, max_steps, baseline, neutral)
    check_component(nlp, component)
    doc = _read(nlp, doc_or_text)
    target = _choose(nlp, doc, ent, category, component)
    return compute(nlp, target, doc, settings)


def explain_all(
    nlp: Language, doc_or_text: Doc | str, **settings: Any
) -> list[Influence]:
    """Explain all entities that a pipeline finds in a text.

    nlp: The pipeline.
    doc_or_text: The text, or a document of the pipeline.
    **settings: Those of `explain`, but for ent and category.
    RETURNS: One an entity, in the order of the text.
    RAISES (UserError): As `explain`.
    """
    check_component(nlp, settings.get("component"))
    doc = _read(nlp, doc_or_text)
    spans = predicted_entities(nlp, doc, settings.get("component"))
    return [explain(nlp, doc, span, **settings) for span in spans]


def _read(nlp: Language, doc_or_text: Doc | str) -> Doc:
    doc = nlp(doc_or_text) if isinstance(doc_or_text, str) else doc_or_text
    if all(token.is_space for token in doc):
        raise UserError("the text is empty: give one with a word")
    return doc


def _choose(
    nlp: Language,
    doc: Doc,
    ent: Span | None,
    category: str | None,
    component: str | None,
) -> Target:
    if category is None:
        span = _only_entity(nlp, doc, component) if ent is None else _find(doc, ent)
        return entity_target(nlp, span, component)
    if ent is not None:
        raise UserError("an entity and a category were given: choose one")
    return category_target(nlp, category, component)


def _only_entity(nlp: Language, doc: Doc, component: str | None) -> Span:
    found = predicted_entities(nlp, doc, component)
    if len(found) == 1:
        return found[0]
    if not found:
        raise UserError(
            "the pipeline finds no entity in this text: name a span and its label"
        )
    names = ", ".join(f"{span.text} ({span.label_})" for span in found)
    raise UserError(
        f"the text has {len(found)} entities: name one of {names}, or explain_all"
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
            f"'{ent.text}' ({ent.start_char}:{ent.end_char}) is no span of tokens of "
            "this text: take one of its document"
        )
    return span
