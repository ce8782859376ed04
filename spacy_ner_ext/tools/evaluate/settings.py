"""EvaluationSettings of an evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...util.errors import UserError
from .span_keys import Places


@dataclass(frozen=True)
class EvaluationSettings:
    """How a pipeline is evaluated.

    train: The corpus that it was trained on.
    component: The component that finds entities; the last one that does if None.
    target: Where gold is; where the component learns from if empty.
    annotate: Where predictions are; where it writes them if empty.
    resamples: Resamples for intervals and tests; 0 for none.
    confidence: The share of resamples inside an interval.
    seed: The seed of the resamples.
    batch_size: Documents a batch; that of the pipeline if None.
    RAISES (UserError): If a number is out of its range.
    """

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
        """The settings of resamples, by their names."""
        return {
            "resamples": self.resamples,
            "confidence": self.confidence,
            "seed": self.seed,
        }

    def to_dict(self, places: Places) -> dict[str, Any]:
        """The settings that were used, for JSON."""
        return {
            "component": places.component,
            "target": list(places.target),
            "annotate": list(places.annotate),
            "train": None if self.train is None else str(self.train),
            **self.resampling,
            "batch_size": self.batch_size,
        }
