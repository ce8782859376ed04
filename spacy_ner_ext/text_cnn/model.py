"""The architecture of `text_cnn`: convolutions over another layer's vectors."""

from typing import List, Optional

from spacy import registry
from spacy.tokens import Doc
from thinc.api import Model, chain
from thinc.types import Floats2d

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
    """Re-contextualize token vectors with convolutions over each document.

    tok2vec: Token vectors.
    kernel_sizes: Words that each convolution sees; an even size sees one word more on
        the right.
    out_channels: Width of each convolution; by default the width of the token vectors.
    output_size: Width of the result; by default the same.
    activation: One of spacy_ner_ext.text_cnn.layer.ACTIVATIONS.
    normalize: Layer normalization "pre" (of what the convolutions add), "post" (of the
        sum) or "none".
    residual: Whether the input is added to the result, projected where the widths
        differ.
    dropout: Dropout of the activations in training; by default the rate of [training].
    RETURNS: The model.
    RAISES (ValueError): If an option has a value that makes no network.
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
    return model
