"""Read the spans and the gold tokens of a JSON record."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...util.errors import Place
from ..record import Entity
from ..report import NotedPlace
from .json_file import checked, excerpt, field

ADVICE = "correct the tokens or leave out 'tokens'"


def read_spans(items: Sequence[Any], text: str, place: NotedPlace) -> list[Entity]:
    """Read annotated spans."""
    return [span for item in items for span in _spans(item, text, place)]


def _spans(item: Any, text: str, place: NotedPlace) -> Iterator[Entity]:
    if isinstance(item, list):
        if len(item) != 3:
            what = f"span {excerpt(item)} is not a start, an end and a label"
            raise place.error(f"{what}; correct it")
        item = dict(zip(("start", "end", "label"), item))
    checked(item, dict, "a span", place)
    start, end = _offset(item, "start", place), _offset(item, "end", place)
    if item.get("text") is not None:
        surface = field(item, "text", str, place)
        start, end = _located(start, end, surface, text, place)
    labels = _labels(item, place)
    if not labels:
        place.note("dropped", f"the span from {start} to {end} has no label")
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
    place: NotedPlace,
) -> tuple[int, int]:
    """Check the text of a span, and repair offsets in UTF-16 units."""
    if not 0 <= start <= end or text[start:end] == surface:
        return start, end
    moved = _characters(text, start), _characters(text, end)
    if text[slice(*moved)] == surface:
        what = f"span {start} to {end} counts UTF-16 units, and is {moved[0]} to "
        place.note("repaired", f"{what}{moved[1]} in characters")
        return moved
    what = f"the span from {start} to {end} is {excerpt(text[start:end])}"
    advice = f"but its 'text' is {excerpt(surface)}; correct its start and end"
    raise place.error(f"{what}, {advice}")


def _characters(text: str, n_units: int) -> int:
    """The number of characters in the first UTF-16 units of a text."""
    units = text.encode("utf-16-le")[: 2 * n_units]
    return len(units.decode("utf-16-le", "ignore"))


def read_words(
    tokens: Sequence[Any], text: str, place: Place
) -> tuple[list[str], list[bool]]:
    """Read the words, and whether a space follows each."""
    words: list[str] = []
    spaces: list[bool] = []
    position = 0
    for i, token in enumerate(tokens):
        word = field(checked(token, dict, "a token", place), "text", str, place)
        if not word or not text.startswith(word, position):
            what = f"token {i}, {word!r}, is not at character {position} of the text"
            raise place.error(f"{what}; {ADVICE}")
        position += len(word)
        has_space = _has_space(tokens, i, position, text, place)
        if has_space and not text.startswith(" ", position):
            what = f"no space follows token {i}, {word!r}, at character {position}"
            raise place.error(f"{what}; {ADVICE}")
        position += has_space
        words.append(word)
        spaces.append(has_space)
    if position != len(text):
        what = f"the tokens spell {position} of {len(text)} characters of the text"
        raise place.error(f"{what}; {ADVICE}")
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
    """Read "sent_starts": the words that start a sentence; None if it is missing."""
    if values.get("sent_starts") is None:
        return None
    starts = field(values, "sent_starts", list, place)
    for start in starts:
        if not 0 <= checked(start, int, "a sentence start", place) < n_words:
            what = f"a sentence starts at token {start}, but the last is {n_words - 1}"
            raise place.error(f"{what}; correct 'sent_starts'")
    return starts


def spans_of_words(
    entities: Sequence[Entity], words: Sequence[str], spaces: Sequence[bool]
) -> list[Entity] | None:
    """Count entities in words; None if the boundaries of one are not those of words."""
    first: dict[int, int] = {}
    end: dict[int, int] = {}
    position = 0
    for i, (word, space) in enumerate(zip(words, spaces)):
        first[position] = i
        end[position + len(word)] = i + 1
        position += len(word) + space
    if any(e.start not in first or e.end not in end for e in entities):
        return None
    return [e._replace(start=first[e.start], end=end[e.end]) for e in entities]
