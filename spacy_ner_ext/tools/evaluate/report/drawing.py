"""Examples drawn by displaCy, in the colours of the page."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from markupsafe import Markup, escape
from spacy import displacy

from .blocks import Drawn
from .cells import probability

N_COLORS = 10
# displaCy's color is a class of the style sheet here, so that it fits dark pages too.
ENTITY = '<mark class="{bg}">{text}<small>{label}</small></mark>'
SPAN = {
    "span": (
        '<span class="stack" style="height:{total_height}px">{text}'
        "{span_slices}{span_starts}</span> "
    ),
    "slice": '<i class="line {bg}" style="top:{top_offset}px"></i>',
    "start": (
        '<i class="line {bg}" style="top:{top_offset}px"><small>{label}</small></i>'
    ),
}
LAYOUT = {"top_offset": 26, "span_label_offset": 24, "top_offset_step": 22}
RIGHT_TO_LEFT = ("R", "AL")
KINDS = {
    "missed": "missed",
    "spurious": "spurious",
    "wrong_label": "wrong label",
    "wrong_boundary": "wrong boundary",
    "wrong_label_and_boundary": "wrong label and boundary",
}
Spans = Sequence[Mapping[str, Any]]


class Painter:
    """Draws examples; a label has one color everywhere on the page.

    labels: The labels.
    """

    def __init__(self, labels: Iterable[str]) -> None:
        ordered = dict.fromkeys(labels)
        self._colors = {label: i % N_COLORS for i, label in enumerate(ordered)}

    def entities(self, examples: Iterable[Mapping[str, Any]]) -> list[Drawn]:
        """Draw examples of entities, gold above predictions.

        examples: The examples of a result.
        """
        return [self._drawn(example) for example in examples]

    def categories(self, examples: Iterable[Mapping[str, Any]]) -> list[Drawn]:
        """Draw texts with their categories.

        examples: The examples of a result.
        """
        return [self._drawn_text(example) for example in examples]

    def _drawn(self, example: Mapping[str, Any]) -> Drawn:
        gold, predicted = example["gold"], example["predicted"]
        rows = [("gold", gold, predicted), ("predicted", predicted, gold)]
        if "baseline" in example:
            rows.append(("baseline", example["baseline"], gold))
        wrong = _others(predicted, gold)
        differing = [*_others(gold, predicted), *wrong]
        if "baseline" in example:
            differing += _others(example["baseline"], predicted)
        return Drawn(
            name=f"document {example['document']}",
            reason=example.get("reason") or "",
            rows=[
                (name, self._draw(example, spans, other)) for name, spans, other in rows
            ],
            kinds=[KINDS.get(kind, kind) for kind in example.get("kinds") or ()],
            labels=sorted({span["label"] for span in differing}),
            confidence=_highest(wrong),
            order=example["document"],
        )

    def _draw(self, example: Mapping[str, Any], spans: Spans, other: Spans) -> Markup:
        text = example["text"]
        right = {_key(span) for span in other}
        # displaCy has a color for each label, so each span is a label of its own.
        drawn = [{**span, "label": str(place)} for place, span in enumerate(spans)]
        colors = {
            str(place): self._style(span, right) for place, span in enumerate(spans)
        }
        before, after = (
            "… " if example.get("cut_before") else "",
            " …" if example.get("cut_after") else "",
        )
        draw = _draw_stacked if _overlap(spans) else _draw_flat
        html = _put_names(draw(text, drawn, colors), [_name(span) for span in spans])
        return Markup('<div dir="{}">{}{}{}</div>').format(
            _direction(text), before, Markup(html), after
        )

    def _style(self, span: Mapping[str, Any], right: Container[tuple]) -> str:
        state = "" if _key(span) in right else " wrong"
        return f"c{self._colors.get(span['label'], 0)}{state}"

    def _drawn_text(self, example: Mapping[str, Any]) -> Drawn:
        gold = list(example["gold"])
        predicted = list(example["predicted"])
        names = [each["label"] for each in predicted]
        wrong = [each for each in predicted if each["label"] not in gold]
        text = Markup('<div dir="{}">{}{}</div>').format(
            _direction(example["text"]),
            example["text"],
            " …" if example.get("cut") else "",
        )
        rows = [
            ("gold", self._chips([(label, label in names) for label in gold])),
            ("predicted", self._chips([(_name(e), e not in wrong) for e in predicted])),
            ("text", text),
        ]
        return Drawn(
            name=f"document {example['document']}",
            reason="",
            rows=rows,
            kinds=(),
            labels=sorted({*gold, *names}),
            confidence=_highest(wrong),
            order=example["document"],
        )

    def _chips(self, labels: Sequence[tuple[str, bool]]) -> Markup:
        if not labels:
            return Markup('<span class="faint">none</span>')
        chip = Markup('<mark class="only {}"><small>{}</small></mark>')
        return Markup(" ").join(
            chip.format("" if is_right else "wrong", label)
            for label, is_right in labels
        )


def _put_names(html: str, names: Sequence[str]) -> str:
    """Write names in the place of the numbers of spans; displaCy would not escape
    them."""

    def put(found: re.Match[str]) -> str:
        return f"<small>{escape(names[int(found[1])])}</small>"

    return re.sub(r"<small>(\d+)</small>", put, html)


def _draw_flat(text: str, spans: list[dict[str, Any]], colors: dict[str, str]) -> str:
    parsed = {"text": text, "ents": spans, "settings": {"direction": _direction(text)}}
    options = {"colors": colors, "template": ENTITY}
    return displacy.render(
        parsed, style="ent", manual=True, jupyter=False, options=options
    )


def _draw_stacked(
    text: str, spans: list[dict[str, Any]], colors: dict[str, str]
) -> str:
    """Spans that overlap: displaCy draws them by tokens, which are cut where one of
    them starts or ends."""
    boundaries = {
        0,
        len(text),
        *(s["start"] for s in spans),
        *(s["end"] for s in spans),
    }
    cuts = sorted(boundaries)
    places = {cut: place for place, cut in enumerate(cuts)}
    parsed = {
        "tokens": [text[start:end] for start, end in pairwise(cuts)],
        "spans": [
            {
                "label": span["label"],
                "start_token": places[span["start"]],
                "end_token": places[span["end"]],
            }
            for span in spans
        ],
        "settings": {"direction": _direction(text)},
    }
    options = {"colors": colors, "template": SPAN, **LAYOUT}
    return displacy.render(
        parsed, style="span", manual=True, jupyter=False, options=options
    )


def _others(spans: Spans, known: Spans) -> list[Mapping[str, Any]]:
    right = {_key(span) for span in known}
    return [span for span in spans if _key(span) not in right]


def _highest(spans: Spans) -> float | None:
    return max((span["score"] for span in spans if _scored(span)), default=None)


def _key(span: Mapping[str, Any]) -> tuple[int, int, str]:
    return span["start"], span["end"], span["label"]


def _scored(span: Mapping[str, Any]) -> bool:
    return span.get("score") is not None


def _name(span: Mapping[str, Any]) -> str:
    label = span["label"]
    return f"{label} {probability(span['score'])}" if _scored(span) else label


def _overlap(spans: Spans) -> bool:
    end = 0
    for span in sorted(spans, key=lambda span: (span["start"], span["end"])):
        if span["start"] < end:
            return True
        end = span["end"]
    return False


def _direction(text: str) -> str:
    """As browsers do: the first letter with a direction decides."""
    for letter in text:
        direction = unicodedata.bidirectional(letter)
        if direction in ("L", *RIGHT_TO_LEFT):
            return "rtl" if direction in RIGHT_TO_LEFT else "ltr"
    return "ltr"
