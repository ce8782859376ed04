"""Settings of `SpanMarker.v1`, and the context of sentences, validated."""

from dataclasses import dataclass

from ..encoder.settings import PretrainedSettings

CANDIDATES = ("all", "filtered")
HEADS = ("markers", "markers+text")
MARKER_INIT = ("mask", "random")
ACTIVATION = ("softmax", "logistic")
CONTEXTS = ("none", "sentences", "document")
# SpanMarker adds this to all positions: the position of the first piece in RoBERTa.
SPAN_MARKER_OFFSET = 2


@dataclass(frozen=True, kw_only=True)
class SpanMarkerSettings(PretrainedSettings):
    """Settings of `spacy_ner_ext.SpanMarker.v1`; see `build_span_marker`."""

    kind = "SpanMarker"

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

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.candidates is not None:
            self.check_choice("candidates", CANDIDATES)
        self.check_choice("head", HEADS)
        self.check_choice("marker_init", MARKER_INIT)
        self.check_choice("activation", ACTIVATION)
        self.check_minimum(entity_max_length=1, model_max_length=8)
        self.check_minimum(stride=1, markers_per_batch=1)
        if self.stride is not None and self.stride > self.model_max_length:
            raise ValueError(
                f"stride = {self.stride} and model_max_length = "
                f"{self.model_max_length} of SpanMarker would skip pieces: set stride "
                "to at most model_max_length, or to null for half of it."
            )
        if not 0 <= self.filter_threshold < 1:
            raise ValueError(
                f"filter_threshold = {self.filter_threshold} of SpanMarker is a "
                "probability: set it to at least 0 and below 1."
            )
        if self.filter_ratio <= 0:
            raise ValueError(
                f"filter_ratio = {self.filter_ratio} of SpanMarker is a number of "
                "candidates per word: set it above 0."
            )
        offset = self.position_offset
        if offset != "auto" and not (isinstance(offset, int) and offset >= 0):
            raise ValueError(
                f"position_offset = {offset!r} of SpanMarker: set it to 2 as in the "
                'original, to another number from 0, or to "auto" for the positions '
                "that the encoder was trained with."
            )


@dataclass(frozen=True)
class Context:
    """The text around a sentence that the encoder sees: none, whole neighboring
    sentences, or as much of the document as fits."""

    kind: str = "none"
    max_prev: int | None = None  # maximum sentences; None for as many as fit
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
