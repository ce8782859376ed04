"""Texts to predict, and their results: plain values, in any process."""

import json
from collections.abc import Mapping
from datetime import date, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from ...util.errors import Place

if TYPE_CHECKING:
    from spacy.tokens import Doc

# The name of the text in a result.
TEXT = "text"
# Fields of a result.
FIELDS = ("entities", "spans", "cats", "error")
# The start of the error of a text over a maximum that the user gave.
TOO_LONG = "the text has"


def _as_text(value: object) -> str:
    """Write dates, times and decimal numbers, which a table may have."""
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not a type of JSON")


# One encoder for all results, where json.dumps would make one for each.
to_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=_as_text).encode


class Words(NamedTuple):
    """The tokens of a text, and whether a space follows each of them."""

    words: list[str]
    spaces: list[bool]

    @classmethod
    def of(cls, doc: "Doc") -> "Words":
        tokens = [(token.text, bool(token.whitespace_)) for token in doc]
        return cls([text for text, _ in tokens], [space for _, space in tokens])


class Item(NamedTuple):
    """One text.

    place: Where it was read.
    content: The text, or its tokens.
    head: The start of its line in the output: JSON of the text and the fields that are
        carried through, without the closing brace; empty if columns were asked for.
    replaced: The number of fields left out because they have the name of a prediction.
    error: Why the line cannot be read, with its place; empty if it can.
    columns: The columns that were asked for.
    """

    place: Place
    content: str | Words
    head: str = ""
    replaced: int = 0
    error: str = ""
    columns: Mapping[str, Any] = {}


def n_characters(text: str | Words) -> int:
    """The length of a text."""
    if isinstance(text, str):
        return len(text)
    return sum(map(len, text.words)) + sum(text.spaces)
