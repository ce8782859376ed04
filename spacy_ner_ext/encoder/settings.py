"""What can be set about an encoder, and what of that makes sense."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

POOLING = ("mean", "first", "last", "sum")
LAYER_MIX = ("mean", "learned")
PRECISION = ("fp32", "bf16", "fp16")
ATTENTION = {"sdpa": "sdpa", "eager": "eager", "flash": "flash_attention_2"}
EMBEDDING_CACHE = ("none", "cpu", "gpu")


@dataclass(frozen=True)
class EncoderSettings:
    """The settings of spacy_ner_ext.Transformer.v1, which explains them.

    RAISES (ValueError): If one has a value that makes no encoder.
    """

    name: str
    window: int = 128
    stride: int = 96
    pooling: str = "mean"
    layers: Sequence[int] = (-1,)
    layer_mix: str = "mean"
    max_batch_pieces: int | None = None
    precision: str = "fp32"
    freeze: bool | int = False
    embedding_cache: str = "none"
    cache_mb: int = 1024
    gradient_checkpointing: bool = False
    attention: str | None = None
    new_tokens: Sequence[str] = ()
    tokenizer_config: dict[str, Any] = field(default_factory=dict)
    transformer_config: dict[str, Any] = field(default_factory=dict)
    trust_remote_code: bool = False

    def __post_init__(self) -> None:
        self._check_numbers()
        self._check_choice("pooling", POOLING)
        self._check_choice("layer_mix", LAYER_MIX)
        self._check_choice("precision", PRECISION)
        self._check_choice("embedding_cache", EMBEDDING_CACHE)
        if self.attention is not None:
            self._check_choice("attention", tuple(ATTENTION))
        if self.embedding_cache != "none" and self.freeze is not True:
            raise ValueError(
                f'embedding_cache = "{self.embedding_cache}" of Transformer keeps '
                "vectors that must not change: set freeze = true, or embedding_cache = "
                '"none".'
            )
        if not self.layers or len(set(self.layers)) < len(self.layers):
            raise ValueError(
                f"layers = {list(self.layers)} of Transformer: list one or more "
                "different layers, such as [-1] for the last."
            )

    def _check_choice(self, name: str, choices: Sequence[str]) -> None:
        if getattr(self, name) not in choices:
            raise ValueError(
                f"Unknown {name} '{getattr(self, name)}' of Transformer: set it to one "
                f"of {', '.join(choices)}."
            )

    def _check_numbers(self) -> None:
        if not 1 <= self.stride <= self.window:
            raise ValueError(
                f"stride = {self.stride} and window = {self.window} of Transformer "
                "would leave out pieces: set stride to at least 1 and at most window."
            )
        at_least_one = {
            "max_batch_pieces": self.max_batch_pieces,
            "cache_mb": self.cache_mb,
        }
        for name, value in at_least_one.items():
            if value is not None and value < 1:
                raise ValueError(
                    f"{name} = {value} of Transformer: set it to at least 1."
                )
        if self.freeze < 0:
            raise ValueError(
                f"freeze = {self.freeze} of Transformer: set it to true, false or the "
                "number of layers, counted from the lowest."
            )
