"""`spacy_ner_ext.suggest`: the texts of which annotation would help most."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import minibatch

from ...data.formats.tasks import Task, TaskSpan
from . import variety
from .items import TEXT, Words
from .predict import BATCH_SIZE
from .uncertainty import score_texts, text_vectors
from .variety import PER, Pool

# Fields of a result besides the values of its line in the input.
OWN = ("index", TEXT, "entities", "uncertainty", "likely", "tokens")


def suggest(
    nlp: Language,
    texts: Iterable[str | Doc | Words],
    *,
    number: int = 100,
    per: str = PER[0],
    component: str | None = None,
    batch_size: int = BATCH_SIZE,
) -> list[dict[str, Any]]:
    """Choose the texts to annotate next: those of which the pipeline is most uncertain,
    without near-duplicates, of all labels and of all kinds.

    nlp: The pipeline, with `crf_ner` or `span_marker_ner`.
    texts: The texts, which are read once. Of a document the tokens are used, not its
        annotation.
    number: The number of texts to choose.
    per: "text" for the texts with the most entities that are probably wrong or missing,
        "word" for those with the most per token.
    component: The name of the component, if several predict probabilities of entities.
    batch_size: The number of texts that are predicted together.
    RETURNS: The chosen texts, the most uncertain first, and fewer if there are not so
        many that differ. Each is a dictionary of "index", its position in `texts`;
        "text"; the predicted "entities", as of `predict`; "uncertainty", the expected
        number of wrong and missing entities; "likely", the highest probability of an
        entity of each label it may have; and "tokens", the start and end of each.
    RAISES (UserError): If the pipeline does not have such a component.
    """
    if number < 1 or per not in PER:
        what = f"number = {number} and per = {per!r}: choose at least 1 text"
        raise ValueError(f"{what}, and per one of {', '.join(PER)}")
    pool = Pool(number, per)
    for batch in minibatch(texts, batch_size):
        for result in score_texts(nlp, batch, component):
            pool.add(result)
    return choose(pool, nlp, component, batch_size)


def choose(
    pool: Pool, nlp: Language, component: str | None, batch_size: int
) -> list[dict[str, Any]]:
    """Choose texts of a pool, with the vectors of a pipeline."""

    def vectors(results: Sequence[dict[str, Any]]) -> numpy.ndarray:
        batches = minibatch(map(_words, results), batch_size)
        return numpy.concatenate([text_vectors(nlp, b, component) for b in batches])

    return variety.choose(pool, vectors)


def _words(result: Mapping[str, Any]) -> Words:
    text, tokens = result[TEXT], result["tokens"]
    nexts = [*(start for start, _ in tokens[1:]), len(text)]
    spaces = [end < after for (_, end), after in zip(tokens, nexts)]
    return Words([text[start:end] for start, end in tokens], spaces)


def as_task(result: Mapping[str, Any]) -> Task:
    """A chosen text as a task, with the plain values of its line in the input."""
    spans = [
        TaskSpan(each["start"], each["end"], each["label"], each["score"])
        for each in result["entities"]
    ]
    plain = (str, int, float)
    meta = {k: v for k, v in result.items() if k not in OWN and isinstance(v, plain)}
    return Task(result[TEXT], spans, result["tokens"], result["uncertainty"], meta)
