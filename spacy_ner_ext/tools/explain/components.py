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


def _entity_components(nlp: Language) -> list[str]:
    """The trained components that predict entities; without any, all others."""
    found = [name for name in nlp.pipe_names if _span_keys(nlp, name)]
    return [each for each in found if isinstance(nlp.get_pipe(each), LEARNED)] or found


def _span_keys(nlp: Language, name: str) -> list[str]:
    """Where a component writes entities: any that declares doc.ents, unlike in
    `pipes.find`, which knows the factories that can be trained or evaluated."""
    pipe = nlp.get_pipe(name)
    if isinstance(pipe, EntityPipe):
        return expand(pipe.annotate, pipe.labels)
    return [ENTS] if "doc.ents" in nlp.get_pipe_meta(name).assigns else []


def _category_components(nlp: Language) -> list[str]:
    return [name for name, pipe in nlp.pipeline if isinstance(pipe, TextCategorizer)]


def _labels(nlp: Language, names: Iterable[str]) -> list[str]:
    pipes = [nlp.get_pipe(name) for name in names]
    return list(dict.fromkeys(each for p in pipes for each in getattr(p, "labels", ())))


def _list(names: Iterable[str]) -> str:
    return ", ".join(names) or "nothing"


def check_component(nlp: Language, name: str | None) -> None:
    """RAISES (UserError): If the pipeline has no component of this name."""
    if name is not None and name not in nlp.pipe_names:
        names = _list(nlp.pipe_names)
        raise UserError(f"the pipeline has no component '{name}', but {names}")


def entity_target(nlp: Language, span: Span, component: str | None) -> Target:
    """Choose what is explained about an entity.

    component: The component to ask; None for the one that knows the label.
    RAISES (UserError): If no component can be asked, or several can.
    """
    known = _entity_components(nlp)
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
    if _span_keys(nlp, name):
        return FoundEntity(*subject)
    raise UserError(
        f"'{name}' does not write entities to doc.ents, so nothing is known about "
        f"them: name one of {_list(known)}"
    )


def category_target(nlp: Language, category: str, component: str | None) -> Target:
    """Choose what is explained about a category; see entity_target."""
    known = _category_components(nlp)
    name = _choose(nlp, category, known, component, "categories")
    if name not in known:
        raise UserError(
            f"'{name}' does not predict categories: name one of {_list(known)}"
        )
    return Category(name, nlp.get_pipe(name), category)


def _choose(
    nlp: Language, label: str, known: Sequence[str], component: str | None, what: str
) -> str:
    asked = known if component is None else [component]
    if not asked:
        names = _list(nlp.pipe_names)
        raise UserError(f"the pipeline finds no {what}: it has {names}")
    knowing = [name for name in asked if label in _labels(nlp, [name])]
    if not knowing:
        labels = _list(sorted(_labels(nlp, asked)))
        raise UserError(
            f"{_list(asked)} does not know '{label}': choose one of {labels}"
        )
    if len(knowing) > 1:
        raise UserError(f"{_list(knowing)} know '{label}': choose one as component")
    return knowing[0]


def predicted_entities(nlp: Language, doc: Doc, component: str | None) -> list[Span]:
    """List the predicted entities of a document, each once, in the order of the text.

    component: The component whose entities are listed; None for all.
    RAISES (UserError): If no component predicts entities.
    """
    names = _entity_components(nlp) if component is None else [component]
    keys = dict.fromkeys(key for name in names for key in _span_keys(nlp, name))
    if not keys:
        who = "the pipeline" if component is None else f"'{component}'"
        advice = f"it has {_list(nlp.pipe_names)}"
        categories = _labels(nlp, _category_components(nlp))
        if categories:
            advice += f"; name a category, one of {_list(categories)}"
        raise UserError(f"{who} finds no entities that can be explained: {advice}")
    labels = set(_labels(nlp, names))
    spans = {
        (span.start, span.end, span.label_): span for span in read_spans(doc, keys)
    }
    return [spans[key] for key in sorted(spans) if key[2] in labels]


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
    found = [match.span() for match in re.finditer(re.escape(name), text)]
    if not name or not found:
        raise UserError(f"--entity '{name}' is not in the text: copy it from there")
    if len(found) > 1:
        places = _list(f"{start}:{end}" for start, end in found)
        raise UserError(
            f"--entity '{name}' is {len(found)} times in the text: give one of {places}"
        )
    return found[0]


def _find_label(nlp: Language, span: Span, component: str | None) -> str:
    predicted = predicted_entities(nlp, span.doc, component)
    place = span.start, span.end
    labels = [each.label_ for each in predicted if (each.start, each.end) == place]
    names = [component] if component else _entity_components(nlp)
    known = labels or sorted(_labels(nlp, names))
    if len(known) == 1:
        return known[0]
    what = "has several labels" if labels else "is not a predicted entity"
    raise UserError(
        f"'{span.text}' {what}: choose the label by --label, one of {_list(known)}"
    )
