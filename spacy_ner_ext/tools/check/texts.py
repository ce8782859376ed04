"""Texts that occur again, inside a split or across splits."""

from collections.abc import Sequence
from hashlib import blake2b

from spacy.tokens import Doc, Span

from ...data.report import true_cats
from .findings import Finding, Places, excerpt
from .splits import SplitStats

DIGEST_SIZE = 16


class TextScan:
    """Compares the texts of a split with one another and with those of earlier splits.

    Of each text only a digest is kept.

    stats: Gets the repeated texts inside the split.
    earlier: The splits before it, complete.
    """

    def __init__(self, stats: SplitStats, earlier: Sequence["TextScan"]) -> None:
        self.stats = stats
        self.earlier = earlier
        # Places of texts with the same entities and categories, and with others.
        self.shared = [(Places(), Places()) for _ in earlier]
        self._entities: dict[bytes, bytes] = {}

    def add(self, place: str, doc: Doc, ents: Sequence[Span]) -> None:
        """Compare one document."""
        text = doc.text
        if not text.strip():
            return
        key = _digest(text)
        spans = [(ent.start_char, ent.end_char, ent.label_) for ent in ents]
        entities = _digest(repr((spans, sorted(true_cats(doc)))))
        first = self._entities.setdefault(key, entities)
        if first is not entities:
            same = first == entities
            places = self.stats.repeated if same else self.stats.conflicting
            places.add(f"{place}: {excerpt(text)}")
            return
        for scan, (same_places, other_places) in zip(self.earlier, self.shared):
            theirs = scan._entities.get(key)
            if theirs is not None:
                places = same_places if theirs == entities else other_places
                places.add(excerpt(text))


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8"), digest_size=DIGEST_SIZE).digest()


def check_overlaps(scan: TextScan) -> list[Finding]:
    """Tell which texts of a split are also in earlier ones.

    RETURNS: The findings, earlier splits in their order.
    """
    name = scan.stats.name
    kinds = ("with the same entities", "with other entities")
    return [
        Finding(
            "warning",
            name,
            f"texts in {name} that are also in {earlier.stats.name}, "
            f"{kind}: {places.count}",
            places.examples,
        )
        for earlier, shared in zip(scan.earlier, scan.shared)
        for kind, places in zip(kinds, shared)
        if places.count
    ]
