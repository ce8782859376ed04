"""Run a pipeline over a corpus, a document at a time."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.training import Example

from ...data.examples import read_examples
from ...data.formats.docbin import find_files
from .entity_records import ScoredDoc, make_record
from .span_keys import Places


class Stopwatch:
    """The time and the words of a pipeline."""

    def __init__(self) -> None:
        self.seconds, self.words = 0.0, 0

    def time(self, examples: Iterable[Example]) -> Iterator[Example]:
        """Measure how long it takes until there is an example."""
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
        """The time, and the words of a second."""
        speed = self.words / self.seconds if self.seconds else 0.0
        return {"seconds": self.seconds, "words_per_second": speed}


def judge(
    nlp: Language,
    corpus: str | Path,
    places: Places,
    batch_size: int | None = None,
    stopwatch: Stopwatch | None = None,
) -> Iterator[ScoredDoc]:
    """Predict the documents of a corpus, the same as `spacy evaluate` does.

    The text of each is tokenized anew, or has the gold tokens if gold does not say
    where spaces are. What is kept of a document must not be a part of it: strings and
    documents of a file are freed after its last one, so that a corpus of several files
    needs the memory of one.

    corpus: A .spacy file, or a folder of them.
    places: Where gold and predictions are.
    batch_size: Documents a batch; that of the pipeline if None.
    stopwatch: Measures the pipeline, reading included.
    YIELDS: The documents in their order; empty ones are left out.
    RAISES (UserError): If a file cannot be read.
    """
    stopwatch = Stopwatch() if stopwatch is None else stopwatch
    index = 0
    for file in find_files(Path(corpus)):
        with nlp.memory_zone():
            for example in stopwatch.time(_predict(nlp, file, batch_size)):
                record = make_record(index, example, places.target, places.annotate)
                yield ScoredDoc(record, example)
                index += 1


def _predict(nlp: Language, file: Path, batch_size: int | None) -> Iterator[Example]:
    examples = read_examples(file, nlp)
    pairs = ((example.predicted, example) for example in examples)
    context: Any
    for doc, context in nlp.pipe(pairs, as_tuples=True, batch_size=batch_size):
        context.predicted = doc
        yield context
