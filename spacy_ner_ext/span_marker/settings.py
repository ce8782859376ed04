"""What can be set about the span marker, and what of that makes sense."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..encoder import settings as encoder_settings

CANDIDATES = ("all", "filtered")
HEADS = ("markers", "markers+text")
MARKER_INIT = ("mask", "random")
CONTEXTS = ("none", "sentences", "document")
# What SpanMarker adds to all positions: the place of the first piece in RoBERTa.
SPAN_MARKER_OFFSET = 2


@dataclass(frozen=True)
class SpanMarkerSettings:
    """The settings of spacy_ner_ext.SpanMarker.v1, which explains them.

    RAISES (ValueError): If one has a value that makes no model.
    """

    name: str
    candidates: str | None = None
    head: str = "markers+text"
    entity_max_length: int = 8
    model_max_length: int = 256
    stride: int | None = None
    markers_per_batch: int | None = None
    marker_init: str = "mask"
    position_offset: int | str = SPAN_MARKER_OFFSET
    filter_threshold: float = 0.01
    filter_ratio: float = 0.3
    activation: str = "softmax"
    precision: str = "fp32"
    freeze: bool | int = False
    tokenizer_config: dict[str, Any] = field(default_factory=dict)
    transformer_config: dict[str, Any] = field(default_factory=dict)
    trust_remote_code: bool = False

    def __post_init__(self) -> None:
        self._check_numbers()
        if self.candidates is not None:
            self._check_choice("candidates", CANDIDATES)
        self._check_choice("head", HEADS)
        self._check_choice("marker_init", MARKER_INIT)
        self._check_choice("activation", ("softmax", "logistic"))
        self._check_choice("precision", encoder_settings.PRECISION)
        offset = self.position_offset
        if offset != "auto" and not (isinstance(offset, int) and offset >= 0):
            raise ValueError(
                f"position_offset = {offset!r} of SpanMarker: set it to 2 as in the "
                'original, to another number from 0, or to "auto" for what the encoder '
                "was trained with."
            )

    @property
    def encoder(self) -> encoder_settings.EncoderSettings:
        """What of this is about the encoder."""
        return encoder_settings.EncoderSettings(
            name=self.name,
            window=self.model_max_length,
            stride=self.model_max_length,
            precision=self.precision,
            freeze=self.freeze,
            tokenizer_config=self.tokenizer_config,
            transformer_config=self.transformer_config,
            trust_remote_code=self.trust_remote_code,
        )

    def _check_choice(self, name: str, choices: Sequence[str]) -> None:
        if getattr(self, name) not in choices:
            raise ValueError(
                f"Unknown {name} '{getattr(self, name)}' of SpanMarker: set it to one "
                f"of {', '.join(choices)}."
            )

    def _check_numbers(self) -> None:
        least = {
            "entity_max_length": 1,
            "model_max_length": 8,
            "stride": 1,
            "markers_per_batch": 1,
            "freeze": 0,
        }
        for name, minimum in least.items():
            value = getattr(self, name)
            if value is not None and value < minimum:
                raise ValueError(
                    f"{name} = {value} of SpanMarker: set it to at least {minimum}."
                )
        if self.stride is not None and self.stride > self.model_max_length:
            raise ValueError(
                f"stride = {self.stride} and model_max_length = "
                f"{self.model_max_length} of SpanMarker would leave out pieces: set "
                "stride to at most model_max_length, or to null for half of it."
            )
        if not 0 <= self.filter_threshold < 1:
            raise ValueError(
                f"filter_threshold = {self.filter_threshold} of SpanMarker is a "
                "probability: set it to at least 0 and below 1."
            )
        if self.filter_ratio <= 0:
            raise ValueError(
                f"filter_ratio = {self.filter_ratio} of SpanMarker is a number of "
                "candidates a word: set it above 0."
            )


@dataclass(frozen=True)
class Context:
    """Which text around a sentence the encoder sees.

    kind: "none", "sentences" for whole neighbouring sentences, or "document" for as
        much text as fits, the last sentence cut.
    max_prev, max_next: The most sentences before and after; None for as many as fit.
    RAISES (ValueError): If one has a value that makes no sense.
    """

    kind: str = "none"
    max_prev: int | None = None
    max_next: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in CONTEXTS:
            raise ValueError(
                f"Unknown context '{self.kind}': set it to one of "
                f"{', '.join(CONTEXTS)}."
            )
        for name, value in (("prev", self.max_prev), ("next", self.max_next)):
            if value is not None and value < 0:
                raise ValueError(
                    f"max_{name}_context = {value}: set it to a number of sentences, "
                    "or to null for as many as fit."
                )
