"""Run a pipeline over a corpus, document by document."""

import time
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.training import Example

from ...data.read import find_files, read_examples
from .entities import ScoredDoc, read_entities
from .span_keys import SpanKeys


class Stopwatch:
    """Measures the time and counts the words of a pipeline."""

    def __init__(self) -> None:
        self.seconds, self.words = 0.0, 0

    def time(self, examples: Iterable[Example]) -> Iterator[Example]:
        """Measure how long each example takes."""
        stream = iter(examples)
        while True:
            start = time.perf_counter()
            example = next(stream, None)
            self.seconds += time.perf_counter() - start
            if example is None:
                return
            self.words += len(example.predicted)
            yield example

    def to_dict(self) -> dict[str, float]:
        """The part "speed" of the result."""
        speed = self.words / self.seconds if self.seconds else 0.0
        return {"seconds": self.seconds, "words_per_second": speed}


def predict(
    nlp: Language,
    corpus: str | Path,
    keys: SpanKeys,
    batch_size: int | None = None,
    stopwatch: Stopwatch | None = None,
) -> Iterator[ScoredDoc]:
    """Predict the documents of a corpus as `spacy evaluate` does.

    Each text is tokenized by the pipeline, or has the gold tokens if gold does not
    store spaces. The strings and documents of a file are freed after its last document,
    so do not keep any part of an example: a corpus of several files then needs the
    memory of one.

    stopwatch: Measures the pipeline, including reading.
    YIELDS: The documents in order, without empty ones.
    RAISES (UserError): If a file cannot be read.
    """
    stopwatch, indices = stopwatch or Stopwatch(), count()
    for file in find_files(Path(corpus)):
        with nlp.memory_zone():
            for example in stopwatch.time(_predict(nlp, file, batch_size)):
                yield ScoredDoc(read_entities(next(indices), example, keys), example)


def _predict(nlp: Language, file: Path, batch_size: int | None) -> Iterator[Example]:
    examples = read_examples(file, nlp)
    pairs = ((example.predicted, example) for example in examples)
    context: Any
    for doc, context in nlp.pipe(pairs, as_tuples=True, batch_size=batch_size):
        context.predicted = doc
        yield context
