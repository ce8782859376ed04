"""Predict texts over spaCy's limit, `nlp.max_length`, in overlapping windows.

A window is predicted like a text. Of its results, those count that start in its core,
and there is a margin of text on both sides of the core. Windows and cores begin where
sentences begin, so that a component that reads sentence by sentence finds the same as
in the whole text; where no sentence begins, they begin after white space.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy
from spacy.attrs import IDX, IS_SPACE, SENT_START, SPACY
from spacy.tokens import Doc

# Characters of a window: much less than the limit, since memory grows with them.
SIZE = 100_000
# Characters before and after the core, which components see as context.
MARGIN = 10_000
# Places where the text may be cut, the best kind first.
Places = list[numpy.ndarray]


class Window(NamedTuple):
    """The predictions in a window, and its core, in characters of the text."""

    begin: int
    start: int
    end: int
    found: dict[str, Any]

    def move(self, spans: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """The spans that start in the core, with their places in the text."""
        for span in spans:
            start, end = self.begin + span["start"], self.begin + span["end"]
            if self.start <= start < self.end:
                yield {**span, "start": start, "end": end}


def predict_windows(
    text: str, limit: int, run: Callable[[str], tuple[dict[str, Any], Places]]
) -> Iterator[Window]:
    """Cut a text into windows of at most `limit` characters; `run` predicts one, and
    finds the places where the next one may begin."""
    size = min(SIZE, limit)
    margin = min(MARGIN, size // 4)
    begin = start = 0
    while begin + size < len(text):
        found, places = run(text[begin : begin + size])
        end = _last(places, size // 2 + 1, size - margin)
        yield Window(begin, start, begin + end, found)
        start = begin + end
        begin += _last(places, max(end - 2 * margin, 1), end - margin)
    yield Window(begin, start, len(text), run(text[begin:])[0])


def find_places(doc: Doc) -> Places:
    """The characters at which a text may be cut: where a sentence starts, a word after
    white space, or any token, but not inside a predicted span."""
    attributes = doc.to_array([IDX, SPACY, IS_SPACE, SENT_START]).astype("int64")
    idx, space, is_space, sentence = attributes.T
    free = numpy.ones(len(doc), dtype=bool)
    spans = [span for group in doc.spans.values() for span in group]
    for span in [*doc.ents, *spans]:
        free[span.start + 1 : span.end] = False
    is_word = free & (is_space == 0)
    is_word[0] = False
    is_word[1:] &= (space | is_space)[:-1] == 1
    return [idx[is_word & (sentence == 1)], idx[is_word], idx[free]]


def _last(places: Places, first: int, last: int) -> int:
    """The last place of the best kind in a range; the end of the range without any."""
    for found in places:
        inside = found[(found >= first) & (found <= last)]
        if len(inside):
            return int(inside[-1])
    return last


def merge(windows: list[Window]) -> dict[str, Any]:
    """Join the predictions to those of the text; the score of a category is the mean,
    weighted by the characters of the cores."""
    entities: list[dict[str, Any]] = []
    groups: dict[str, list[dict[str, Any]]] = {}
    cats: dict[str, float] = {}
    for window in windows:
        found = window.found
        entities += window.move(found["entities"])
        for key, spans in found.get("spans", {}).items():
            groups.setdefault(key, []).extend(window.move(spans))
        share = (window.end - window.start) / windows[-1].end
        for name, score in found.get("cats", {}).items():
            cats[name] = cats.get(name, 0.0) + share * score
    merged: dict[str, Any] = {"entities": entities}
    merged |= {"spans": groups} if groups else {}
    merged |= {"cats": {name: round(s, 6) for name, s in cats.items()}} if cats else {}
    return merged
