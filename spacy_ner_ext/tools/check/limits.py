"""Spans and documents that are longer than what a config lets through."""

from collections.abc import Iterator, Sequence

from spacy.tokens import Doc, Span

from .config import DocLimit, Limits, SpanLimit
from .findings import Finding, Places
from .splits import place_of


class LimitScan:
    """Counts what of a split is too long.

    name: The name of the split.
    limits: The limits of a config.
    """

    def __init__(self, name: str, limits: Limits) -> None:
        self.name = name
        self.spans = [(limit, Places()) for limit in limits.spans]
        self.docs = limits.docs.get(name)
        self.cut = Places()
        self.left_out = Places()
        self.lost_entities = 0

    def add(self, place: str, doc: Doc, ents: Sequence[Span]) -> None:
        """Look at one document."""
        for limit, places in self.spans:
            for span in _spans(doc, ents, limit.keys):
                if _length(span, limit.with_spaces) not in limit.sizes:
                    places.add(place_of(place, span))
        if self.docs is not None and len(doc) >= self.docs.tokens:
            self._add_long(place, doc, self.docs)

    def _add_long(self, place: str, doc: Doc, limit: DocLimit) -> None:
        is_cut = doc.has_annotation("SENT_START")
        parts = list(doc.sents) if is_cut else [doc[:]]
        if is_cut:
            self.cut.add(f"{place}: {len(doc)} tokens")
        for part in parts:
            if len(part) >= limit.tokens:
                self.left_out.add(f"{place}: {len(part)} tokens")
                self.lost_entities += len(part.ents)

    def findings(self) -> list[Finding]:
        """What is too long, where anything is."""
        found = [
            (f"{_describe(limit, self.name)}: {places.count}", places)
            for limit, places in self.spans
        ]
        if self.docs is not None:
            limit = (
                f"{self.docs.tokens} tokens or more, max_length of [{self.docs.reader}]"
            )
            what = f"documents in {self.name} of {limit}, cut into sentences"
            found.append((f"{what}: {self.cut.count}", self.cut))
            what = f"texts in {self.name} of {limit}, left out with"
            what = f"{what} {self.lost_entities} entities: {self.left_out.count}"
            found.append((what, self.left_out))
        return [
            Finding("warning", self.name, what, places.examples)
            for what, places in found
            if places.count
        ]


def _spans(doc: Doc, ents: Sequence[Span], keys: tuple[str, ...]) -> Iterator[Span]:
    for key in keys:
        if key == "ents":
            yield from ents
        elif key in doc.spans:
            yield from doc.spans[key]


def _length(span: Span, with_spaces: bool) -> int:
    if with_spaces:
        return len(span)
    return sum(not token.is_space for token in span)


def _describe(limit: SpanLimit, split: str) -> str:
    sizes = limit.sizes
    if list(sizes) == list(range(1, len(sizes) + 1)):
        which = f"longer than {len(sizes)} word{'s' * (len(sizes) > 1)}, the most"
    else:
        which = f"not of {', '.join(map(str, sizes))} words, the lengths"
    return f"entities in {split} {which} that {limit.component} finds, which are lost"
