"""Settings of `Transformer.v1`, and those it shares with `SpanMarker.v1`, validated."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

POOLING = ("mean", "first", "last", "sum")
LAYER_MIX = ("mean", "learned")
PRECISION = ("fp32", "bf16", "fp16")
ATTENTION = {"sdpa": "sdpa", "eager": "eager", "flash": "flash_attention_2"}
EMBEDDING_CACHE = ("none", "cpu", "gpu")


@dataclass(frozen=True, kw_only=True)
class PretrainedSettings:
    """Settings of a pretrained encoder, whatever it is used for."""

    # The name of the architecture in error messages.
    kind: ClassVar[str]

    name: str
    precision: str = "fp32"
    freeze: bool | int = False
    attention: str | None = None
    max_batch_pieces: int | None = None
    embedding_cache: str = "none"
    tokenizer_config: dict[str, Any] = field(default_factory=dict)
    transformer_config: dict[str, Any] = field(default_factory=dict)
    trust_remote_code: bool = False

    def __post_init__(self) -> None:
        self.check_choice("precision", PRECISION)
        if self.freeze < 0:
            raise ValueError(
                f"freeze = {self.freeze} of {self.kind}: set it to true, false or the "
                "number of layers, counted from the lowest."
            )

    def check_choice(self, name: str, choices: Sequence[str]) -> None:
        """Raise a ValueError if a setting is not one of the choices."""
        if getattr(self, name) not in choices:
            raise ValueError(
                f"Unknown {name} '{getattr(self, name)}' of {self.kind}: set it to one "
                f"of {', '.join(choices)}."
            )

    def check_minimum(self, **minima: int) -> None:
        """Raise a ValueError if a setting is below its minimum."""
        for name, minimum in minima.items():
            value = getattr(self, name)
            if value is not None and value < minimum:
                raise ValueError(
                    f"{name} = {value} of {self.kind}: set it to at least {minimum}."
                )


@dataclass(frozen=True, kw_only=True)
class EncoderSettings(PretrainedSettings):
    """Settings of `spacy_ner_ext.Transformer.v1`; see `build_transformer`."""

    kind = "Transformer"

    window: int = 128
    stride: int = 96
    pooling: str = "mean"
    layers: Sequence[int] = (-1,)
    layer_mix: str = "mean"
    cache_mb: int = 1024
    gradient_checkpointing: bool = False
    new_tokens: Sequence[str] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_choice("pooling", POOLING)
        self.check_choice("layer_mix", LAYER_MIX)
        self.check_choice("embedding_cache", EMBEDDING_CACHE)
        if self.attention is not None:
            self.check_choice("attention", tuple(ATTENTION))
        self.check_minimum(max_batch_pieces=1, cache_mb=1)
        if not 1 <= self.stride <= self.window:
            raise ValueError(
                f"stride = {self.stride} and window = {self.window} of Transformer "
                "would skip pieces: set stride to at least 1 and at most window."
            )
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
