"""How uncertain a pipeline is about the entities of texts."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy
from spacy.language import Language
from spacy.tokens import Doc

from ...pipes.entities import EntityPipe
from ...pipes.find import find_component
from ...pipes.overlap import LabelledSpan
from .items import TEXT, Words
from .predict import DIGITS, memory_zone, run_docs

# Entities of a lower probability are neglected.
MINIMUM = 0.01
# From this probability on, a text may have an entity of a label.
LIKELY = 0.1


def find_pipe(nlp: Language, component: str | None) -> EntityPipe:
    """Find the component that predicts probabilities of entities.

    RAISES (UserError): If there is none of that name, or more than one.
    """
    what = "predicts probabilities of entities"
    return find_component(nlp, EntityPipe, component, what)


def score_texts(
    nlp: Language, texts: Sequence[str | Doc | Words], component: str | None = None
) -> list[dict[str, Any]]:
    """Predict the entities of texts, and how many of them are probably wrong.

    RETURNS: For each text its "text"; the predicted "entities", as of `predict`;
        "uncertainty", the expected number of wrong and missing entities; "likely", the
        highest probability of an entity of each label that the text may have; and
        "tokens", the start and end of each.
    """
    pipe = find_pipe(nlp, component)
    with memory_zone(nlp):
        docs = _docs_before(nlp, pipe, texts)
        full = [doc for doc in docs if len(doc)]
        likely = iter(pipe.predict_in_memory(partial(find_likely, pipe), full))
        return [
            _describe(doc, found, next(likely) if len(doc) else {})
            for doc, found in zip(docs, pipe.predict(docs))
        ]


def text_vectors(
    nlp: Language, texts: Sequence[Words], component: str | None = None
) -> numpy.ndarray:
    """Compute a vector for each text with at least one token."""
    pipe = find_pipe(nlp, component)
    with memory_zone(nlp):
        docs = _docs_before(nlp, pipe, texts)
        found = pipe.predict_in_memory(lambda part: [*pipe.text_vectors(part)], docs)
    return numpy.stack(found)


def _docs_before(
    nlp: Language, pipe: EntityPipe, texts: Sequence[str | Doc | Words]
) -> list[Doc]:
    """The documents as the component gets them."""
    with nlp.select_pipes(enable=nlp.pipe_names[: nlp.pipe_names.index(pipe.name)]):
        return run_docs(nlp, texts, len(texts) or 1)


def find_likely(
    pipe: EntityPipe, docs: Sequence[Doc]
) -> list[dict[LabelledSpan, float]]:
    """Find the entities of each document that are not improbable."""
    found = pipe.find_likely(docs, MINIMUM)
    result: list[dict[LabelledSpan, float]] = [{} for _ in docs]
    probabilities = found.probabilities(pipe.cfg["temperature"]).tolist()
    for (doc, start, end, label), probability in zip(found.spans, probabilities):
        result[doc][start, end, label] = probability
    return result


def _describe(
    doc: Doc, predicted: Sequence[Any], likely: Mapping[LabelledSpan, float]
) -> dict[str, Any]:
    chosen = {span[:3]: span.score for span in predicted}
    wrong = sum(1 - score for score in chosen.values())
    wrong += sum(p for span, p in likely.items() if span not in chosen)
    labels: dict[str, float] = {}
    for (_, _, label), p in [*likely.items(), *chosen.items()]:
        if p >= LIKELY:
            labels[label] = max(labels.get(label, 0.0), round(p, DIGITS))
    return {
        TEXT: doc.text,
        "entities": [*_entities(doc, chosen)],
        "uncertainty": round(wrong, DIGITS),
        "likely": labels,
        "tokens": [[token.idx, token.idx + len(token)] for token in doc],
    }


def _entities(
    doc: Doc, chosen: Mapping[LabelledSpan, float]
) -> Iterator[dict[str, Any]]:
    for (start, end, label), score in sorted(chosen.items()):
        span = doc[start:end]
        bounds = {"start": span.start_char, "end": span.end_char, "label": label}
        yield {**bounds, "text": span.text, "score": round(score, DIGITS)}
