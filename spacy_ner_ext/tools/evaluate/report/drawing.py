"""Examples drawn by displaCy in the colors of the page."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from markupsafe import Markup, escape
from spacy import displacy

from .numbers import probability

N_COLORS = 10
# The color is a class of the style sheet, which has another one for dark pages.
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
Span = Mapping[str, Any]
Example = Mapping[str, Any]


class Painter:
    """Draws examples; a label has the same color everywhere on the page."""

    def __init__(self, labels: Iterable[str]) -> None:
        ordered = dict.fromkeys(labels)
        self._colors = {label: i % N_COLORS for i, label in enumerate(ordered)}

    def draw_entities(self, examples: Iterable[Example]) -> list[dict[str, Any]]:
        """Draw texts with gold above predicted entities."""
        return [self._draw_example(example) for example in examples]

    def _draw_example(self, example: Example) -> dict[str, Any]:
        gold, predicted = example["gold"], example["predicted"]
        sides = [("gold", gold, predicted), ("predicted", predicted, gold)]
        wrong = _only(predicted, gold)
        differing = [*_only(gold, predicted), *wrong]
        if "baseline" in example:
            sides.append(("baseline", example["baseline"], gold))
            differing += _only(example["baseline"], predicted)
        return {
            "document": example["document"],
            "reason": example.get("reason"),
            "kinds": [kind.replace("_", " ") for kind in example.get("kinds") or ()],
            "labels": sorted({span["label"] for span in differing}),
            "confidence": _highest_score(wrong),
            "rows": [(name, self._draw(example, *side)) for name, *side in sides],
        }

    def _draw(
        self, example: Example, spans: Sequence[Span], other: Sequence[Span]
    ) -> Markup:
        text, right = example["text"], {_key(span) for span in other}
        # displaCy has one color a label, so each span is passed as its own label.
        parsed = [{**span, "label": str(number)} for number, span in enumerate(spans)]
        colors = {
            str(number): self._style(span, right) for number, span in enumerate(spans)
        }
        draw = _draw_stacked if _overlap(spans) else _draw_flat
        html = _put_names(draw(text, parsed, colors), [_name(span) for span in spans])
        before = "… " if example.get("cut_before") else ""
        after = " …" if example.get("cut_after") else ""
        return Markup('<div dir="{}">{}{}{}</div>').format(
            _direction(text), before, Markup(html), after
        )

    def _style(self, span: Span, right: Container[tuple]) -> str:
        state = "" if _key(span) in right else " wrong"
        return f"c{self._colors.get(span['label'], 0)}{state}"

    def draw_categories(self, examples: Iterable[Example]) -> list[dict[str, Any]]:
        """Draw texts below their gold and predicted categories."""
        return [_draw_text(example) for example in examples]


def _draw_text(example: Example) -> dict[str, Any]:
    gold, predicted = example["gold"], example["predicted"]
    names = [each["label"] for each in predicted]
    wrong = [each for each in predicted if each["label"] not in gold]
    text = Markup('<div dir="{}">{}{}</div>').format(
        _direction(example["text"]),
        example["text"],
        " …" if example.get("cut") else "",
    )
    return {
        "document": example["document"],
        "reason": None,
        "kinds": [],
        "labels": sorted({*gold, *names}),
        "confidence": _highest_score(wrong),
        "rows": [
            ("gold", _chips([(label, label in names) for label in gold])),
            ("predicted", _chips([(_name(e), e not in wrong) for e in predicted])),
            ("text", text),
        ],
    }


def _chips(labels: Sequence[tuple[str, bool]]) -> Markup:
    if not labels:
        return Markup('<span class="faint">none</span>')
    chip = Markup('<mark class="only {}"><small>{}</small></mark>')
    return Markup(" ").join(
        chip.format("" if is_right else "wrong", label) for label, is_right in labels
    )


def _put_names(html: str, names: Sequence[str]) -> str:
    """Replace the numbers of spans by their names, which displaCy would not escape."""

    def put(found: re.Match[str]) -> str:
        return f"<small>{escape(names[int(found[1])])}</small>"

    return re.sub(r"<small>(\d+)</small>", put, html)


def _draw_flat(text: str, spans: list[dict[str, Any]], colors: dict[str, str]) -> str:
    options = {"colors": colors, "template": ENTITY}
    return _render("ent", {"text": text, "ents": spans}, text, options)


def _draw_stacked(
    text: str, spans: list[dict[str, Any]], colors: dict[str, str]
) -> str:
    """Draw overlapping spans; displaCy draws them by tokens, so the text is split at
    the boundaries of spans."""
    ends = {end for span in spans for end in (span["start"], span["end"])}
    cuts = sorted({0, len(text), *ends})
    numbers = {cut: number for number, cut in enumerate(cuts)}
    parsed = {
        "tokens": [text[start:end] for start, end in pairwise(cuts)],
        "spans": [
            {
                "label": span["label"],
                "start_token": numbers[span["start"]],
                "end_token": numbers[span["end"]],
            }
            for span in spans
        ],
    }
    options = {"colors": colors, "template": SPAN, **LAYOUT}
    return _render("span", parsed, text, options)


def _render(
    style: str, parsed: dict[str, Any], text: str, options: dict[str, Any]
) -> str:
    parsed["settings"] = {"direction": _direction(text)}
    return displacy.render(
        parsed, style=style, manual=True, jupyter=False, options=options
    )


def _only(spans: Sequence[Span], others: Sequence[Span]) -> list[Span]:
    known = {_key(span) for span in others}
    return [span for span in spans if _key(span) not in known]


def _highest_score(spans: Iterable[Span]) -> float | None:
    scores = [span["score"] for span in spans if span.get("score") is not None]
    return max(scores, default=None)


def _key(span: Span) -> tuple[int, int, str]:
    return span["start"], span["end"], span["label"]


def _name(span: Span) -> str:
    score, label = span.get("score"), span["label"]
    return label if score is None else f"{label} {probability(score)}"


def _overlap(spans: Sequence[Span]) -> bool:
    ordered = sorted(spans, key=lambda span: (span["start"], span["end"]))
    return any(a["end"] > b["start"] for a, b in pairwise(ordered))


def _direction(text: str) -> str:
    """As in browsers, the first letter with a direction decides."""
    for letter in text:
        direction = unicodedata.bidirectional(letter)
        if direction in ("L", *RIGHT_TO_LEFT):
            return "rtl" if direction in RIGHT_TO_LEFT else "ltr"
    return "ltr"
