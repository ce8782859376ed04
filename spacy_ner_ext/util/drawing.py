"""Examples as HTML: entities marked in their text in the colors of their labels."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from markupsafe import Markup, escape

from .numbers import probability

N_COLORS = 10
MARK = Markup('<mark class="{}">{}<small>{}</small></mark>')
CHIP = Markup('<mark class="only {}"><small>{}</small></mark>')
# Overlapping entities are lines below the text, each with its label at its start.
STACK = Markup('<span class="stack" style="height:{}px">{}{}</span> ')
LABEL = Markup("<small>{}</small>")
LINE = Markup('<i class="line {}" style="top:{}px">{}</i>')
FIRST_LINE, LINE_HEIGHT = 26, 22
Span = Mapping[str, Any]
Example = Mapping[str, Any]


def label_colors(labels: Iterable[str]) -> dict[str, int]:
    """Number the colors of labels, which are the same everywhere on the page."""
    return {label: i % N_COLORS for i, label in enumerate(dict.fromkeys(labels))}


def draw_entities(example: Example, colors: Mapping[str, int]) -> dict[str, Any]:
    """Draw a text with gold above predicted entities."""
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
        "rows": [(name, _draw(example, *side, colors=colors)) for name, *side in sides],
    }


def _draw(
    example: Example,
    spans: Sequence[Span],
    other: Sequence[Span],
    *,
    colors: Mapping[str, int],
) -> Markup:
    wrong = {_key(span) for span in _only(spans, other)}
    drawn = [
        {
            **span,
            "name": _name(span),
            "style": f"c{colors.get(span['label'], 0)}"
            + " wrong" * (_key(span) in wrong),
        }
        for span in sorted(spans, key=lambda s: (s["start"], -s["end"]))
    ]
    overlap = any(a["end"] > b["start"] for a, b in pairwise(drawn))
    html = (_draw_stacked if overlap else _draw_flat)(example["text"], drawn)
    before = "… " if example.get("cut_before") else ""
    after = " …" if example.get("cut_after") else ""
    return _directed(example["text"], before + html + after)


def draw_categories(example: Example) -> dict[str, Any]:
    """Draw a text below its gold and predicted categories."""
    gold, predicted, text = example["gold"], example["predicted"], example["text"]
    names = [each["label"] for each in predicted]
    wrong = [each for each in predicted if each["label"] not in gold]
    after = " …" if example.get("cut") else ""
    return {
        "document": example["document"],
        "reason": None,
        "kinds": [],
        "labels": sorted({*gold, *names}),
        "confidence": _highest_score(wrong),
        "rows": [
            ("gold", _chips([(label, label in names) for label in gold])),
            ("predicted", _chips([(_name(e), e not in wrong) for e in predicted])),
            ("text", _directed(text, escape(text) + after)),
        ],
    }


def _chips(labels: Sequence[tuple[str, bool]]) -> Markup:
    if not labels:
        return Markup('<span class="faint">none</span>')
    chips = (CHIP.format("" if right else "wrong", label) for label, right in labels)
    return Markup(" ").join(chips)


def _draw_flat(text: str, spans: Sequence[Span]) -> Markup:
    html, last = Markup(), 0
    for span in spans:
        start, end = span["start"], span["end"]
        html += _lines(text[last:start])
        html += MARK.format(span["style"], text[start:end], span["name"])
        last = end
    return html + _lines(text[last:])


def _lines(text: str) -> Markup:
    return Markup("<br>").join(text.split("\n"))


def _draw_stacked(text: str, spans: Sequence[Span]) -> Markup:
    """Draw overlapping spans below the pieces of text between their boundaries."""
    ends = {end for span in spans for end in (span["start"], span["end"])}
    html, slots = Markup(), dict[int, int]()
    for start, end in pairwise(sorted({0, len(text), *ends})):
        inside = [n for n, s in enumerate(spans) if s["start"] <= start < s["end"]]
        for above, n in zip([None, *inside], inside):
            slots.setdefault(n, 0 if above is None else slots[above] + 1)
        lines = [_line(spans[n], slots[n]) for n in inside]
        lines += [
            _line(spans[n], slots[n], LABEL.format(spans[n]["name"]))
            for n in inside
            if spans[n]["start"] == start
        ]
        height = FIRST_LINE + 2 + LINE_HEIGHT * len(inside)
        html += (
            STACK.format(height, text[start:end], Markup().join(lines))
            if inside and text[start:end].strip()
            else escape(text[start:end] + " ")
        )
    return html


def _line(span: Span, slot: int, label: str = "") -> Markup:
    return LINE.format(span["style"], FIRST_LINE + LINE_HEIGHT * slot, label)


def _directed(text: str, html: Markup) -> Markup:
    """Set the direction of a text; as in browsers, its first letter decides."""
    found = (unicodedata.bidirectional(letter) for letter in text)
    direction = next((each for each in found if each in ("L", "R", "AL")), "L")
    name = "ltr" if direction == "L" else "rtl"
    return Markup('<div dir="{}">{}</div>').format(name, html)


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
