"""What one split holds, counted document by document."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from spacy.tokens import Doc, Span

from ...data.lang import BlankPipeline
from ...data.report import count_sentences, true_cats
from .findings import Finding, Places, Severity, excerpt


@dataclass
class SplitStats:
    """What one split holds.

    name: "train", "dev" or "test".
    path: The file, or the folder of files.
    docs, tokens: Documents and their tokens.
    sentences: Sentences; a document without sentence starts counts as one.
    docs_without_entities: Documents that are annotated and have no entity.
    docs_unannotated: Documents with neither entity annotation nor categories.
    docs_with_cats: Documents with categories.
    docs_with_text: Documents that know their spaces. spaCy tokenizes their text anew
        for training and evaluation; of the others it takes the tokens.
    labels: Entities per label.
    cats: Documents of which a category is true, by category.
    lengths: Entities per length in tokens.
    white_space: Entities that start or end in a white-space token.
    misaligned: Entities, in documents that know their spaces, whose ends are not ends
        of the tokenizer's tokens.
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
        """The number of entities."""
        return self.labels.total()

    def add(self, doc: Doc, ents: Sequence[Span]) -> None:
        """Count one document, all but its places."""
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

    def add_ends(
        self, place: str, doc: Doc, ents: Sequence[Span], blank: BlankPipeline
    ) -> None:
        """Look at the ends of entities."""
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
        """The counts as plain JSON values."""
        return {
            **{name: _to_json(value) for name, value in vars(self).items()},
            "entities": self.entities,
        }


def _to_json(value: Any) -> Any:
    if isinstance(value, Counter):
        return {str(key): count for key, count in sorted(value.items())}
    return asdict(value) if isinstance(value, Places) else value


def place_of(place: str, span: Span) -> str:
    """Tell where an entity is.

    RETURNS: The place, its label and its text.
    """
    return f"{place}: {span.label_} {excerpt(span.text)}"


def check_split(stats: SplitStats) -> list[Finding]:
    """Tell what is wrong in a split by itself."""
    name = stats.name
    if not stats.tokens:
        return [Finding("error", name, f"{name} is empty, it holds no token")]
    findings = []
    if not stats.entities and not stats.docs_with_cats:
        # A dev set without entities has no F-score, so no best model can be chosen.
        severity: Severity = "warning" if name == "test" else "error"
        findings.append(Finding(severity, name, f"{name} has no entity at all"))
    if stats.white_space.count:
        what = (
            f"entities in {name} that start or end in a white-space token, which "
            f"'convert' trims: {stats.white_space.count}"
        )
        findings.append(Finding("error", name, what, stats.white_space.examples))
    return findings + _warn_split(stats)


def _warn_split(stats: SplitStats) -> list[Finding]:
    name = stats.name
    unaligned = (
        f"entities in {name} whose ends are not ends of the tokenizer's tokens, so "
        "that they are not learned and count as missed"
    )
    unannotated = f"documents in {name} without annotation, not the same as no entity"
    places = {
        unaligned: stats.misaligned,
        f"documents in {name} that repeat an earlier one": stats.repeated,
        f"documents in {name} with the text of an earlier one and other entities": (
            stats.conflicting
        ),
        unannotated: Places(stats.docs_unannotated),
    }
    return [
        Finding("warning", name, f"{what}: {found.count}", found.examples)
        for what, found in places.items()
        if found.count
    ]
