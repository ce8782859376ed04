"""The architecture of `text_cnn`."""

from typing import List, Optional

from spacy import registry
from spacy.tokens import Doc
from thinc.api import Model, chain
from thinc.types import Floats2d

from ..util.cupy_layers import reduce_waits
from .layer import TextCNN


@registry.architectures("spacy_ner_ext.TextCNN.v1")
def build_text_cnn(
    tok2vec: Model[List[Doc], List[Floats2d]],
    kernel_sizes: List[int] = [3, 4, 5],  # noqa: B006 - spaCy fills configs with it
    out_channels: Optional[int] = None,
    output_size: Optional[int] = None,
    activation: str = "relu",
    normalize: str = "pre",
    residual: bool = True,
    dropout: Optional[float] = None,
) -> Model[List[Doc], List[Floats2d]]:
    """Build convolutions that re-contextualize token vectors within each document.

    tok2vec: Token vectors.
    kernel_sizes: Number of words in the window of each convolution; even windows have
        one more word on the right.
    out_channels: Width of each convolution; by default the width of the token vectors.
    output_size: Width of the output; by default the width of the token vectors.
    activation: One of "clipped_linear", "gelu", "hard_sigmoid", "hard_swish",
        "hard_tanh", "linear", "mish", "relu", "sigmoid" and "swish".
    normalize: Layer normalization "pre" (of the convolutions' output), "post" (of its
        sum with the input) or "none".
    residual: Whether the input is added to the output, projected if the widths differ.
    dropout: Dropout rate of the activations; by default the rate of [training].
    RETURNS: The model.
    RAISES (ValueError): If a setting has an invalid value.
    """
    cnn = TextCNN(
        kernel_sizes=kernel_sizes,
        out_channels=out_channels,
        output_size=output_size,
        activation=activation,
        normalize=normalize,
        residual=residual,
        dropout=dropout,
        n_inputs=tok2vec.maybe_get_dim("nO"),
    )
    model: Model = chain(tok2vec, cnn)
    model.set_ref("tok2vec", tok2vec)
    reduce_waits(model)
    return model
