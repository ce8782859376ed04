"""The gold tokens of records in JSON, as Prodigy writes them."""

from collections.abc import Mapping, Sequence
from typing import Any

from ...util.errors import Place, UserError
from ..record import Entity
from .json_checks import checked, field

ADVICE = "correct the tokens or leave out 'tokens'"


def read_words(
    tokens: Sequence[Any], text: str, place: Place
) -> tuple[list[str], list[bool]]:
    """Read tokens that spell a text.

    tokens: Objects with "text" and "ws", whether a space follows; or "start" in place
        of "ws".
    RETURNS: The words, and whether a space follows each.
    RAISES (UserError): If the tokens do not spell the text.
    """
    words: list[str] = []
    spaces: list[bool] = []
    position = 0
    for i, token in enumerate(tokens):
        word = field(checked(token, dict, "a token", place), "text", str, place)
        if not word or not text.startswith(word, position):
            what = f"token {i}, {word!r}, is not at character {position} of the text"
            raise UserError.at(place, f"{what}; {ADVICE}")
        position += len(word)
        has_space = _has_space(tokens, i, position, text, place)
        if has_space and not text.startswith(" ", position):
            what = f"no space follows token {i}, {word!r}, at character {position}"
            raise UserError.at(place, f"{what}; {ADVICE}")
        position += has_space
        words.append(word)
        spaces.append(has_space)
    if position != len(text):
        what = f"the tokens spell {position} of {len(text)} characters of the text"
        raise UserError.at(place, f"{what}; {ADVICE}")
    return words, spaces


def _has_space(
    tokens: Sequence[Any], i: int, end: int, text: str, place: Place
) -> bool:
    has_space = tokens[i].get("ws")
    if isinstance(has_space, bool):
        return has_space
    if i + 1 == len(tokens):
        return text.startswith(" ", end)
    following = checked(tokens[i + 1], dict, "a token", place)
    return field(following, "start", int, place) > end


def read_starts(
    values: Mapping[str, Any], n_words: int, place: Place
) -> list[int] | None:
    """Read which words start a sentence.

    values: The record; "sent_starts" holds the numbers of words.
    n_words: How many words there are.
    RETURNS: The numbers; None if they are not given.
    RAISES (UserError): If there is no such word.
    """
    if values.get("sent_starts") is None:
        return None
    starts = field(values, "sent_starts", list, place)
    for start in starts:
        if not 0 <= checked(start, int, "a sentence start", place) < n_words:
            what = f"a sentence starts at token {start}, and there are {n_words}"
            raise UserError.at(place, f"{what}; correct 'sent_starts'")
    return starts


def spans_of_words(
    entities: Sequence[Entity], words: Sequence[str], spaces: Sequence[bool]
) -> list[Entity] | None:
    """Count entities in words where all start and end with words.

    spaces: Whether a space follows each.
    RETURNS: The same, counting words; None if one does not start or end with a word.
    """
    first: dict[int, int] = {}
    behind: dict[int, int] = {}
    position = 0
    for i, (word, space) in enumerate(zip(words, spaces)):
        first[position] = i
        behind[position + len(word)] = i + 1
        position += len(word) + space
    if any(e.start not in first or e.end not in behind for e in entities):
        return None
    return [e._replace(start=first[e.start], end=behind[e.end]) for e in entities]
