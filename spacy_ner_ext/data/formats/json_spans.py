"""The spans of records in JSON.

A span is an array of start, end and label, or an object with "start" or
"start_offset", "end" or "end_offset", and "label" or an array "labels". If the object
has a "text" too, it must be what the text has there. Older versions of Label Studio
count a character beyond U+FFFF as two; where the "text" shows that, it is repaired.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from ...util.errors import Place, UserError
from ..record import Entity
from ..report import ConversionReport
from .json_checks import checked, excerpt, field


def read_spans(
    items: Sequence[Any], text: str, place: Place, report: ConversionReport
) -> list[Entity]:
    """Read annotated spans.

    text: The text that they are of.
    report: Gets what was repaired or left out.
    RAISES (UserError): If one is something else, or its text differs.
    """
    return [span for item in items for span in _spans(item, text, place, report)]


def _spans(
    item: Any, text: str, place: Place, report: ConversionReport
) -> Iterator[Entity]:
    if isinstance(item, list):
        if len(item) != 3:
            what = f"span {excerpt(item)} is not of start, end and label; correct it"
            raise UserError.at(place, what)
        item = dict(zip(("start", "end", "label"), item))
    checked(item, dict, "a span", place)
    start, end = _offset(item, "start", place), _offset(item, "end", place)
    if item.get("text") is not None:
        surface = field(item, "text", str, place)
        start, end = _located(start, end, surface, text, place, report)
    labels = _labels(item, place)
    if not labels:
        what = f"the span from {start} to {end} has no label"
        report.note("dropped", place, what)
    for label in labels:
        yield Entity(start, end, label, place)


def _offset(item: dict[str, Any], name: str, place: Place) -> int:
    long_name = f"{name}_offset"
    return field(item, long_name if long_name in item else name, int, place)


def _labels(item: dict[str, Any], place: Place) -> list[str]:
    if "labels" not in item:
        return [field(item, "label", str, place)]
    labels = field(item, "labels", list, place)
    return [checked(label, str, "a label", place) for label in labels]


def _located(
    start: int,
    end: int,
    surface: str,
    text: str,
    place: Place,
    report: ConversionReport,
) -> tuple[int, int]:
    """Check that a span covers what it says."""
    if not 0 <= start <= end or text[start:end] == surface:
        return start, end
    moved = _characters(text, start), _characters(text, end)
    if text[slice(*moved)] == surface:
        what = f"span {start} to {end} counts UTF-16 units, and is {moved[0]} to "
        report.note("repaired", place, f"{what}{moved[1]} in characters")
        return moved
    what = f"the span from {start} to {end} is {excerpt(text[start:end])}"
    advice = f"and its text says {excerpt(surface)}; correct its start and end"
    raise UserError.at(place, f"{what}, {advice}")


def _characters(text: str, n_units: int) -> int:
    """The characters in so many UTF-16 units at the start of a text."""
    units = text.encode("utf-16-le")[: 2 * n_units]
    return len(units.decode("utf-16-le", "ignore"))
