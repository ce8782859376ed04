"""`spacy_ner_ext.predict`: entities of a stream of texts in constant memory."""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc, Span, SpanGroup
from spacy.util import minibatch

from ...pipes.annotations import get_score
from .items import Words
from .long import Places, find_places, merge, predict_windows

# Larger batches are not faster on the CPU, and return their results later.
BATCH_SIZE = 64
# The first so many words stay in the vocabulary and in the tokenizer's cache; later
# ones are forgotten after each batch.
KEPT_WORDS = 30_000
# Further digits are rounding errors of 32-bit arithmetic.
DIGITS = 6


def predict(
    nlp: Language,
    texts: Iterable[str | Doc | Words],
    *,
    batch_size: int = BATCH_SIZE,
) -> Iterator[dict[str, Any]]:
    """Predict the entities of a stream of texts, in its order.

    Memory does not grow with the number of texts: the vocabulary forgets words that
    come after the first 30,000 in a memory zone of spaCy around each batch. A text of
    more than `nlp.max_length` characters is predicted in windows of 100,000 characters
    that overlap and begin where sentences, or else words, begin.

    nlp: The pipeline.
    texts: The texts. Of a document the tokens are used, not its annotation.
    batch_size: The number of texts that are read and then predicted together.
    YIELDS: For each text a dictionary of plain values: "text"; "entities", a list of
        "start" and "end" (characters, end exclusive), "label", "text" and "score" (the
        probability, rounded to six digits; None where the component gives none);
        "spans", such lists by span group, and "cats", scores by category, if the
        pipeline sets them.
    RAISES (ValueError): If an error handler of a component skips a text.
    """
    for batch in minibatch(texts, batch_size):
        long = {i for i, text in enumerate(batch) if _is_long(nlp, text)}
        # No object of spaCy leaves the zone, so it may end before results are used.
        with memory_zone(nlp):
            short = [text for i, text in enumerate(batch) if i not in long]
            docs = run_docs(nlp, short, batch_size)
            found = [{"text": doc.text, **describe(doc)} for doc in docs]
        results = iter(found)
        for i, text in enumerate(batch):
            yield _predict_long(nlp, str(text)) if i in long else next(results)


def _is_long(nlp: Language, text: str | Doc | Words) -> bool:
    return isinstance(text, str) and len(text) > nlp.max_length


def run_docs(
    nlp: Language, texts: Sequence[str | Doc | Words], batch_size: int = 1
) -> list[Doc]:
    """Run the pipeline over texts, none of them long."""
    made = (_make_doc(nlp, text) for text in texts)
    docs = list(nlp.pipe(made, batch_size=batch_size))
    if len(docs) != len(texts):
        raise ValueError(
            f"of {len(texts)} texts the pipeline gave back {len(docs)}, as an error "
            "handler of a component skips texts: remove it"
        )
    return docs


def _predict_long(nlp: Language, text: str) -> dict[str, Any]:
    def run(part: str) -> tuple[dict[str, Any], Places]:
        with memory_zone(nlp):
            (doc,) = run_docs(nlp, [part])
            return describe(doc), find_places(doc)

    windows = list(predict_windows(text, nlp.max_length, run))
    return {"text": text, **merge(windows)}


def _make_doc(nlp: Language, text: str | Doc | Words) -> Doc:
    if isinstance(text, str):
        return nlp.make_doc(text)
    words, spaces = Words.of(text) if isinstance(text, Doc) else text
    return Doc(nlp.vocab, words=words, spaces=spaces)


def memory_zone(nlp: Language) -> AbstractContextManager[object]:
    """A zone in which words that are new to a large vocabulary are forgotten."""
    # In a zone the tokenizer caches no new words, so the frequent ones are learned
    # before; and zones cannot be nested.
    vocab: Any = nlp.vocab
    if vocab.in_memory_zone or len(vocab) < KEPT_WORDS:
        return nullcontext()
    return nlp.memory_zone()


def describe(doc: Doc) -> dict[str, Any]:
    """The predictions in a document as plain values; see predict."""
    found: dict[str, Any] = {
        "entities": [_describe_span(span, get_score(span)) for span in doc.ents]
    }
    if doc.spans:
        groups = doc.spans.items()
        found["spans"] = {key: _describe_group(group) for key, group in groups}
    if doc.cats:
        found["cats"] = {name: _round(score) for name, score in doc.cats.items()}
    return found


def _describe_group(group: SpanGroup) -> list[dict[str, Any]]:
    spans = list(group)
    scores: Any = group.attrs.get("scores", ())
    if len(scores) != len(spans):
        scores = [get_score(span) for span in spans]
    return [_describe_span(span, score) for span, score in zip(spans, scores)]


def _describe_span(span: Span, score: float | None) -> dict[str, Any]:
    return {
        "start": span.start_char,
        "end": span.end_char,
        "label": span.label_,
        "text": span.text,
        "score": _round(score),
    }


def _round(score: float | None) -> float | None:
    # In a group the score of a span that was set before the component ran is NaN.
    if score is None or math.isnan(score):
        return None
    return round(float(score), DIGITS)
