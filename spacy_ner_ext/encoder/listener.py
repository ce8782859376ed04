"""A listener that scales the gradient it sends to a shared encoder."""

from typing import Any, Callable, List, Tuple

import numpy
from spacy import registry
from spacy.pipeline import tok2vec
from spacy.pipeline.tok2vec import Tok2VecListener
from spacy.tokens import Doc
from thinc.api import Model
from thinc.types import Floats2d

Vectors = List[Floats2d]


@registry.architectures("spacy_ner_ext.Tok2VecListener.v1")
def build_listener(
    width: int, upstream: str = "*", grad_factor: float = 1.0
) -> Model[List[Doc], List[Floats2d]]:
    """Build spaCy's Tok2VecListener with a factor for its gradient.

    The gradients of components that share an encoder are added. `crf_ner` sends means
    over the words of a batch, spaCy's own components send sums, which are some hundred
    times larger: a factor of one divided by the words of a batch balances them.

    width: The width of the vectors of the component that it listens to.
    upstream: The name of that component, or "*" for any.
    grad_factor: Multiplies the gradient; 0 sends none.
    RETURNS: The model; the vectors of a document have shape (n_tokens, width).
    RAISES (ValueError): If the factor is negative.
    """
    if grad_factor < 0:
        raise ValueError(
            f"grad_factor = {grad_factor} of Tok2VecListener would reverse the "
            "gradient: set it to at least 0."
        )
    return ScaledListener(upstream, width, grad_factor)


class ScaledListener(Tok2VecListener):
    """See `build_listener`."""

    def __init__(self, upstream_name: str, width: int, grad_factor: float) -> None:
        super().__init__(upstream_name, width)
        self._func = forward
        self.grad_factor = grad_factor


def forward(
    model: ScaledListener, inputs: List[Doc], is_train: bool
) -> Tuple[Vectors, Callable[[Vectors], List[Doc]]]:
    outputs, backprop_outputs = tok2vec.forward(model, inputs, is_train)

    def backprop(gradients: Vectors) -> List[Doc]:
        ops: Any = model.ops
        lengths = numpy.array([len(dY) for dY in gradients], dtype="int32")
        scaled = model.grad_factor * ops.flatten(gradients)
        return backprop_outputs(ops.unflatten(scaled, lengths))

    return outputs, backprop
