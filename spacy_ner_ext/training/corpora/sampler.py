"""Sample a corpus, and repeat examples with rare labels."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Dict, Optional

from spacy import registry
from spacy.language import Language
from spacy.training import Example

from ...data.options import ConvertOptions
from ...data.split.sample import Repeating, find_factors, sample
from ...data.split.split import count_labels
from ...util.errors import UserError
from .base import (
    Examples,
    begin_epoch,
    check_whole,
    isolated_random,
    shuffled_in_buffer,
)

logger = logging.getLogger("spacy")


@registry.readers("spacy_ner_ext.Sampler.v1")
def make_sampler(
    corpus: Callable[[Language], Iterable[Example]],
    limit: int = 0,
    downsample: float = 1.0,
    oversample: Dict[str, float] = {},  # noqa: B006
    seed: int = 0,
    shuffle_buffer: int = 0,
) -> "Sampler":
    """Registered as `spacy_ner_ext.Sampler.v1`: sample the examples of a corpus, and
    repeat those with rare labels.

    corpus: The corpus, any reader.
    limit: The maximum number of examples before they are repeated; 0 for all.
    downsample: The share of examples to draw.
    oversample: Labels of entities, span groups or categories, and the share of examples
        that should have each; examples with the label are repeated to reach it. The
        corpus is then read once more, before the first epoch.
    seed: Seed of drawing and repeating, the same in each epoch.
    shuffle_buffer: The size of a shuffle buffer, which separates repeated examples; 0
        where the training loop shuffles (`max_epochs` of 0 or more).
    RETURNS: The corpus.
    RAISES (UserError): If a setting cannot be used.
    """
    options = ConvertOptions(
        downsample=downsample, limit=limit, oversample=oversample, seed=seed
    )
    if shuffle_buffer < 0:
        what = f"shuffle_buffer = {shuffle_buffer} of Sampler.v1"
        raise UserError(f"{what}; set it to 0 or more")
    check_whole(corpus, "the corpus of Sampler.v1")
    return Sampler(corpus, options, shuffle_buffer)


class Sampler:
    """A sampled corpus; see `make_sampler`."""

    def __init__(
        self, corpus: Examples, options: ConvertOptions, shuffle_buffer: int
    ) -> None:
        self.corpus = corpus
        self.options = options
        self.shuffle_buffer = shuffle_buffer
        self._factors: Optional[dict[str, float]] = None if options.oversample else {}
        self._is_reported = False

    def __call__(self, nlp: Language) -> Iterator[Example]:
        examples = self._repeat(nlp)
        if self.shuffle_buffer:
            examples = shuffled_in_buffer(examples, self.shuffle_buffer, begin_epoch())
        yield from examples

    def _repeat(self, nlp: Language) -> Iterator[Example]:
        often = Repeating(self._find_factors(nlp), self.options.seed)
        counts: Counter[str] = Counter()
        for example in self._sample(nlp, counts):
            n = often(count_labels(example.reference))
            counts.update(taken=1, given=n)
            yield from [example] * n
        level = logging.DEBUG if self._is_reported else logging.INFO
        self._is_reported = True
        what = "Sampler: %d example(s) read, %d taken, %d with repetitions"
        logger.log(level, what, counts["read"], counts["taken"], counts["given"])

    def _find_factors(self, nlp: Language) -> dict[str, float]:
        # Factors belong to labels, so that they do not depend on the order of examples.
        # A resumed run counts again and has to find the same.
        if self._factors is None:
            with isolated_random(self.options.seed):
                labels = Counter(
                    frozenset(count_labels(example.reference))
                    for example in self._sample(nlp, Counter())
                )
            self._factors = find_factors(labels, self.options.oversample)
        return self._factors

    def _sample(self, nlp: Language, counts: Counter[str]) -> Iterator[Example]:
        options = self.options

        def count(example: Example) -> tuple[int, Example]:
            counts["read"] += 1
            return 0, example

        taken = sample(
            *(map(count, self.corpus(nlp)), 1, options.downsample),
            *(options.limit, options.seed, lambda kind, item: None),
        )
        return (example for _, example in taken)
