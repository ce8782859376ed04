"""Spans and labels as they are named on the command line."""

from __future__ import annotations

import re
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc, Span

from ...util.errors import UserError
from .choice import entity_components, predicted_entities

CHARACTERS = re.compile(r"(\d+):(\d+)")


def name_span(
    nlp: Language, doc: Doc, name: str, label: str | None, component: str | None
) -> Span:
    """Find the span that is meant.

    name: Its text, or its first character and the one after its last, "4:12".
    label: Its label; by default that of the predicted entity, or the only one there is.
    component: The component to be asked.
    RAISES (UserError): If there is none, there are several, or it has no label.
    """
    start, end = _characters(doc.text, name)
    span = doc.char_span(start, end)
    if span is None:
        near = doc.char_span(start, end, alignment_mode="expand")
        words = "" if near is None else near.text.strip()
        hint = f"the tokens are '{words}'" if words else "name some tokens"
        raise UserError(
            f"--entity {name} does not begin and end with tokens of the text: {hint}"
        )
    label = label or _label_of(nlp, span, component)
    return Span(doc, span.start, span.end, label=label)


def _characters(text: str, name: str) -> tuple[int, int]:
    numbers = CHARACTERS.fullmatch(name)
    if numbers is not None:
        start, end = int(numbers[1]), int(numbers[2])
        if not start < end <= len(text):
            raise UserError(
                f"--entity {name} is no part of the text, which has {len(text)} "
                "characters: give START:END within it"
            )
        return start, end
    found = [match.start() for match in re.finditer(re.escape(name), text)]
    if not name or not found:
        raise UserError(f"--entity '{name}' is not in the text: copy it from there")
    if len(found) > 1:
        places = ", ".join(f"{start}:{start + len(name)}" for start in found)
        raise UserError(
            f"--entity '{name}' is {len(found)} times in the text: give one of {places}"
        )
    return found[0], found[0] + len(name)


def _label_of(nlp: Language, span: Span, component: str | None) -> str:
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
    what = "has several labels" if labels else "is no entity that was found"
    raise UserError(
        f"'{span.text}' {what}: choose the label by --label, one of {', '.join(known)}"
    )
