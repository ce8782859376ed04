"""Choose the component that is asked, and what it can explain."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
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
from .marked_span import MarkedSpan
from .targets import BeamEntity, Category, CRFEntity, FoundEntity, Target

LEARNED = (EntityPipe, EntityRecognizer)
CHARACTERS = re.compile(r"(\d+):(\d+)")


def entity_components(nlp: Language) -> list[str]:
    """The trained components that predict entities; without any, all components that
    declare that they write doc.ents."""
    learned = [name for name, pipe in nlp.pipeline if isinstance(pipe, LEARNED)]
    return learned or [name for name in nlp.pipe_names if _writes_entities(nlp, name)]


def _writes_entities(nlp: Language, name: str) -> bool:
    return "doc.ents" in nlp.get_pipe_meta(name).assigns


def category_components(nlp: Language) -> list[str]:
    """The components that predict categories."""
    return [name for name, pipe in nlp.pipeline if isinstance(pipe, TextCategorizer)]


def check_component(nlp: Language, name: str | None) -> None:
    """RAISES (UserError): If the pipeline has no component of this name."""
    if name is not None and name not in nlp.pipe_names:
        names = _list(nlp.pipe_names) or "nothing"
        raise UserError(f"the pipeline has no component '{name}', but {names}")


def entity_target(nlp: Language, span: Span, component: str | None) -> Target:
    """Choose what is explained about an entity.

    span: The entity, with a label.
    component: The component to ask; None for the one that knows the label.
    RAISES (UserError): If no component can be asked, or several can.
    """
    known = entity_components(nlp)
    name = _choose(nlp, span.label_, known, component, "entities")
    pipe: Any = nlp.get_pipe(name)
    subject = (name, pipe, span.label_, span.start, span.end)
    if isinstance(pipe, CRFEntityRecognizer):
        return CRFEntity(*subject)
    if isinstance(pipe, SpanMarkerRecognizer):
        target = MarkedSpan(*subject)
        target.check_span(span.doc)
        return target
    if isinstance(pipe, EntityRecognizer):
        return BeamEntity(*subject)
    if _writes_entities(nlp, name):
        return FoundEntity(*subject)
    raise UserError(
        f"'{name}' does not write entities to doc.ents, so nothing is known about "
        f"them: name one of {_list(known)}"
    )


def category_target(nlp: Language, category: str, component: str | None) -> Target:
    """Choose what is explained about a category; see entity_target."""
    known = category_components(nlp)
    name = _choose(nlp, category, known, component, "categories")
    if name not in known:
        raise UserError(
            f"'{name}' does not predict categories: name one of {_list(known)}"
        )
    return Category(name, nlp.get_pipe(name), category)


def _choose(
    nlp: Language, label: str, known: Sequence[str], component: str | None, what: str
) -> str:
    if not known and component is None:
        names = _list(nlp.pipe_names) or "nothing"
        raise UserError(f"the pipeline finds no {what}: it has {names}")
    asked = known if component is None else [component]
    labels = {name: list(getattr(nlp.get_pipe(name), "labels", ())) for name in asked}
    knowing = [name for name in asked if label in labels[name]]
    if not knowing:
        every = sorted({each for found in labels.values() for each in found})
        raise UserError(
            f"{_list(asked)} does not know '{label}': choose one of {_list(every)}"
        )
    if len(knowing) > 1:
        raise UserError(f"{_list(knowing)} know '{label}': choose one as component")
    return knowing[0]


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)


def predicted_entities(nlp: Language, doc: Doc, component: str | None) -> list[Span]:
    """List the predicted entities of a document, each once, in the order of the text.

    component: The component whose entities are listed; None for all.
    RETURNS: Entities of doc.ents and of the span groups that components write to.
    RAISES (UserError): If no component predicts entities.
    """
    places: dict[str, None] = {}
    labels: set[str] = set()
    for name in _components_asked(nlp, component):
        pipe: Any = nlp.get_pipe(name)
        own = list(getattr(pipe, "labels", ()))
        labels.update(own)
        keys = expand(pipe.annotate, own) if isinstance(pipe, EntityPipe) else [ENTS]
        places.update(dict.fromkeys(keys))
    spans = {
        (span.start, span.end, span.label_): span for span in read_spans(doc, places)
    }
    return [spans[key] for key in sorted(spans) if key[2] in labels]


def _components_asked(nlp: Language, component: str | None) -> list[str]:
    names = entity_components(nlp)
    if component is not None:
        named = nlp.get_pipe(component)
        predicts = isinstance(named, LEARNED) or _writes_entities(nlp, component)
        names = [component] if predicts else []
    if names:
        return names
    who = "the pipeline" if component is None else f"'{component}'"
    pipes: list[Any] = [nlp.get_pipe(name) for name in category_components(nlp)]
    categories = [label for pipe in pipes for label in pipe.labels]
    advice = f"it has {_list(nlp.pipe_names) or 'nothing'}"
    if categories:
        advice += f"; name a category, one of {_list(categories)}"
    raise UserError(f"{who} finds no entities that can be explained: {advice}")


# --- Spans named on the command line --------------------------------------------


def find_span(
    nlp: Language, doc: Doc, name: str, label: str | None, component: str | None
) -> Span:
    """Find the span that `--entity` names.

    name: Its text, or its first character and the one after its last, "4:12".
    label: Its label; by default that of the predicted entity, or the only one.
    RAISES (UserError): If there is not exactly one such span with one label.
    """
    start, end = _find_characters(doc.text, name)
    span = doc.char_span(start, end)
    if span is None:
        near = doc.char_span(start, end, alignment_mode="expand")
        words = "" if near is None else near.text.strip()
        hint = f"the tokens are '{words}'" if words else "name some tokens"
        raise UserError(
            f"--entity {name} does not begin and end with tokens of the text: {hint}"
        )
    label = label or _find_label(nlp, span, component)
    return Span(doc, span.start, span.end, label=label)


def _find_characters(text: str, name: str) -> tuple[int, int]:
    numbers = CHARACTERS.fullmatch(name)
    if numbers is not None:
        start, end = int(numbers[1]), int(numbers[2])
        if not start < end <= len(text):
            raise UserError(
                f"--entity {name} is not a part of the text, which has {len(text)} "
                "characters: give START:END within it"
            )
        return start, end
    found = [match.start() for match in re.finditer(re.escape(name), text)]
    if not name or not found:
        raise UserError(f"--entity '{name}' is not in the text: copy it from there")
    if len(found) > 1:
        places = _list(f"{start}:{start + len(name)}" for start in found)
        raise UserError(
            f"--entity '{name}' is {len(found)} times in the text: give one of {places}"
        )
    return found[0], found[0] + len(name)


def _find_label(nlp: Language, span: Span, component: str | None) -> str:
    labels = [
        found.label_
        for found in predicted_entities(nlp, span.doc, component)
        if (found.start, found.end) == (span.start, span.end)
    ]
    if len(labels) == 1:
        return labels[0]
    names = [component] if component else entity_components(nlp)
    pipes: list[Any] = [nlp.get_pipe(name) for name in names]
    known = labels or sorted({each for pipe in pipes for each in pipe.labels})
    if len(known) == 1:
        return known[0]
    what = "has several labels" if labels else "is not a predicted entity"
    raise UserError(
        f"'{span.text}' {what}: choose the label by --label, one of {_list(known)}"
    )
