"""The tags of a tagger, in the place of those of a tag scheme."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Union

import numpy

from .tags import AllowedTransitions, TagSet


@dataclass(frozen=True)
class TokenTags:
    """One chain in which each label is one tag, and any may follow any other.

    labels: The labels, in the order of the weights.
    """

    labels: tuple[str, ...]

    n_chains: ClassVar[int] = 1
    structure: ClassVar[str] = "flat"

    @property
    def n_tags(self) -> int:
        return len(self.labels)

    @property
    def legality(self) -> AllowedTransitions:
        """All sequences."""
        every_tag = numpy.ones(self.n_tags, dtype=bool)
        return AllowedTransitions(
            numpy.outer(every_tag, every_tag), every_tag, every_tag
        )


Tags = Union[TagSet, TokenTags]
