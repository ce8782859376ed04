"""The CRF as a thinc layer."""

from collections.abc import Callable
from typing import Any

import numpy
from thinc.api import Model
from thinc.types import Floats2d

from .lattice import Lattice


def CRF(n_chains: int | None = None, n_tags: int | None = None) -> Model:
    """Create a layer with the transition, start and end scores of a CRF, initially 0.

    It maps the emissions of each document, a list of arrays of shape (n_words, n_chains
    * n_tags), to one Lattice. Its backward pass takes the gradient as a Lattice.
    """
    return Model(
        "crf",
        forward,
        init=init,
        dims={"nChains": n_chains, "nTags": n_tags},
        params={"transitions": None, "start": None, "end": None},
    )


def init(model: Model, X: list[Floats2d] | None = None, Y: None = None) -> None:
    n_chains, n_tags = model.get_dim("nChains"), model.get_dim("nTags")
    model.set_param("transitions", model.ops.alloc3f(n_chains, n_tags, n_tags))
    model.set_param("start", model.ops.alloc2f(n_chains, n_tags))
    model.set_param("end", model.ops.alloc2f(n_chains, n_tags))


def forward(
    model: Model, X: list[Floats2d], is_train: bool
) -> tuple[Lattice, Callable[[Lattice], list[Floats2d]]]:
    lengths = [len(emissions) for emissions in X]
    lattice = Lattice(
        model.ops.flatten(X),
        lengths,
        model.get_param("transitions"),
        model.get_param("start"),
        model.get_param("end"),
    )

    def backprop(gradient: Lattice) -> list[Floats2d]:
        model.inc_grad("transitions", gradient.transitions)
        model.inc_grad("start", gradient.start)
        model.inc_grad("end", gradient.end)
        # On the host: from a GPU, thinc would copy them back.
        cuts: Any = numpy.array(lengths, dtype="int32")
        return model.ops.unflatten(gradient.emissions, cuts)

    return lattice, backprop
