"""How documents are cut, sampled and divided."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import UnionType

from ...util.errors import UserError

PARTS = ("train", "dev", "test")


@dataclass(frozen=True)
class SplitOptions:
    """How documents are cut, sampled and divided, in the order in which it is done.

    split_regex: Where documents may be cut: behind what this matches. Empty: at
        sentence starts, and where there are none at any token.
    max_length: Documents of more tokens are cut, the rest is not; 0 to cut at every
        match of `split_regex`, if there is one. Entities are never cut.
    split: The shares of train, dev and, of three, test. What is of one document stays
        together.
    stratify: Split so that the entities, or texts, of each label or category have these
        shares.
    downsample: The share of documents that is kept of each part, drawn at random.
    limit: The most documents of each part; 0 for all.
    oversample: Labels, and the share of documents that shall have an entity of each;
        documents with one are repeated until then. After a split in the first part
        alone.
    seed: Seed of all that is drawn.
    """

    split_regex: str = ""
    max_length: int = 0
    split: tuple[float, ...] = ()
    stratify: bool = False
    downsample: float = 1.0
    limit: int = 0
    oversample: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        self._check_types()
        for name in ("max_length", "limit", "seed"):
            value = getattr(self, name)
            if value < 0:
                raise UserError(f"{name} must be 0 or more, not {value}")
        if not 0 < self.downsample <= 1:
            what = f"downsample = {self.downsample} is no share; give one from 0 to 1"
            raise UserError(what)
        self._check_regex()
        self._check_split()
        for label, share in self.oversample.items():
            if not 0 < share < 1:
                what = f"oversample = {label}={share} is no share; give one from 0 to 1"
                raise UserError(what)

    def _check_types(self) -> None:
        kinds: dict[str, tuple[type | UnionType, str]] = {
            "max_length": (int, "is no whole number"),
            "limit": (int, "is no whole number"),
            "seed": (int, "is no whole number"),
            "downsample": (int | float, "is no number"),
            "split_regex": (str, "is no regular expression"),
            "split": (list | tuple, "is no list of shares"),
            "oversample": (Mapping, "does not map labels to shares"),
        }
        for name, (kind, what) in kinds.items():
            value = getattr(self, name)
            if not isinstance(value, kind):
                raise UserError(f"{name} = {value!r} {what}; correct it")

    def _check_regex(self) -> None:
        try:
            re.compile(self.split_regex)
        except re.error as err:
            what = f"split_regex = '{self.split_regex}' is no regular expression"
            raise UserError(f"{what} ({err}); correct it") from err

    def _check_split(self) -> None:
        if self.split:
            shown = ",".join(map(str, self.split))
            is_share = all(share > 0 for share in self.split)
            if not is_share or not math.isclose(sum(self.split), 1, abs_tol=1e-6):
                what = f"split = {shown} must be shares above 0 that sum to 1"
                raise UserError(f"{what}, such as 0.8,0.1,0.1")
            if len(self.split) not in (2, 3):
                what = f"split = {shown} has {len(self.split)} shares"
                raise UserError(f"{what}; give two (train, dev) or three (and test)")
        elif self.stratify:
            raise UserError("stratify has no split to be of; give one: 0.8,0.1,0.1")

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of the parts; empty without a split."""
        return PARTS[: len(self.split)]

    @property
    def needs_plan(self) -> bool:
        """Whether all documents have to be seen before the first."""
        return self.stratify or bool(self.oversample)
