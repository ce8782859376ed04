"""Predict over a stream of texts in memory that does not grow with it."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import minibatch

from .results import describe

# Larger ones are not faster on the CPU, and give all their memory back at once.
BATCH_SIZE = 64
# So many words stay known, and their tokens in the tokenizer's cache; rarer ones that
# come later are forgotten behind each batch.
KEPT_WORDS = 50_000


class Words(NamedTuple):
    """The tokens of a text.

    words: The words.
    spaces: Whether a space follows each of them.
    """

    words: list[str]
    spaces: list[bool]

    @classmethod
    def of(cls, doc: Doc) -> "Words":
        """The tokens of a document."""
        tokens = [(token.text, bool(token.whitespace_)) for token in doc]
        return cls([text for text, _ in tokens], [space for _, space in tokens])


def predict(
    nlp: Language,
    texts: Iterable[str | Doc | Words],
    *,
    batch_size: int = BATCH_SIZE,
) -> Iterator[dict[str, Any]]:
    """Predict over texts, in their order.

    nlp: The pipeline.
    texts: The texts. Of a document the tokens are taken, and nothing of its annotation.
    batch_size: So many texts are read, and then predicted together.
    YIELDS: "text" and "entities", each with "start", "end" (in characters), "label",
        "text" and "score" (None where the component gives none); "spans" by group, and
        "cats", if the pipeline writes them.
    RAISES (ValueError): If a component leaves texts out.
    """
    for batch in minibatch(texts, batch_size):
        # Nothing of spaCy's leaves the zone, so it may end before results are used.
        with _forgetting(nlp):
            made = (_make_doc(nlp, text) for text in batch)
            docs = nlp.pipe(made, batch_size=batch_size)
            found = [{"text": doc.text, **describe(doc)} for doc in docs]
        if len(found) != len(batch):
            raise ValueError(
                f"of {len(batch)} texts the pipeline gave back {len(found)}, as an "
                "error handler of a component skips texts: remove it"
            )
        yield from found


def _make_doc(nlp: Language, text: str | Doc | Words) -> Doc:
    if isinstance(text, str):
        return nlp.make_doc(text)
    words, spaces = Words.of(text) if isinstance(text, Doc) else text
    return Doc(nlp.vocab, words=words, spaces=spaces)


def _forgetting(nlp: Language) -> AbstractContextManager[object]:
    # In a zone the tokenizer keeps nothing of new words, so frequent ones are learnt
    # before; and zones cannot be nested.
    vocab: Any = nlp.vocab
    if vocab.in_memory_zone or len(vocab) < KEPT_WORDS:
        return nullcontext()
    return nlp.memory_zone()
