"""Convolutions of any size over each document, without padding.

The network of Kim (2014), Convolutional Neural Networks for Sentence Classification,
without the pooling: several kernel sizes in parallel, concatenated, projected, and
added to the input.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import numpy
from thinc.api import (
    ClippedLinear,
    Dropout,
    Gelu,
    HardSigmoid,
    HardSwish,
    HardTanh,
    LayerNorm,
    Linear,
    Mish,
    Model,
    Relu,
    Sigmoid,
    Swish,
    chain,
    glorot_uniform_init,
    with_array,
    with_ragged,
)
from thinc.types import Floats2d, Ragged
from thinc.util import get_width

from .windows import Lengths, windows_for

ACTIVATIONS: dict[str, Callable[..., Model]] = {
    "clipped_linear": ClippedLinear,
    "gelu": Gelu,
    "hard_sigmoid": HardSigmoid,
    "hard_swish": HardSwish,
    "hard_tanh": HardTanh,
    "linear": Linear,
    "mish": Mish,
    "relu": Relu,
    "sigmoid": Sigmoid,
    "swish": Swish,
}
NORMALIZE = ("pre", "post", "none")


def TextCNN(
    *,
    kernel_sizes: Sequence[int],
    out_channels: int | None,
    output_size: int | None,
    activation: str,
    normalize: str,
    residual: bool,
    dropout: float | None,
    n_inputs: int | None = None,
) -> Model[list[Floats2d], list[Floats2d]]:
    """Create convolutions from arrays of shape (n_words, n_inputs) to (n_words,
    output_size); spacy_ner_ext.TextCNN.v1 documents the arguments."""
    _check(activation in ACTIVATIONS, "activation", activation, *ACTIVATIONS)
    _check(normalize in NORMALIZE, "normalize", normalize, *NORMALIZE)
    sizes = list(kernel_sizes)
    _check(min(sizes, default=0) > 0, "kernel_sizes", sizes, "sizes of at least 1")
    for name, width in (("out_channels", out_channels), ("output_size", output_size)):
        null = "null for the width of the input"
        _check(width is None or width > 0, name, width, "at least 1", null)
    rate = dropout is None or 0 <= dropout < 1
    null = "null for the rate of [training]"
    _check(rate, "dropout", dropout, "a rate of at least 0 and less than 1", null)
    filters = [ACTIVATIONS[activation]() for _ in kernel_sizes]
    projection: Model = Linear()
    shortcut, norm = Shortcut(), LayerNorm()
    convolutions = convolve(kernel_sizes, filters)
    network: Model = chain(
        convolutions,
        with_array(Dropout() if dropout is None else FixedDropout(dropout)),
        with_array(projection),
    )
    if normalize == "pre":
        network = chain(network, with_array(norm))
    if residual:
        network = with_shortcut(network, with_array(shortcut))
    if normalize == "post":
        network = chain(network, with_array(norm))
    model: Model = Model(
        "text_cnn",
        forward,
        init=partial(init, tuple(kernel_sizes), out_channels, output_size),
        layers=[with_ragged(network)],
        dims={"nI": n_inputs, "nO": output_size or n_inputs},
    )
    model.set_ref("convolutions", convolutions)
    model.set_ref("projection", projection)
    model.set_ref("shortcut", shortcut if residual else None)
    model.set_ref("norm", norm if normalize != "none" else None)
    return model


def _check(valid: bool, name: str, value: object, *choices: str) -> None:
    if not valid:
        raise ValueError(
            f"{name} = {value} of TextCNN is invalid: set it to {' or '.join(choices)}."
        )


def init(
    kernel_sizes: Sequence[int],
    out_channels: int | None,
    output_size: int | None,
    model: Model,
    X: list[Floats2d] | None = None,
    Y: None = None,
) -> None:
    """Set all widths, which depend on that of the input, and initialize the weights."""
    if X is not None:
        model.set_dim("nI", get_width(X))
    n_inputs = model.get_dim("nI")
    width, n_outputs = out_channels or n_inputs, output_size or n_inputs
    for size, layer in zip(kernel_sizes, model.get_ref("convolutions").layers):
        set_widths(layer, size * n_inputs, width)
    set_widths(model.get_ref("projection"), width * len(kernel_sizes), n_outputs)
    set_widths(model.maybe_get_ref("shortcut"), n_inputs, n_outputs)
    set_widths(model.maybe_get_ref("norm"), n_outputs, n_outputs)
    model.layers[0].initialize(X=X)
    model.set_dim("nO", n_outputs)


def set_widths(layer: Model | None, n_inputs: int, n_outputs: int) -> None:
    if layer is not None:
        layer.set_dim("nI", n_inputs)
        layer.set_dim("nO", n_outputs)


def forward(
    model: Model, X: list[Floats2d], is_train: bool
) -> tuple[list[Floats2d], Callable[[list[Floats2d]], list[Floats2d]]]:
    ops: Any = model.ops
    lengths: Any = numpy.array([len(x) for x in X], dtype="int32")
    if not lengths.any():
        # Without words the layers cannot infer the width of their input.
        n_outputs = model.get_dim("nO")
        return [ops.alloc2f(0, n_outputs) for _ in X], lambda dY: X
    # The lengths stay on the host, where they are needed.
    Y, backprop_flat = model.layers[0](Ragged(ops.flatten(X), lengths), is_train)

    def backprop(dY: list[Floats2d]) -> list[Floats2d]:
        dX = backprop_flat(Ragged(ops.flatten(dY), lengths))
        return ops.unflatten(dX.data, lengths)

    return ops.unflatten(Y.data, lengths), backprop


def convolve(sizes: Sequence[int], filters: Sequence[Model]) -> Model[Ragged, Ragged]:
    """Create parallel convolutions, whose outputs are concatenated."""
    forward = partial(convolve_forward, tuple(sizes))
    return Model("convolve", forward, init=initialize_layers, layers=filters)


def convolve_forward(
    sizes: tuple[int, ...], model: Model, X: Ragged, is_train: bool
) -> tuple[Ragged, Callable[[Ragged], Ragged]]:
    ops = model.ops
    data = cast(Floats2d, ops.as_contig(X.data))
    windows = windows_for(ops, cast(Lengths, X.lengths), sizes)
    columns = windows.forward(data)
    results = [layer(part, is_train) for part, layer in zip(columns, model.layers)]

    def backprop(dY: Ragged) -> Ragged:
        gradients, first = [], 0
        for Y, to_windows in results:
            last = first + Y.shape[1]
            gradients.append(to_windows(ops.as_contig(dY.data[:, first:last])))
            first = last
        return Ragged(windows.backprop(gradients), X.lengths)

    joined = ops.xp.concatenate([Y for Y, _ in results], axis=1)
    return Ragged(joined, X.lengths), backprop


def with_shortcut(
    network: Model[Ragged, Ragged], shortcut: Model[Ragged, Ragged]
) -> Model[Ragged, Ragged]:
    """Sum the outputs of two layers."""
    layers = [network, shortcut]
    return Model("with_shortcut", add_forward, init=initialize_layers, layers=layers)


def initialize_layers(model: Model, X: Ragged | None = None, Y: None = None) -> None:
    """Initialize layers whose widths are already set."""
    for layer in model.layers:
        layer.initialize()


def add_forward(
    model: Model, X: Ragged, is_train: bool
) -> tuple[Ragged, Callable[[Ragged], Ragged]]:
    (first, to_first), (second, to_second) = (
        layer(X, is_train) for layer in model.layers
    )

    def backprop(dY: Ragged) -> Ragged:
        return Ragged(to_first(dY).data + to_second(dY).data, X.lengths)

    return Ragged(first.data + second.data, X.lengths), backprop


def FixedDropout(rate: float) -> Model[Floats2d, Floats2d]:
    """Dropout whose rate set_dropout_rate does not change."""
    return Model("fixed_dropout", partial(fixed_dropout_forward, rate))


def fixed_dropout_forward(
    rate: float, model: Model, X: Floats2d, is_train: bool
) -> tuple[Floats2d, Callable[[Floats2d], Floats2d]]:
    if not is_train or rate == 0:
        return X, lambda dY: dY
    mask = model.ops.get_dropout_mask(X.shape, rate)
    return X * mask, lambda dY: dY * mask


def Shortcut() -> Model[Floats2d, Floats2d]:
    """The identity, or a projection if input and output differ in width."""
    return Model(
        "shortcut",
        shortcut_forward,
        init=shortcut_init,
        dims={"nI": None, "nO": None},
        params={"W": None},
    )


def shortcut_init(model: Model, X: Floats2d | None = None, Y: None = None) -> None:
    n_inputs, n_outputs = model.get_dim("nI"), model.get_dim("nO")
    if n_inputs != n_outputs:
        model.set_param("W", glorot_uniform_init(model.ops, (n_outputs, n_inputs)))


def shortcut_forward(
    model: Model, X: Floats2d, is_train: bool
) -> tuple[Floats2d, Callable[[Floats2d], Floats2d]]:
    if not model.has_param("W"):
        return X, lambda dY: dY
    W = cast(Floats2d, model.get_param("W"))

    def backprop(dY: Floats2d) -> Floats2d:
        model.inc_grad("W", model.ops.gemm(dY, X, trans1=True))
        return model.ops.gemm(dY, W)

    return model.ops.gemm(X, W, trans2=True), backprop
