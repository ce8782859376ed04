"""Counts of a split, problems of a split or its labels, and repeated texts."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from typing import Any

from spacy.tokens import Doc, Span

from ...data.lang import BlankPipeline
from ...data.report import count_sentences, true_cats
from .findings import Finding, Places, Severity, excerpt, make_warnings, place_of

# The threshold of spaCy's own `debug data`.
RARE = 50


@dataclass
class SplitStats:
    """Counts of a split.

    docs_unannotated: Documents with neither entity annotation nor categories.
    docs_with_text: Documents that know their spaces. For training and evaluation spaCy
        tokenizes their text again; of the others it takes the tokens.
    cats: Documents of which a category is true, by category.
    white_space: Entities that start or end in a white-space token.
    misaligned: Entities, in documents that know their spaces, whose boundaries are not
        boundaries of the tokenizer's tokens.
    repeated: Documents with the text and the entities of an earlier one.
    conflicting: Documents with the text of an earlier one and different entities.
    """

    name: str
    path: str
    docs: int = 0
    tokens: int = 0
    sentences: int = 0
    docs_without_entities: int = 0
    docs_unannotated: int = 0
    docs_with_cats: int = 0
    docs_with_text: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    cats: Counter[str] = field(default_factory=Counter)
    lengths: Counter[int] = field(default_factory=Counter)
    white_space: Places = field(default_factory=Places)
    misaligned: Places = field(default_factory=Places)
    repeated: Places = field(default_factory=Places)
    conflicting: Places = field(default_factory=Places)

    @property
    def entities(self) -> int:
        return self.labels.total()

    def add(
        self, place: str, doc: Doc, ents: Sequence[Span], blank: BlankPipeline
    ) -> None:
        self.docs += 1
        self.tokens += len(doc)
        self.sentences += count_sentences(doc)
        self.docs_with_text += not doc.has_unknown_spaces
        self.docs_with_cats += bool(doc.cats)
        self.cats.update(true_cats(doc))
        if len(doc) and not ents and not doc.to_array("ENT_IOB").any():
            self.docs_unannotated += not doc.cats
        elif not ents:
            self.docs_without_entities += 1
        self.labels.update(ent.label_ for ent in ents)
        self.lengths.update(len(ent) for ent in ents)
        for ent in ents:
            if not ent[0].text.strip() or not ent[-1].text.strip():
                self.white_space.add(place_of(place, ent))
        if doc.has_unknown_spaces or not ents:
            return
        tokens = blank.make_doc(doc.text)
        starts = {token.idx for token in tokens}
        ends = {token.idx + len(token) for token in tokens}
        for ent in ents:
            if ent.start_char not in starts or ent.end_char not in ends:
                self.misaligned.add(place_of(place, ent))

    def to_dict(self) -> dict[str, Any]:
        counts = dict(vars(self))
        for name, value in counts.items():
            if isinstance(value, Counter):
                counts[name] = {str(key): n for key, n in sorted(value.items())}
            elif isinstance(value, Places):
                counts[name] = asdict(value)
        return {**counts, "entities": self.entities}


def check_split(stats: SplitStats) -> list[Finding]:
    """Find problems of a split by itself."""
    name = stats.name
    if not stats.tokens:
        return [Finding("error", name, f"{name} is empty, it has no tokens")]
    findings = []
    if not stats.entities and not stats.docs_with_cats:
        # A dev set without entities has no F-score to choose the best model by.
        severity: Severity = "warning" if name == "test" else "error"
        findings.append(Finding(severity, name, f"{name} has no entities"))
    if stats.white_space.count:
        what = (
            f"entities in {name} that start or end in a white-space token, which "
            f"'convert' trims: {stats.white_space.count}"
        )
        findings.append(Finding("error", name, what, stats.white_space.examples))
    kinds = {
        f"entities in {name} whose boundaries are not boundaries of the tokenizer's "
        "tokens, so that they are not learned and count as missed": stats.misaligned,
        f"documents in {name} that repeat an earlier one": stats.repeated,
        f"documents in {name} with the text of an earlier one and other entities": (
            stats.conflicting
        ),
        f"documents in {name} without annotation, not the same as no entities": (
            Places(stats.docs_unannotated)
        ),
    }
    return findings + make_warnings(name, kinds.items())


def rare_labels(train: SplitStats, rare: int) -> dict[str, int]:
    """The labels with fewer than `rare` entities, the rarest first."""
    found = [(n, label) for label, n in train.labels.items() if n < rare]
    return {label: n for n, label in sorted(found)}


def check_labels(splits: Sequence[SplitStats], rare: int) -> list[Finding]:
    """Find labels that one split lacks, and those that are rare in the first."""
    train, *others = splits
    findings = [finding for split in others for finding in _compare(train, split)]
    few = rare_labels(train, rare)
    if few:
        listed = ", ".join(f"{label} ({n})" for label, n in few.items())
        what = f"labels with fewer than {rare} entities in {train.name}: {listed}"
        findings.append(Finding("note", train.name, what))
    return findings


def _compare(train: SplitStats, split: SplitStats) -> Iterator[Finding]:
    for kind, name in (("labels", "labels"), ("categories", "cats")):
        # A side without any is a finding by itself.
        if not (getattr(train, name) and getattr(split, name)):
            continue
        for here, there in ((train, split), (split, train)):
            absent = sorted(getattr(here, name).keys() - getattr(there, name))
            if absent:
                what = f"{kind} in {here.name} that are not in {there.name}"
                what = f"{what}: {', '.join(absent)}"
                yield Finding("warning", split.name, what)


class TextScan:
    """Compares the texts of a split, by digests, with one another (in `stats`) and with
    those of earlier splits."""

    def __init__(self, stats: SplitStats, earlier: Sequence["TextScan"]) -> None:
        self.stats = stats
        self.earlier = earlier
        self._shared: defaultdict[str, Places] = defaultdict(Places)
        self._entities: dict[bytes, bytes] = {}

    def add(self, place: str, doc: Doc, ents: Sequence[Span]) -> None:
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
        name = self.stats.name
        for scan in self.earlier:
            if key in scan._entities:
                kind = "the same" if scan._entities[key] == entities else "other"
                what = f"texts in {name} that are also in {scan.stats.name}"
                self._shared[f"{what}, with {kind} entities"].add(excerpt(text))

    def findings(self) -> list[Finding]:
        return make_warnings(self.stats.name, self._shared.items())


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8"), digest_size=16).digest()
