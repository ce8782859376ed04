"""What one .spacy file holds, counted document by document."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from spacy.tokenizer import Tokenizer
from spacy.tokens import Doc, Span

from .lang import BlankPipeline, blank_vocab
from .report import count_sentences

MAX_EXAMPLES = 20
EXCERPT = 60

Entities = frozenset[tuple[int, int, str]]


@dataclass
class Places:
    """Things of one kind in a split: an exact count and the first examples."""

    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, example: str) -> None:
        """Count one.

        example (str): Where it is.
        """
        self.count += 1
        if len(self.examples) < MAX_EXAMPLES:
            self.examples.append(example)


@dataclass
class SplitStats:
    """What one .spacy file holds.

    name (str): "train", "dev" or "test".
    path (str): The file.
    docs (int), tokens (int): Documents and their tokens.
    sentences (int): Sentences; a document without sentence starts counts as one.
    docs_without_entities (int): Documents that are annotated and have no entity.
    docs_unannotated (int): Documents with no entity annotation at all.
    docs_with_text (int): Documents that know their spaces. spaCy tokenizes their
        text anew for training and evaluation; of the others it takes the tokens.
    labels (Dict[str, int]): Entities per label.
    lengths (Dict[int, int]): Entities per length in tokens.
    white_space (Places): Entities that start or end in a white-space token.
    misaligned (Places): Entities, in documents that know their spaces, whose ends
        are not ends of the tokenizer's tokens.
    repeated (Places): Documents with the text and the entities of an earlier one.
    conflicting (Places): Documents with the text of an earlier one and different
        entities.
    """

    name: str
    path: str
    docs: int = 0
    tokens: int = 0
    sentences: int = 0
    docs_without_entities: int = 0
    docs_unannotated: int = 0
    docs_with_text: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    lengths: Counter[int] = field(default_factory=Counter)
    white_space: Places = field(default_factory=Places)
    misaligned: Places = field(default_factory=Places)
    repeated: Places = field(default_factory=Places)
    conflicting: Places = field(default_factory=Places)

    @property
    def entities(self) -> int:
        """RETURNS (int): The number of entities."""
        return self.labels.total()

    def to_dict(self) -> dict[str, Any]:
        """RETURNS (Dict[str, Any]): The counts as plain JSON values."""
        return {
            **{name: _to_json(value) for name, value in vars(self).items()},
            "entities": self.entities,
        }


def _to_json(value: Any) -> Any:
    if isinstance(value, Counter):
        return {str(key): count for key, count in sorted(value.items())}
    return asdict(value) if isinstance(value, Places) else value


class SplitScan:
    """Fills a `SplitStats`, document by document.

    stats (SplitStats): The counts so far.
    lang (str): The language whose tokenizer the pipeline will use.
    texts (Dict[str, Entities]): The entities of the first document with each text.
    """

    def __init__(self, stats: SplitStats, lang: str) -> None:
        self.stats = stats
        self.lang = lang
        self.vocab = blank_vocab(lang)
        self.texts: dict[str, Entities] = {}

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """RETURNS (Tokenizer): The language's tokenizer."""
        # Costs seconds, and only documents that know their spaces need it.
        return BlankPipeline(self.lang).tokenizer

    def add(self, doc: Doc) -> None:
        """Count one document.

        doc (Doc): A document with the scan's vocabulary.
        """
        stats = self.stats
        stats.docs += 1
        stats.tokens += len(doc)
        stats.sentences += count_sentences(doc)
        stats.docs_with_text += not doc.has_unknown_spaces
        if len(doc) and not doc.has_annotation("ENT_IOB"):
            stats.docs_unannotated += 1
        elif not doc.ents:
            stats.docs_without_entities += 1
        stats.labels.update(ent.label_ for ent in doc.ents)
        stats.lengths.update(len(ent) for ent in doc.ents)
        self._add_ends(doc)
        self._add_text(doc)

    def _add_ends(self, doc: Doc) -> None:
        for ent in doc.ents:
            if not ent[0].text.strip() or not ent[-1].text.strip():
                self.stats.white_space.add(self._place(ent))
        if doc.has_unknown_spaces or not doc.ents:
            return
        tokens = self.tokenizer(doc.text)
        starts = {token.idx for token in tokens}
        ends = {token.idx + len(token) for token in tokens}
        for ent in doc.ents:
            if ent.start_char not in starts or ent.end_char not in ends:
                self.stats.misaligned.add(self._place(ent))

    def _add_text(self, doc: Doc) -> None:
        if not doc.text.strip():
            return
        entities = _entities(doc)
        if doc.text not in self.texts:
            self.texts[doc.text] = entities
            return
        same = self.texts[doc.text] == entities
        places = self.stats.repeated if same else self.stats.conflicting
        places.add(f"document {self.stats.docs}: {excerpt(doc.text)}")

    def _place(self, ent: Span) -> str:
        return f"document {self.stats.docs}: {ent.label_} {excerpt(ent.text)}"


def _entities(doc: Doc) -> Entities:
    return frozenset((ent.start_char, ent.end_char, ent.label_) for ent in doc.ents)


def excerpt(text: str) -> str:
    """Quote the start of a text.

    text (str): The text.
    RETURNS (str): Its first `EXCERPT` characters in quotes.
    """
    return repr(text if len(text) <= EXCERPT else text[: EXCERPT - 3] + "...")
