"""The architecture `Transformer.v1`: documents to token vectors."""

from typing import Any, Callable, Dict, List, Optional, Tuple, Union, cast

from spacy import registry
from spacy.tokens import Doc
from thinc.api import Model
from thinc.types import Floats2d

from .settings import EncoderSettings
from .shim import EncoderShim


@registry.architectures("spacy_ner_ext.Transformer.v1")
def build_transformer(
    name: str,
    window: int = 128,
    stride: int = 96,
    pooling: str = "mean",
    layers: List[int] = [-1],  # noqa: B006 - spaCy fills configs with it
    layer_mix: str = "mean",
    max_batch_pieces: Optional[int] = None,
    precision: str = "fp32",
    freeze: Union[bool, int] = False,
    embedding_cache: str = "none",
    cache_mb: int = 1024,
    gradient_checkpointing: bool = False,
    attention: Optional[str] = None,
    new_tokens: List[str] = [],  # noqa: B006
    tokenizer_config: Dict[str, Any] = {},  # noqa: B006
    transformer_config: Dict[str, Any] = {},  # noqa: B006
    trust_remote_code: bool = False,
) -> Model[List[Doc], List[Floats2d]]:
    """Build a model that computes token vectors with a pretrained Hugging Face encoder.

    Documents of any length are cut into overlapping windows of word pieces; the vector
    of a piece comes from the window in which it is most central (the rule of EDS-NLP).
    The vectors of a token's pieces are pooled; a token without pieces (white space,
    control characters) has a learned vector. `nlp.initialize()` loads the weights; a
    saved pipeline contains config, tokenizer and weights.

    name: Name on the Hugging Face hub or path of a folder; the weights must be
        safetensors, or in a folder a pytorch_model.bin (read with weights_only), the
        tokenizer a fast one.
    window: Pieces of a window, without special pieces.
    stride: Pieces from the start of one window to the start of the next.
    pooling: "mean", "sum", "first" or "last" of the pieces of a token.
    layers: Hidden states to use: -1 for the last, 1 for the first layer, 0 for the
        embeddings.
    layer_mix: "mean" of several layers, or "learned" for a learned weighting.
    max_batch_pieces: Maximum pieces of a forward pass, padding and special pieces
        included; bounds memory. By default 512 on the CPU (256 in training), and on a
        GPU what fits into half of the free memory, at most 16384.
    precision: "fp32", or "bf16" or "fp16" for mixed precision (autocast, on CPU and
        GPU; with fp16 gradients are scaled). Vectors are always float32.
    freeze: True to freeze all weights of the encoder, or the number of layers to
        freeze, counted from the lowest, together with the embeddings.
    embedding_cache: With freeze = true, "cpu" or "gpu" keeps the vectors of each
        document there during training; "none" computes them each time.
    cache_mb: Maximum size of the cache in MB.
    gradient_checkpointing: Whether to recompute activations in the backward pass
        instead of keeping them: less memory, about a third slower.
    attention: "sdpa", "eager" or "flash" (requires flash-attn); by default the best
        that the encoder supports.
    new_tokens: Texts to add to the vocabulary; their embeddings start as the mean of
        all others.
    tokenizer_config: Arguments of AutoTokenizer.from_pretrained.
    transformer_config: Arguments of AutoModel.from_pretrained, such as
        {"hidden_dropout_prob": 0.2}.
    trust_remote_code: Whether code that comes with the encoder may run.
    RETURNS: The model; the vectors of a document have shape (n_tokens, width).
    RAISES (ValueError): If a setting has an invalid value.
    """
    settings = EncoderSettings(**locals())
    return Model(
        "transformer",
        forward,
        init=init,
        dims={"nO": None},
        shims=[EncoderShim(settings)],
    )


def init(model: Model, X: Optional[List[Doc]] = None, Y: None = None) -> None:
    shim = cast(EncoderShim, model.shims[0])
    model.set_dim("nO", shim.load(), force=True)


def forward(
    model: Model, X: List[Doc], is_train: bool
) -> Tuple[List[Floats2d], Callable[[List[Floats2d]], List[Doc]]]:
    shim = cast(EncoderShim, model.shims[0])
    vectors, backprop_vectors = shim([shim.words_of(doc) for doc in X], is_train)

    def backprop(d_vectors: List[Floats2d]) -> List[Doc]:
        backprop_vectors(d_vectors)
        return []

    return vectors, backprop
