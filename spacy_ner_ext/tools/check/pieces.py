"""How many pieces a tokenizer of an encoder makes of documents and sentences.

Documents that know their spaces are cut as text, others word by word, sentence after
sentence in both cases. The encoders of a pipeline cut the words of spaCy's tokenizer,
so their numbers differ a little.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from spacy.tokens import Doc, Span

from .config import PieceLimit
from .tokenizer import PieceTokenizer

# Sentences that are cut at once, in parallel.
BATCH = 2048


@dataclass
class Distribution:
    """How often each number occurs."""

    counts: Counter[int] = field(default_factory=Counter)

    @property
    def mean(self) -> float:
        """The mean; 0 if there is nothing."""
        total = sum(value * n for value, n in self.counts.items())
        return total / max(self.counts.total(), 1)

    def quantile(self, share: float) -> int:
        """Find the least number that is not exceeded by a share of them.

        share: The share, 0 to 1.
        RETURNS: The number; 0 if there is nothing.
        """
        below = 0
        for value in sorted(self.counts):
            below += self.counts[value]
            if below >= share * self.counts.total():
                return value
        return 0

    def share_above(self, limit: int) -> float:
        """The share of numbers above a limit."""
        above = sum(n for value, n in self.counts.items() if value > limit)
        return above / max(self.counts.total(), 1)

    def to_dict(self) -> dict[str, float]:
        """The distribution in a few numbers."""
        return {
            "mean": round(self.mean, 2),
            "median": self.quantile(0.5),
            "p95": self.quantile(0.95),
            "max": max(self.counts, default=0),
        }


class PieceScan:
    """Counts the pieces of a split. Special pieces do not count.

    tokenizer: The tokenizer.
    """

    def __init__(self, tokenizer: PieceTokenizer) -> None:
        self.tokenizer = tokenizer
        self.docs = Distribution()
        self.sentences = Distribution()
        self.words = 0
        self.pieces = 0
        # Sentences as text and as words, each with the number of its document.
        self._texts: list[tuple[int, str | list[str]]] = []
        self._words: list[tuple[int, str | list[str]]] = []
        self._n_docs = 0

    def add(self, doc: Doc) -> None:
        """Count one document, at the latest when `finish` is called."""
        if not len(doc):
            return
        waiting = self._words if doc.has_unknown_spaces else self._texts
        sentences = doc.sents if doc.has_annotation("SENT_START") else [doc[:]]
        for sent in sentences:
            waiting.append((self._n_docs, _content(sent)))
        self.words += sum(not token.is_space for token in doc)
        self._n_docs += 1
        if len(self._texts) + len(self._words) >= BATCH:
            self.finish()

    def finish(self) -> None:
        """Count what is waiting."""
        by_doc: Counter[int] = Counter()
        for waiting in (self._texts, self._words):
            counts = self.tokenizer.count([text for _, text in waiting])
            self.sentences.counts.update(counts)
            for (doc, _), n in zip(waiting, counts):
                by_doc[doc] += n
        self.docs.counts.update(by_doc.values())
        self.pieces += by_doc.total()
        self._texts, self._words = [], []

    def room(self, limit: PieceLimit) -> int:
        """The pieces of a text that a limit leaves room for."""
        return limit.pieces - self.tokenizer.specials * limit.with_specials

    @property
    def per_word(self) -> float:
        """The pieces a word, which is not white space."""
        return self.pieces / max(self.words, 1)

    def to_dict(self) -> dict[str, Any]:
        """The counts as plain JSON values."""
        limits = [
            {
                "name": limit.name,
                "pieces": limit.pieces,
                "documents_longer": self.docs.share_above(self.room(limit)),
                "sentences_longer": self.sentences.share_above(self.room(limit)),
            }
            for limit in self.tokenizer.limits
        ]
        return {
            "documents": self.docs.to_dict(),
            "sentences": self.sentences.to_dict(),
            "per_word": round(self.per_word, 3),
            "limits": limits,
        }


def _content(sent: Span) -> str | list[str]:
    if sent.doc.has_unknown_spaces:
        return [token.text for token in sent if not token.is_space]
    return sent.text
