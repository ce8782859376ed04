"""Settings of an evaluation, validated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...util.errors import UserError
from .span_keys import SpanKeys


@dataclass(frozen=True)
class EvaluationSettings:
    """The arguments of `evaluate`."""

    train: str | Path | None = None
    component: str | None = None
    target: Sequence[str] = ()
    annotate: Sequence[str] = ()
    resamples: int = 1000
    confidence: float = 0.95
    seed: int = 0
    batch_size: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.confidence < 1:
            raise UserError(
                f"confidence is {self.confidence}, but must be between 0 and 1, such "
                "as 0.95"
            )
        if self.resamples < 0 or self.seed < 0:
            raise UserError(
                f"resamples and seed must be 0 or more, but are {self.resamples} and "
                f"{self.seed}"
            )
        if self.batch_size is not None and self.batch_size < 1:
            raise UserError(f"batch_size must be 1 or more, but is {self.batch_size}")

    @property
    def resampling(self) -> dict[str, Any]:
        """The settings of the bootstrap, by name."""
        return {
            "resamples": self.resamples,
            "confidence": self.confidence,
            "seed": self.seed,
        }

    def to_dict(self, keys: SpanKeys) -> dict[str, Any]:
        """The settings with the keys that were used, for JSON."""
        return {
            "component": keys.component.name if keys.component else None,
            "target": list(keys.target),
            "annotate": list(keys.annotate),
            "train": None if self.train is None else str(self.train),
            **self.resampling,
            "batch_size": self.batch_size,
        }
