"""Cut tokens where entities begin and end: what `--align split` does."""

from bisect import bisect_right
from collections.abc import Collection
from dataclasses import replace
from itertools import pairwise
from typing import Any

from spacy.tokens import Doc

from .align import EXCERPT, Tokens, excerpt
from .record import Entity, Record
from .report import ConversionReport


def split_tokens(
    doc: Doc, record: Record, entities: Collection[Entity], report: ConversionReport
) -> Record | None:
    """Give a record words that entities of characters do not cut; None if the tokens of
    the document are such words. The text stays the same."""
    tokens = Tokens(doc, doc.text)
    points: dict[int, set[int]] = {}
    for entity in entities:
        start, end = tokens.trim(entity)
        inside = [p for p in (start, end) if start < end and _is_inside(tokens, p)]
        for point in inside:
            token = bisect_right(tokens.starts, point) - 1
            points.setdefault(token, set()).add(point - tokens.starts[token])
        if inside:
            touched = tokens.touched(start, end)
            whole = excerpt(doc[touched.start : touched.stop])
            quoted = repr(doc.text[start:end][:EXCERPT])
            what = f"{entity.label} {quoted} is cut out of {whole}"
            report.note("split", entity.place or record.place, what)
            report.n_cutting += 1
    return _with_words(record, doc, points) if points else None


def _is_inside(tokens: Tokens, point: int) -> bool:
    token = bisect_right(tokens.starts, point) - 1
    return token >= 0 and tokens.starts[token] < point < tokens.ends[token]


def _with_words(record: Record, doc: Doc, points: dict[int, set[int]]) -> Record:
    words: list[str] = []
    spaces: list[bool] = []
    first: list[int] = []
    for i, token in enumerate(doc):
        first.append(len(words))
        for word, space in _cut(token.text, sorted(points.get(i, ()))):
            words.append(word)
            spaces.append(space)
        spaces[-1] = bool(token.whitespace_)
    starts = None if record.starts is None else [first[i] for i in record.starts]
    ends = [*first[1:], len(words)]
    layers = {
        name: _cut_layer(name, values, first, ends)
        for name, values in record.layers.items()
    }
    return replace(record, words=words, spaces=spaces, starts=starts, layers=layers)


def _cut(text: str, points: list[int]) -> list[tuple[str, bool]]:
    """Cut a token, and decide which parts a space follows: gold tokens may have one."""
    parts: list[tuple[str, bool]] = []
    for start, end in pairwise((0, *points, len(text))):
        part = text[start:end]
        if parts and part.startswith(" ") and not parts[-1][1]:
            parts[-1] = parts[-1][0], True
            part = part[1:]
        is_last = end == len(text)
        space = not is_last and len(part) > 1 and part.endswith(" ")
        if part:
            parts.append((part[:-1] if space else part, space))
    return parts


def _cut_layer(
    name: str, values: list[Any], first: list[int], ends: list[int]
) -> list[Any]:
    """The values of the parts of a token: they depend on the first part; other values
    of a token do not hold for its parts, so they are missing."""
    found: list[Any] = []
    for value, start, end in zip(values, first, ends):
        if end - start == 1 or name in ("heads", "deps", "sent_starts"):
            found.append(first[value] if name == "heads" else value)
            others = {"heads": start, "deps": "dep", "sent_starts": False}
            found += [others[name]] * (end - start - 1) if name in others else []
        else:
            found += [""] * (end - start)
    return found
