"""Which component is asked about an entity or a category, and what it can tell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from spacy.language import Language
from spacy.pipeline.ner import EntityRecognizer
from spacy.pipeline.textcat import TextCategorizer
from spacy.tokens import Doc, Span

from ...crf.ner import CRFEntityRecognizer
from ...pipes.entities import EntityPipe
from ...pipes.spans import ENTS, expand, read_spans
from ...span_marker.component import SpanMarkerRecognizer
from ...util.errors import UserError
from .black_box import BeamEntity, FoundEntity
from .marked_span import MarkedSpan
from .targets import Category, CRFEntity, Subject, Target

LEARNED = (EntityPipe, EntityRecognizer)


def entity_components(nlp: Language) -> list[str]:
    """Find the components that may be asked about entities.

    RETURNS: The learned ones; if there are none, all that say that they write doc.ents.
    """
    learned = [name for name, pipe in nlp.pipeline if isinstance(pipe, LEARNED)]
    others = (name for name in nlp.pipe_names if _writes_entities(nlp, name))
    return learned or list(others)


def _writes_entities(nlp: Language, name: str) -> bool:
    return "doc.ents" in nlp.get_pipe_meta(name).assigns


def asked_about_entities(nlp: Language, component: str | None) -> list[str]:
    """Find the components that are asked about entities.

    component: The one that was named, if any.
    RETURNS: This one, or all that may be asked.
    RAISES (UserError): If there is none.
    """
    names = entity_components(nlp)
    if component is not None:
        named = nlp.get_pipe(component)
        finds = isinstance(named, LEARNED) or _writes_entities(nlp, component)
        names = [component] if finds else []
    if names:
        return names
    who = "the pipeline" if component is None else f"'{component}'"
    pipes: list[Any] = [nlp.get_pipe(name) for name in category_components(nlp)]
    categories = [label for pipe in pipes for label in pipe.labels]
    advice = f"it has {_list(nlp.pipe_names) or 'nothing'}"
    if categories:
        advice += f"; name a category, one of {_list(categories)}"
    raise UserError(f"{who} finds no entities that can be explained: {advice}")


def category_components(nlp: Language) -> list[str]:
    """The components that find categories of texts."""
    return [name for name, pipe in nlp.pipeline if isinstance(pipe, TextCategorizer)]


def check_component(nlp: Language, component: str | None) -> None:
    """RAISES (UserError): If a pipeline has no component of this name."""
    if component is not None and component not in nlp.pipe_names:
        names = _list(nlp.pipe_names) or "nothing"
        raise UserError(f"the pipeline has no component '{component}', but {names}")


def choose(
    nlp: Language, label: str, known: Sequence[str], component: str | None, what: str
) -> str:
    """Choose the component that is asked.

    label: The label or the category.
    known: The components that may be asked.
    component: The one that was named, if any.
    RAISES (UserError): If there is none, several know the label, or none does.
    """
    if not known and component is None:
        raise UserError(
            f"the pipeline finds no {what}: it has {_list(nlp.pipe_names) or 'nothing'}"
        )
    asked = known if component is None else [component]
    labels = {name: list(getattr(nlp.get_pipe(name), "labels", ())) for name in asked}
    knowing = [name for name in asked if label in labels[name]]
    if not knowing:
        every = sorted({each for found in labels.values() for each in found})
        raise UserError(
            f"{_list(asked)} does not know '{label}': choose one of {_list(every)}"
        )
    if len(knowing) > 1:
        raise UserError(
            f"{_list(knowing)} know '{label}': name the one to be asked by component"
        )
    return knowing[0]


def _list(names: Sequence[str]) -> str:
    return ", ".join(names)


def entity_target(nlp: Language, span: Span, component: str | None) -> Target:
    """Choose what is explained about an entity.

    span: The entity, with a label.
    component: The component to be asked.
    RAISES (UserError): If no component can be asked.
    """
    name = choose(nlp, span.label_, entity_components(nlp), component, "entities")
    pipe: Any = nlp.get_pipe(name)
    subject = Subject(name, span.label_, span.start, span.end)
    if isinstance(pipe, CRFEntityRecognizer):
        return CRFEntity(pipe, subject)
    if isinstance(pipe, SpanMarkerRecognizer):
        return MarkedSpan(pipe, span.doc, subject)
    if isinstance(pipe, EntityRecognizer):
        return BeamEntity(pipe, subject)
    if _writes_entities(nlp, name):
        return FoundEntity(pipe, subject)
    raise UserError(
        f"'{name}' writes no entities to doc.ents, which is all that can be seen of a "
        f"component of its kind: name one of {_list(entity_components(nlp))}"
    )


def category_target(nlp: Language, category: str, component: str | None) -> Target:
    """Choose what is explained about a category.

    component: The component to be asked.
    RAISES (UserError): If no component can be asked.
    """
    known = category_components(nlp)
    name = choose(nlp, category, known, component, "categories")
    pipe = nlp.get_pipe(name)
    if not isinstance(pipe, TextCategorizer):
        raise UserError(
            f"'{name}' is no text categorizer: name one of {_list(known) or 'others'}"
        )
    return Category(pipe, Subject(name, category))


def predicted_entities(nlp: Language, doc: Doc, component: str | None) -> list[Span]:
    """List the entities of a document, each once, in the order of the text.

    doc: The document, as the pipeline returns it.
    component: The component whose entities are asked for; None for all.
    RETURNS: Those of doc.ents and of span groups that components write to.
    RAISES (UserError): If nothing can be asked.
    """
    places: dict[str, None] = {}
    labels: set[str] = set()
    for name in asked_about_entities(nlp, component):
        pipe: Any = nlp.get_pipe(name)
        own = list(getattr(pipe, "labels", ()))
        labels.update(own)
        keys = expand(pipe.annotate, own) if isinstance(pipe, EntityPipe) else [ENTS]
        places.update(dict.fromkeys(keys))
    spans = {
        (span.start, span.end, span.label_): span for span in read_spans(doc, places)
    }
    return [spans[key] for key in sorted(spans) if key[2] in labels]
