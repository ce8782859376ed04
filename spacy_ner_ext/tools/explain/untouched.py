"""Running layers of a model from other vectors, without a trace in the model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from spacy.tokens import Doc
from thinc.api import Model

# Where torch's layers have their rate of dropout.
DROPOUT: dict[type[torch.nn.Module], str] = {
    torch.nn.Dropout: "p",
    torch.nn.RNNBase: "dropout",
}


@contextmanager
def replaced(node: Model, forward: Callable[..., Any]) -> Iterator[None]:
    """Let a layer compute something else for a while.

    forward: What it computes: as the forward function of a layer.
    """
    before = node._func
    node._func = forward
    try:
        yield
    finally:
        node._func = before


@contextmanager
def replaced_vectors(
    sources: Sequence[Model], vectors: Sequence[list[Any]], gradients: Sequence[Any]
) -> Iterator[None]:
    """Let sources give other vectors, and add up the gradients that they get.

    vectors: What each gives: token vectors by document.
    gradients: What the gradients of each are added to.
    """
    with ExitStack() as stack:
        for node, given, gradient in zip(sources, vectors, gradients):
            stack.enter_context(replaced(node, _giving(given, gradient)))
        yield


def _giving(vectors: list[Any], gradient: Any) -> Callable[..., Any]:
    def backprop(d_vectors: Sequence[Any]) -> list[Doc]:
        for total, part in zip(gradient, d_vectors):
            total += part
        return []

    def forward(model: Model, X: list[Doc], is_train: bool) -> Any:
        return vectors, backprop

    return forward


@contextmanager
def untouched(nodes: Sequence[Model]) -> Iterator[None]:
    """Run layers without dropout, and throw the gradients of their weights away."""
    with ExitStack() as stack:
        for node in nodes:
            stack.enter_context(_without_gradients(node))
            stack.enter_context(_without_dropout(node))
            modules = [shim._model for shim in node.shims]
            for module in modules:
                if isinstance(module, torch.nn.Module):
                    stack.enter_context(_module_untouched(module))
        yield


@contextmanager
def _without_gradients(node: Model) -> Iterator[None]:
    # thinc has no other way to take a gradient back.
    before = node._params._grads
    node._params._grads = {}
    try:
        yield
    finally:
        node._params._grads = before


@contextmanager
def _without_dropout(node: Model) -> Iterator[None]:
    rate = node.attrs.get("dropout_rate")
    if node.name == "fixed_dropout":
        with replaced(node, lambda model, X, is_train: (X, lambda dY: dY)):
            yield
        return
    if rate is not None:
        node.attrs["dropout_rate"] = 0.0
    try:
        yield
    finally:
        if rate is not None:
            node.attrs["dropout_rate"] = rate


@contextmanager
def _module_untouched(module: torch.nn.Module) -> Iterator[None]:
    modes = [(part, part.training) for part in module.modules()]
    rates = [
        (part, name, getattr(part, name))
        for part in module.modules()
        for kind, name in DROPOUT.items()
        if isinstance(part, kind)
    ]
    gradients = [(weight, weight.grad) for weight in module.parameters()]
    for part, name, _ in rates:
        setattr(part, name, 0.0)
    for weight, _ in gradients:
        weight.grad = None
    try:
        yield
    finally:
        for part, name, rate in rates:
            setattr(part, name, rate)
        for weight, gradient in gradients:
            weight.grad = gradient
        for part, training in modes:
            part.training = training
