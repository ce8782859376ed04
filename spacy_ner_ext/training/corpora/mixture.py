"""Mix several corpora by weights."""

import logging
import random
from collections.abc import Iterator
from typing import Any, Dict, Optional

from spacy import registry
from spacy.language import Language
from spacy.training import Example

from ...util.errors import UserError
from .base import Examples, begin_epoch, check_whole

logger = logging.getLogger("spacy")


@registry.readers("spacy_ner_ext.Mixture.v1")
def make_mixture(
    corpora: Dict[str, Any],
    weights: Dict[str, float] = {},  # noqa: B006
    examples_per_epoch: Optional[int] = None,
    shuffle: bool = True,
) -> "Mixture":
    """Registered as `spacy_ner_ext.Mixture.v1`: draw each example at random from one of
    several corpora.

    An exhausted corpus starts over, and each epoch starts all of them.

    corpora: The corpora by name, any readers.
    weights: The relative frequency of each corpus, 1 for those that are not named: by
        default all have the same share, whatever their size.
    examples_per_epoch: The examples of an epoch; None to end it when each corpus was
        exhausted once, so that all examples are used.
    shuffle: Whether each corpus is read into memory and shuffled when it starts; false
        for those that shuffle themselves, such as Shards.v1.
    RETURNS: The corpus.
    RAISES (UserError): If a weight or a number cannot be used.
    """
    if not corpora:
        raise UserError("Mixture.v1 has no corpora; add [corpora.train.corpora.NAME]")
    # A type of readers would be checked before confection has created them.
    for name, corpus in corpora.items():
        if not callable(corpus):
            what = f"the corpus '{name}' of Mixture.v1 is not a reader"
            raise UserError(f"{what}; start its block with @readers")
        check_whole(corpus, f"the corpus '{name}' of Mixture.v1")
    for name, weight in weights.items():
        if name not in corpora:
            known = ", ".join(corpora)
            what = f"weights of Mixture.v1 name the corpus '{name}'"
            raise UserError(f"{what}; choose of: {known}")
        if not 0 < weight < float("inf"):
            what = f"weights.{name} = {weight} of Mixture.v1"
            raise UserError(f"{what}; set it to a number above 0, or leave it out")
    if examples_per_epoch is not None and examples_per_epoch < 1:
        what = f"examples_per_epoch = {examples_per_epoch} of Mixture.v1"
        raise UserError(f"{what}; set it to 1 or more, or to null")
    return Mixture(corpora, weights, examples_per_epoch, shuffle)


class Mixture:
    """Several corpora as one; see `make_mixture`."""

    def __init__(
        self,
        corpora: Dict[str, Examples],
        weights: Dict[str, float],
        examples_per_epoch: Optional[int],
        shuffle: bool,
    ) -> None:
        self.corpora = corpora
        self.weights = [float(weights.get(name, 1.0)) for name in corpora]
        self.examples_per_epoch = examples_per_epoch
        self.shuffle = shuffle
        self._is_reported = False

    def __call__(self, nlp: Language) -> Iterator[Example]:
        generator = begin_epoch()
        order = generator if self.shuffle else None
        corpora = self.corpora.items()
        sources = [_Source(name, corpus, nlp, order) for name, corpus in corpora]
        while not self._is_over(sources):
            (source,) = generator.choices(sources, self.weights)
            yield source.draw()
        self._report(sources)

    def _is_over(self, sources: "list[_Source]") -> bool:
        if self.examples_per_epoch is None:
            return all(source.n_ends for source in sources)
        return sum(source.n_drawn for source in sources) >= self.examples_per_epoch

    def _report(self, sources: "list[_Source]") -> None:
        level = logging.DEBUG if self._is_reported else logging.INFO
        self._is_reported = True
        total = sum(source.n_drawn for source in sources)
        parts = (
            f"{each.name} {each.n_drawn} ({each.n_drawn / total:.1%}, exhausted "
            f"{each.n_ends} times)"
            for each in sources
        )
        logger.log(level, "Mixture of %d examples: %s", total, ", ".join(parts))


class _Source:
    """A corpus that starts over when it is exhausted."""

    def __init__(
        self, name: str, corpus: Examples, nlp: Language, order: Optional[random.Random]
    ) -> None:
        self.name = name
        self.n_drawn = self.n_ends = 0
        self._corpus, self._nlp, self._order = corpus, nlp, order
        self._examples: Iterator[Example] = iter(())
        self._following: Optional[Example] = None

    def draw(self) -> Example:
        if self._following is None:
            self._begin()
        example = self._following
        assert example is not None
        self.n_drawn += 1
        # Read one ahead to know the end when the last example is drawn.
        self._following = next(self._examples, None)
        self.n_ends += self._following is None
        return example

    def _begin(self) -> None:
        examples = self._corpus(self._nlp)
        if self._order is not None:
            examples = list(examples)
            self._order.shuffle(examples)
        self._examples = iter(examples)
        self._following = next(self._examples, None)
        if self._following is None:
            what = f"the corpus '{self.name}' of Mixture.v1 has no examples"
            raise UserError(f"{what}; check its path and settings, or leave it out")
