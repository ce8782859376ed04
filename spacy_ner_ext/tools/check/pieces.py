"""Word pieces of documents and sentences, by the tokenizer of an encoder.

Documents that know their spaces are tokenized as text, others word by word, in both
cases sentence by sentence. The encoders of a pipeline tokenize the words of spaCy's
tokenizer, so their numbers differ a little.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from spacy.tokens import Doc, Span

from ...encoder.hf import load_tokenizer, prepare
from ...encoder.settings import EncoderSettings
from ...util.errors import UserError, one_line
from .limits import PieceLimit

# Sentences that are tokenized at once, in parallel.
BATCH = 2048
# Tokenizers without a limit state a larger one.
UNLIMITED = 10**6


class Distribution(Counter[int]):
    """How often each number occurs."""

    def quantile(self, share: float) -> int:
        """The least number that a share of the numbers does not exceed; 0 if empty."""
        below = 0
        for value in sorted(self):
            below += self[value]
            if below >= share * self.total():
                return value
        return 0

    def share_above(self, limit: int) -> float:
        above = sum(n for value, n in self.items() if value > limit)
        return above / max(self.total(), 1)

    def to_dict(self) -> dict[str, float]:
        mean = sum(value * n for value, n in self.items()) / max(self.total(), 1)
        quantiles = {"median": 0.5, "p95": 0.95, "max": 1}
        found = {name: self.quantile(share) for name, share in quantiles.items()}
        return {"mean": round(mean, 2), **found}


class PieceTokenizer:
    """The tokenizer of an encoder, with the limits of the models of a config, or by
    default its own limit."""

    def __init__(self, name: str, limits: Sequence[PieceLimit] = ()) -> None:
        try:
            loaded = load_tokenizer(EncoderSettings(name=name))
        # A damaged file is a plain Exception of the tokenizers library.
        except Exception as err:
            what = f"the tokenizer '{name}' cannot be loaded ({one_line(err)})"
            raise UserError(f"{what}; correct --tokenizer") from err
        own = loaded.model_max_length
        if not limits and own <= UNLIMITED:
            limits = [PieceLimit("model_max_length of the tokenizer", int(own))]
        self.name = name
        self.limits = tuple(limits)
        self._tokenizer = prepare(loaded.backend_tokenizer)
        self.n_specials = int(self._tokenizer.num_special_tokens_to_add(False))

    def count(self, texts: Sequence[str | list[str]]) -> list[int]:
        """Count pieces, without special ones, of strings or of lists of words."""
        encodings = self._tokenizer.encode_batch(
            list(texts),
            is_pretokenized=bool(texts) and isinstance(texts[0], list),
            add_special_tokens=False,
        )
        return [len(pieces) for pieces in encodings]


class PieceScan:
    """Counts the pieces of a split, without special ones."""

    def __init__(self, tokenizer: PieceTokenizer) -> None:
        self.tokenizer = tokenizer
        self.docs = Distribution()
        self.sentences = Distribution()
        self.words = self.pieces = self._n_docs = 0
        # Sentences as text and as words, each with the number of its document.
        self._texts: list[tuple[int, str | list[str]]] = []
        self._words: list[tuple[int, str | list[str]]] = []

    def add(self, doc: Doc) -> None:
        """Count a document, at the latest when `finish` is called."""
        if not len(doc):
            return
        waiting = self._words if doc.has_unknown_spaces else self._texts
        sentences = doc.sents if doc.has_annotation("SENT_START") else [doc[:]]
        waiting += [(self._n_docs, _content(sent)) for sent in sentences]
        self.words += sum(not token.is_space for token in doc)
        self._n_docs += 1
        if len(self._texts) + len(self._words) >= BATCH:
            self.finish()

    def finish(self) -> None:
        """Count the sentences that wait for a full batch."""
        by_doc: Counter[int] = Counter()
        for waiting in (self._texts, self._words):
            counts = self.tokenizer.count([text for _, text in waiting])
            self.sentences.update(counts)
            for (doc, _), n in zip(waiting, counts):
                by_doc[doc] += n
        self.docs.update(by_doc.values())
        self.pieces += by_doc.total()
        self._texts, self._words = [], []

    @property
    def per_word(self) -> float:
        return self.pieces / max(self.words, 1)

    def to_dict(self) -> dict[str, Any]:
        limits = []
        for name, pieces, with_specials in self.tokenizer.limits:
            room = pieces - self.tokenizer.n_specials * with_specials
            longer = {
                "documents_longer": self.docs.share_above(room),
                "sentences_longer": self.sentences.share_above(room),
            }
            limits.append({"name": name, "pieces": pieces, **longer})
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
