"""Turn mentions, quotes with offsets and a label, into entities."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ..util.errors import Place, check_choice
from .offsets import Fragments, Quote, find_quotes
from .record import Entity
from .report import ConversionReport

FRAGMENTS = ("merge", "parts")
EXCERPT = 60


class Mention(NamedTuple):
    """A quote with its label.

    name: The subject of notes and errors about it.
    values: Values of span extensions, by name.
    """

    place: Place
    name: str
    label: str
    quote: Quote
    values: Mapping[str, Any] = {}


def locate(
    text: str,
    mentions: Sequence[Mention],
    fragments: str,
    report: ConversionReport,
    offset: int = 0,
) -> Iterator[Entity]:
    """Find the mentions of a text, and create an entity of each, or of each fragment.

    fragments: One of `FRAGMENTS`.
    offset: Where the text starts in that of the document.
    """
    check_choice("fragments", fragments, FRAGMENTS)
    quotes = find_quotes(text, [mention.quote for mention in mentions])
    for mention, found in zip(mentions, quotes):
        place, name, label, quote, values = mention
        if found is None:
            raise place.error(_fault(text, mention))
        if found.how:
            report.note("relocated", place, f"{name}: {found.how}")
        parts = _parts(text, mention, found)
        if len(parts) > 1:
            done = "merged" if fragments == "merge" else "made entities"
            what = f"{name} has {len(parts)} fragments, {done}"
            report.note("fragments", place, what)
        if fragments == "merge":
            parts = [(parts[0][0], parts[-1][1])]
        is_quoted = quote.text is not None
        for start, end in parts:
            bounds = (offset + start, offset + end)
            yield Entity(*bounds, label, place, values, is_quoted=is_quoted)


def _fault(text: str, mention: Mention) -> str:
    spans, quoted = mention.quote
    if quoted is None:
        shown = ", ".join(f"{start} to {end}" for start, end in spans)
        what = f"{mention.name} from {shown} is not in the text of {len(text)} "
        return f"{what}characters; correct its offsets"
    there = " ".join(text[start:end] for start, end in spans)
    what = f"{mention.name} is {quoted[:EXCERPT]!r}, but {there[:EXCERPT]!r} is at its "
    return f"{what}offsets; correct them"


def _parts(text: str, mention: Mention, found: Fragments) -> list[tuple[int, int]]:
    """The fragments in order; those that only white space separates are one."""
    spans = sorted(found.spans)
    parts = spans[:1]
    for start, end in spans[1:]:
        first, last = parts[-1]
        if start < last:
            what = f"fragments of {mention.name} overlap; correct its offsets"
            raise mention.place.error(what)
        if text[last:start].strip():
            parts.append((start, end))
        else:
            parts[-1] = (first, end)
    return parts
